"""What products that take a percent off the whole passage of an ETC vehicle have in common."""

from __future__ import annotations

from services.etc_billing.domain.money import ROUNDED, Policy
from services.etc_billing.domain.passages import Passages
from services.etc_billing.domain.products.conditions import among
from services.etc_billing.domain.products.product import Amounts, Effect, Flags, RatingRule

OBU = 1
BEFORE_DISCOUNT = 2  # the fee class of an OBU whose amount before discount is charged


def paid_by_etc(passages: Passages) -> Flags:
    """Which passages have the ETC price, (n,): a tag that works, and not the amount before discount."""
    return among(passages.media_types, (OBU,)) & ~among(passages.fee_classes, (BEFORE_DISCOUNT,))


def discounted(amounts: Amounts, rule: RatingRule, *, interval_policy: Policy, exit_policy: Policy) -> Effect:
    """`percent` of every interval by one policy, and of the charge anew by the other, or the one the rule names."""
    fees = ROUNDED[interval_policy](amounts.interval_fees_fen, rule.percent)
    return Effect(Amounts(fees, ROUNDED[rule.exit_policy or exit_policy](amounts.charges_fen, rule.percent)))
