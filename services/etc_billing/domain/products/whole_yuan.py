"""Cash and CPC: the province's total in whole yuan."""

from __future__ import annotations

from services.etc_billing.domain.money import rounded_yuan_fen
from services.etc_billing.domain.passages import Intervals, Passages
from services.etc_billing.domain.products.discounts import paid_by_etc
from services.etc_billing.domain.products.product import Amounts, Effect, Flags, Product, RatingRule
from services.etc_billing.domain.tariff import Tariff


def applies(passages: Passages) -> Flags:
    """Whatever has not the ETC price: CPC cards, no medium, and tags charged before discount."""
    return ~paid_by_etc(passages)


def effect(amounts: Amounts, _intervals: Intervals, _rule: RatingRule, _tariff: Tariff) -> Effect:
    """R6. The intervals keep their price: the split spreads the difference."""
    return Effect(Amounts(amounts.interval_fees_fen, rounded_yuan_fen(amounts.charges_fen)))


WHOLE_YUAN = Product("whole_yuan", applies, effect)
