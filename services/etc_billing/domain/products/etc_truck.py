"""ETC of trucks and special work vehicles: a percent that the province sets."""

from __future__ import annotations

from services.etc_billing.domain.money import Policy
from services.etc_billing.domain.passages import Intervals, Passages
from services.etc_billing.domain.products.conditions import among
from services.etc_billing.domain.products.discounts import discounted, paid_by_etc
from services.etc_billing.domain.products.product import Amounts, Effect, Flags, Product, RatingRule
from services.etc_billing.domain.tariff import PASSENGER_TYPES, Tariff


def applies(passages: Passages) -> Flags:
    """Trucks and special work vehicles with the ETC price."""
    return paid_by_etc(passages) & ~among(passages.vehicle_types, PASSENGER_TYPES)


def effect(amounts: Amounts, _intervals: Intervals, rule: RatingRule, _tariff: Tariff) -> Effect:
    """R5 for every interval, R8 at the exit."""
    return discounted(amounts, rule, interval_policy=Policy.R5, exit_policy=Policy.R8)


ETC_TRUCK = Product("etc_truck", applies, effect, ("percent", "exit_policy"), (Policy.R8, Policy.R7))
