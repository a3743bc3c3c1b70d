"""Rating: what passages cost under a tariff and its rules, every applied rule with the amount before and after.

Whatever the fee class, the intervals that a passage came with are priced: what a tag or card accumulated (1, 2, 3),
what an online fee service found (4, 5), the way of the minimum fee (6), or the one point of an open road (11). Class 2
is the amount before discount, so it has no ETC price.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from services.etc_billing.domain.passages import NO_FEE_FEN, Bytes, Int32s, Int64s, Passages
from services.etc_billing.domain.products.conditions import among, passages_under, sums_of
from services.etc_billing.domain.products.product import Amounts, Flags, Product, RatingRule
from services.etc_billing.domain.products.products import PRODUCTS
from services.etc_billing.domain.tariff import NO_PRICE_FEN, NO_SLOT, TYPE_SLOTS, Tariff

TARIFF_CODE = 1  # in a trace: the price of all intervals by the tariff (R1, R3)
RULE_CODE_MIN = 2
FEE_CLASSES = (1, 2, 3, 4, 5, 6, 11)
_BY_NAME = {product.name: product for product in PRODUCTS}
_PLACES = {product.name: place for place, product in enumerate(PRODUCTS)}


class Reason(IntEnum):
    """Why a passage has no charge; the list is closed. Of several the first one is given."""

    NONE = 0
    NO_INTERVALS = 1
    UNKNOWN_VEHICLE_TYPE = 2
    UNKNOWN_FEE_CLASS = 3
    NO_TARIFF_IN_FORCE = 4
    UNKNOWN_INTERVAL = 5
    NO_PRICE = 6


@dataclass(frozen=True, slots=True)
class RatingRules:
    """Rules in the order of application: by their `order`, then as PRODUCTS and they are listed. See rules_of."""

    rules: tuple[RatingRule, ...] = ()


@dataclass(frozen=True, slots=True)
class Trace:
    """One line for every rule applied to a passage, (t,) each: by passage, and within one in order of application."""

    passage_rows: Int64s
    rule_codes: Int32s
    before_fen: Int64s
    after_fen: Int64s

    def lines_of(self, row: int) -> list[tuple[int, int, int]]:
        """(rule code, before, after) of one passage, in order."""
        first, last = np.searchsorted(self.passage_rows, [row, row + 1])
        columns = (column[first:last].tolist() for column in (self.rule_codes, self.before_fen, self.after_fen))
        return list(zip(*columns, strict=True))


@dataclass(frozen=True, slots=True)
class Charges:
    """What n passages with m intervals cost; of those with a reason every amount is NO_FEE_FEN.

    `payable_fen` (n,): the tariff's price; `charge_fen` (n,): what is due. `interval_pay_fen`, `interval_fee_fen` (m,):
    the price of each interval and what the interval's own discounts leave of it; their sum is near the charge, and the
    split makes it equal. `reasons` (n,): Reason.
    """

    payable_fen: Int64s
    charge_fen: Int64s
    interval_pay_fen: Int64s
    interval_fee_fen: Int64s
    reasons: Bytes
    trace: Trace


def rules_of(rules: Sequence[RatingRule]) -> RatingRules:
    """The rules, in the order of application."""
    codes = [rule.code for rule in rules]
    assert len(set(codes)) == len(codes), "a code names one rule"
    assert min(codes, default=RULE_CODE_MIN) >= RULE_CODE_MIN
    return RatingRules(tuple(sorted(rules, key=lambda rule: (rule.order, _PLACES[rule.product]))))


def rate(passages: Passages, tariff: Tariff, rules: RatingRules) -> Charges:
    """The charges of passages. Pure: equal input gives equal output, and one passage at a time gives the same."""
    starts = passages.intervals.starts
    versions = tariff.version_rows(passages.exit_times_ms)
    prices = tariff.prices_of(versions, passages.vehicle_types, starts, passages.intervals.numbers)
    reasons = _reasons(passages, versions, prices)
    accepted = reasons == Reason.NONE
    rejected_places = _places_of(~accepted, starts)
    prices[rejected_places] = 0
    payable = sums_of(prices, starts)
    lines = [_Lines(np.flatnonzero(accepted), TARIFF_CODE, np.zeros_like(payable)[accepted], payable[accepted])]
    amounts = Amounts(prices.copy(), payable.copy())
    for rule in rules.rules:  # a few dozen; each is one pass over the passages it is about
        lines += _applied(rule, passages, tariff, accepted, amounts)
    assert np.all(amounts.charges_fen >= 0)
    assert np.all((amounts.interval_fees_fen >= 0) & (amounts.interval_fees_fen <= prices)), (
        "a discount is never negative"
    )
    for column in (prices, amounts.interval_fees_fen):
        column[rejected_places] = NO_FEE_FEN
    for column in (payable, amounts.charges_fen):
        column[~accepted] = NO_FEE_FEN
    return Charges(payable, amounts.charges_fen, prices, amounts.interval_fees_fen, reasons, _trace(lines))


@dataclass(frozen=True, slots=True)
class _Lines:
    """Trace lines of one rule: passages in rising order, and their charges before and after."""

    rows: Int64s
    code: int
    before_fen: Int64s
    after_fen: Int64s


def _applied(rule: RatingRule, passages: Passages, tariff: Tariff, accepted: Flags, amounts: Amounts) -> list[_Lines]:
    """The lines of one rule, none when nothing applied. `amounts` change in place, for they are the rating's own."""
    product: Product = _BY_NAME[rule.product]
    under = accepted & product.applies(passages) & passages_under(rule, passages, tariff)
    if not under.any():
        return []
    rows, places = np.flatnonzero(under), _places_of(under, passages.intervals.starts)
    before = Amounts(amounts.interval_fees_fen[places], amounts.charges_fen[rows])
    effect = product.effect(before, passages.intervals.take(rows), rule, tariff)
    amounts.interval_fees_fen[places] = effect.amounts.interval_fees_fen
    amounts.charges_fen[rows] = effect.amounts.charges_fen
    kept: Flags | slice = slice(None) if effect.applied is None else effect.applied
    return [_Lines(rows[kept], rule.code, before.charges_fen[kept], effect.amounts.charges_fen[kept])]


