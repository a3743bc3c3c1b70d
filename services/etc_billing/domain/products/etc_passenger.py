"""ETC of passenger vehicles: 95 %, and never more than 95 % of what cash would pay."""

from __future__ import annotations

from services.etc_billing.domain.money import Policy
from services.etc_billing.domain.passages import Intervals, Passages
from services.etc_billing.domain.products.conditions import among
from services.etc_billing.domain.products.discounts import discounted, paid_by_etc
from services.etc_billing.domain.products.product import Amounts, Effect, Flags, Product, RatingRule
from services.etc_billing.domain.tariff import PASSENGER_TYPES, Tariff


def applies(passages: Passages) -> Flags:
    """Passenger vehicles with the ETC price."""
    return paid_by_etc(passages) & among(passages.vehicle_types, PASSENGER_TYPES)


def effect(amounts: Amounts, _intervals: Intervals, rule: RatingRule, _tariff: Tariff) -> Effect:
    """R4 for every interval, R7 at the exit."""
    return discounted(amounts, rule, interval_policy=Policy.R4, exit_policy=Policy.R7)


ETC_PASSENGER = Product("etc_passenger", applies, effect, ("percent", "exit_policy"), (Policy.R7, Policy.R8))
