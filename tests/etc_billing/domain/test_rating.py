"""What passages cost: the measured exits, rejections, and what holds for every passage."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.etc_billing.domain.passages import NO_FEE_FEN
from services.etc_billing.domain.products.product import RatingRule
from services.etc_billing.domain.rating import TARIFF_CODE, Charges, Reason, rate, rules_of
from services.etc_billing.domain.split import allocated_fen
from services.etc_billing.domain.tariff import NO_PRICE_FEN, VEHICLE_TYPES
from tests.etc_billing.passage_tables import SECTIONS, USUAL, Row, ms, passages, rule, tariff

DIFFERENTIAL = rule(9, "differential", order=-1, percent=80, sections=(SECTIONS[1],))
CONTAINERS = rule(10, "containers", order=-1, percent=67)
PRICES = (10, 30, 110, 242, 2_675, 1_438, 997)
TARIFF = tariff(*PRICES, later=(12, 33, 120, 250, 2_700, 1_500, NO_PRICE_FEN), shift=7)
rows = st.builds(
    Row,
    intervals=st.lists(st.integers(-1, len(PRICES) - 1), max_size=12).map(tuple),
    leave=st.sampled_from(["2025-12-31T23:00", "2026-03-02T10:00", "2026-07-01T10:00", "2026-10-03T12:00"]),
    vehicle_type=st.sampled_from([*VEHICLE_TYPES, 1, 1, 9]),
    vehicle_class=st.sampled_from([0, 0, 21, 22, 23, 24, 28]),
    seats=st.sampled_from([0, 5, 7, 8]),
    media=st.sampled_from([1, 2, 9]),
    fee_class=st.sampled_from([1, 2, 3, 4, 5, 6, 11, 7]),
    passed=st.sampled_from(["2026-03-02T09:00", "2026-03-02T23:30"]),
)
rule_lists = st.sampled_from([(), USUAL, (*USUAL, DIFFERENTIAL), (*USUAL, DIFFERENTIAL, CONTAINERS)])


def charged(price_fen: int, row: Row, *rules: RatingRule) -> Charges:
    return rate(passages(row), tariff(price_fen), rules_of(rules or USUAL))


@pytest.mark.parametrize(("pay", "charge"), [(9_274, 8_810), (6_438, 6_080), (706, 665), (1_020, 950), (1_000, 950)])
def test_an_etc_car_pays_the_smaller_arm(pay: int, charge: int) -> None:
    assert charged(pay, Row()).charge_fen.tolist() == [charge]


def test_an_etc_truck_pays_its_percent() -> None:
    assert charged(25_544, Row(vehicle_type=13)).charge_fen.tolist() == [21_712]


@pytest.mark.parametrize(("pay", "charge"), [(1_297, 1_300), (1_409, 1_400), (197, 200), (4_509, 4_500), (150, 200)])
@pytest.mark.parametrize("media", [2, 9])
def test_cash_pays_whole_yuan(pay: int, charge: int, media: int) -> None:
    assert charged(pay, Row(media=media, fee_class=3)).charge_fen.tolist() == [charge]


def test_the_amount_before_discount_is_whole_yuan_without_discount() -> None:
    found = charged(1_297, Row(fee_class=2))
    assert (found.charge_fen.tolist(), found.interval_fee_fen.tolist()) == ([1_300], [1_297])


@pytest.mark.parametrize("fee_class", [1, 4, 5, 6, 11])
def test_every_other_fee_class_rates_the_intervals_it_came_with(fee_class: int) -> None:
    assert charged(1_000, Row(fee_class=fee_class)).charge_fen.tolist() == [950]


def test_intervals_are_rounded_one_by_one_and_the_charge_is_not_their_sum() -> None:
    found = rate(passages(Row((0, 1, 2, 3, 4))), tariff(*PRICES), rules_of(USUAL))
    assert found.interval_pay_fen.tolist() == [10, 30, 110, 242, 2_675]
    assert found.interval_fee_fen.tolist() == [10, 29, 105, 230, 2_541]
    assert (found.payable_fen.tolist(), found.charge_fen.tolist()) == ([3_067], [2_914])


def test_an_interval_passed_twice_is_paid_twice() -> None:
    assert rate(passages(Row((1, 1))), tariff(10, 30), rules_of(())).payable_fen.tolist() == [60]


def test_every_applied_rule_leaves_its_line() -> None:
    found = rate(passages(Row(), Row(vehicle_class=21), Row(media=2)), tariff(9_274), rules_of(USUAL))
    assert found.trace.lines_of(0) == [(TARIFF_CODE, 0, 9_274), (2, 9_274, 8_810)]
    assert found.trace.lines_of(1) == [(TARIFF_CODE, 0, 9_274), (2, 9_274, 8_810), (5, 8_810, 0)]
    assert found.trace.lines_of(2) == [(TARIFF_CODE, 0, 9_274), (4, 9_274, 9_300)]


def test_the_version_in_force_at_the_exit_is_charged() -> None:
    table = tariff(100, later=(200,), later_from="2026-06-01T00:00")
    before, after = Row(leave="2026-05-31T23:59"), Row(leave="2026-06-01T00:00")
    assert rate(passages(before, after), table, rules_of(())).charge_fen.tolist() == [100, 200]


def test_a_rule_is_in_force_from_its_start_until_before_its_end() -> None:
    spring = rule(2, "etc_passenger", percent=50, from_ms=ms("2026-03-01T00:00"), until_ms=ms("2026-04-01T00:00"))
    times = ("2026-02-28T23:59", "2026-03-01T00:00", "2026-03-31T23:59", "2026-04-01T00:00")
    found = rate(passages(*(Row(leave=time) for time in times)), tariff(100), rules_of([spring]))
    assert found.charge_fen.tolist() == [100, 50, 50, 100]


def test_the_order_of_rules_is_data() -> None:
    half = rule(9, "differential", percent=50)
    first = rate(passages(Row(media=2)), tariff(290), rules_of([*USUAL, half]))
    last = rate(passages(Row(media=2)), tariff(290), rules_of([*USUAL, rule(9, "differential", percent=50, order=1)]))
    assert (first.charge_fen.tolist(), last.charge_fen.tolist()) == ([100], [155])


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (Row(()), Reason.NO_INTERVALS),
        (Row(vehicle_type=9), Reason.UNKNOWN_VEHICLE_TYPE),
        (Row(fee_class=0), Reason.UNKNOWN_FEE_CLASS),
        (Row(leave="2025-12-31T23:59"), Reason.NO_TARIFF_IN_FORCE),
        (Row((0, -1)), Reason.UNKNOWN_INTERVAL),
        (Row((0, 1)), Reason.NO_PRICE),
    ],
)
def test_what_cannot_be_priced_is_rejected_and_its_neighbours_are_not(row: Row, reason: Reason) -> None:
    found = rate(passages(Row(), row, Row()), tariff(100, NO_PRICE_FEN), rules_of(USUAL))
    assert found.reasons.tolist() == [Reason.NONE, reason, Reason.NONE]
    assert found.charge_fen.tolist() == [95, NO_FEE_FEN, 95]
    assert found.payable_fen.tolist() == [100, NO_FEE_FEN, 100]
    assert set(found.interval_fee_fen[1:-1].tolist()) <= {NO_FEE_FEN}
    assert set(found.interval_pay_fen[1:-1].tolist()) <= {NO_FEE_FEN}
    assert found.trace.lines_of(1) == []


def test_no_passages_have_no_charges() -> None:
    found = rate(passages(), tariff(100), rules_of(USUAL))
    assert len(found.charge_fen) == len(found.trace.passage_rows) == 0


def test_a_code_names_one_rule() -> None:
    with pytest.raises(AssertionError, match="one rule"):
        rules_of([rule(2, "harvesters"), rule(2, "green_passage")])


@given(st.lists(rows, max_size=8), rule_lists)
def test_one_passage_at_a_time_costs_the_same(listed: list[Row], rules: tuple[RatingRule, ...]) -> None:
    together = rate(passages(*listed), TARIFF, rules_of(rules))
    starts = passages(*listed).intervals.starts
    for n, row in enumerate(listed):
        alone = rate(passages(row), TARIFF, rules_of(rules))
        assert alone.charge_fen[0] == together.charge_fen[n]
        assert alone.payable_fen[0] == together.payable_fen[n]
        assert alone.reasons[0] == together.reasons[n]
        assert np.array_equal(alone.interval_fee_fen, together.interval_fee_fen[starts[n] : starts[n + 1]])
        assert np.array_equal(alone.interval_pay_fen, together.interval_pay_fen[starts[n] : starts[n + 1]])
        assert alone.trace.lines_of(0) == together.trace.lines_of(n)


@given(st.lists(rows, max_size=8), rule_lists)
def test_fees_are_prices_less_a_discount_and_the_trace_leads_to_the_charge(
    listed: list[Row], rules: tuple[RatingRule, ...]
) -> None:
    found = rate(passages(*listed), TARIFF, rules_of(rules))
    assert np.all(found.interval_pay_fen - found.interval_fee_fen >= 0)
    for n in range(len(listed)):
        lines = found.trace.lines_of(n)
        if found.reasons[n]:
            assert (lines, found.charge_fen[n]) == ([], NO_FEE_FEN)
            continue
        assert lines[0][1:] == (0, found.payable_fen[n])
        assert lines[-1][2] == found.charge_fen[n]
        assert all(before[2] == after[1] for before, after in pairwise(lines))


@given(st.lists(st.integers(0, len(PRICES) - 2), min_size=1, max_size=30), st.sampled_from([1, 2, 3, 4]), rule_lists)
def test_an_etc_passenger_never_pays_more_than_95_percent_of_cash(
    intervals: list[int], vehicle_type: int, rules: tuple[RatingRule, ...]
) -> None:
    both = (Row(tuple(intervals), vehicle_type=vehicle_type, media=media) for media in (1, 2))
    etc, cash = rate(passages(*both), TARIFF, rules_of(rules or USUAL)).charge_fen.tolist()
    assert etc * 100 <= cash * 95


@settings(deadline=None)  # the split is compiled at its first call
@given(st.lists(rows, max_size=8), rule_lists)
def test_what_is_due_splits_exactly_over_the_fees_of_intervals(
    listed: list[Row], rules: tuple[RatingRule, ...]
) -> None:
    of = passages(*listed)
    charged_rows = np.flatnonzero(rate(of, TARIFF, rules_of(rules)).reasons == Reason.NONE)
    kept = of.take(charged_rows)
    found, starts = rate(kept, TARIFF, rules_of(rules)), kept.intervals.starts
    shares = allocated_fen(found.charge_fen, found.interval_fee_fen, starts, kept.intervals.numbers)
    assert [shares[a:b].sum() for a, b in pairwise(starts)] == found.charge_fen.tolist()
