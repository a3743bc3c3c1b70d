"""Cash and CPC in whole yuan."""

from __future__ import annotations

from services.etc_billing.domain.products.whole_yuan import WHOLE_YUAN
from services.etc_billing.domain.rating import rate, rules_of
from tests.etc_billing.passage_tables import Row, passages, rule, tariff


def test_whatever_has_no_etc_price_is_meant() -> None:
    rows = (Row(media=2), Row(media=9), Row(fee_class=2), Row())
    assert WHOLE_YUAN.applies(passages(*rows)).tolist() == [True, True, True, False]


def test_the_total_is_rounded_once_and_the_intervals_keep_their_price() -> None:
    found = rate(passages(Row((0, 1), media=2)), tariff(149, 149), rules_of([rule(2, "whole_yuan")]))
    assert (found.charge_fen.tolist(), found.interval_fee_fen.tolist()) == ([300], [149, 149])