def _places_of(under: Flags, starts: Int64s) -> Int64s:
    """Where the intervals of some passages stand, rising."""
    return np.flatnonzero(np.repeat(under, np.diff(starts)))


def _reasons(passages: Passages, versions: Int64s, prices: Int64s) -> Bytes:
    starts, numbers = passages.intervals.starts, passages.intervals.numbers
    reasons = np.zeros(len(passages), np.uint8)
    wrong = {  # the last one to be written is the one that is given
        Reason.NO_PRICE: sums_of(prices == NO_PRICE_FEN, starts) > 0,
        Reason.UNKNOWN_INTERVAL: sums_of(numbers < 0, starts) > 0,
        Reason.NO_TARIFF_IN_FORCE: versions < 0,
        Reason.UNKNOWN_FEE_CLASS: ~among(passages.fee_classes, FEE_CLASSES),
        Reason.UNKNOWN_VEHICLE_TYPE: TYPE_SLOTS[passages.vehicle_types] == NO_SLOT,
        Reason.NO_INTERVALS: np.diff(starts) == 0,
    }
    for reason, flags in wrong.items():
        reasons[flags] = reason
    return reasons


def _trace(lines: Sequence[_Lines]) -> Trace:
    rows = np.concatenate([some.rows for some in lines])
    order = np.argsort(rows, kind="stable")
    codes = np.repeat(np.array([some.code for some in lines], np.int32), [len(some.rows) for some in lines])
    before_fen = np.concatenate([some.before_fen for some in lines])
    after_fen = np.concatenate([some.after_fen for some in lines])
    return Trace(rows[order], codes[order], before_fen[order], after_fen[order])
