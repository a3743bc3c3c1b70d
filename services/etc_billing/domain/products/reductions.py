"""What products that reduce single intervals by a percent have in common."""

from __future__ import annotations

import numpy as np

from services.etc_billing.domain.money import rounded_share_fen
from services.etc_billing.domain.passages import Intervals
from services.etc_billing.domain.products.conditions import intervals_under, sums_of
from services.etc_billing.domain.products.product import Amounts, Effect, RatingRule
from services.etc_billing.domain.tariff import Tariff

INTERVAL_CONDITIONS = ("sections", "direction", "day_minutes")


def reduced(amounts: Amounts, intervals: Intervals, rule: RatingRule, tariff: Tariff) -> Effect:
    """`percent` of the intervals under the rule, each half-up (R5); the charge falls by as much, at most to 0."""
    under = intervals_under(rule, intervals, tariff)
    before = amounts.interval_fees_fen
    after = np.where(under, rounded_share_fen(before, rule.percent), before)
    charges = np.maximum(amounts.charges_fen - sums_of(before - after, intervals.starts), 0)
    return Effect(Amounts(after, charges), sums_of(under, intervals.starts) > 0)
