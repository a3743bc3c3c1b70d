"""Which passages and intervals a rule is about."""

from __future__ import annotations

import numpy as np
import pytest

from services.etc_billing.domain.products.conditions import intervals_under, passages_under, sums_of
from tests.etc_billing.passage_tables import SECTIONS, STATIONS, Row, ms, passages, rule, tariff

TARIFF = tariff(1, 1, 1, 1)  # intervals 0 and 2 in the first section; 3 leads down


def under(*listed: Row, **values: object) -> list[bool]:
    found: list[bool] = passages_under(rule(2, "differential", **values), passages(*listed), TARIFF).tolist()
    return found


def intervals(*listed: Row, **values: object) -> list[bool]:
    rows = passages(*listed).intervals
    found: list[bool] = intervals_under(rule(2, "differential", **values), rows, TARIFF).tolist()
    return found


def test_a_rule_without_conditions_is_about_everything() -> None:
    assert under(Row(), Row(media=9)) == [True, True]
    assert intervals(Row((0, 3))) == [True, True]


@pytest.mark.parametrize(("seats", "meets"), [(1, True), (7, True), (8, False), (0, False)])
def test_seats_are_at_most_so_many_and_unknown_ones_do_not_meet(seats: int, meets: bool) -> None:
    assert under(Row(seats=seats), seat_count_max=7) == [meets]


def test_lists_are_of_what_meets() -> None:
    assert under(Row(vehicle_type=1), Row(vehicle_type=13), vehicle_types=(13, 14)) == [False, True]
    assert under(Row(fee_class=6), Row(), fee_classes=(1,), media_types=(1,)) == [False, True]


@pytest.mark.parametrize(
    ("leave", "meets"),
    [("2026-09-30T23:59", False), ("2026-10-01T00:00", True), ("2026-10-07T23:59", True), ("2026-10-08T00:00", False)],
)
def test_a_window_is_of_the_exit_time(leave: str, meets: bool) -> None:
    windows = ((ms("2026-04-04T00:00"), ms("2026-04-07T00:00")), (ms("2026-10-01T00:00"), ms("2026-10-08T00:00")))
    assert under(Row(leave=leave), windows_ms=windows) == [meets]


def test_a_pair_of_stations_has_a_direction() -> None:
    there, back, unknown = Row(stations=(0, 3)), Row(stations=(3, 0)), Row(stations=(-1, 3))
    assert under(there, back, unknown, station_pairs=((STATIONS[0], STATIONS[3]),)) == [True, False, False]


def test_a_pair_with_a_station_outside_of_the_network_meets_nothing() -> None:
    assert under(Row(stations=(-1, 3)), station_pairs=(("G0099430019001", STATIONS[3]),)) == [False]


def test_intervals_meet_by_section_and_direction() -> None:
    assert intervals(Row((0, 1, 2, 3)), sections=(SECTIONS[1],)) == [False, True, False, True]
    assert intervals(Row((0, 1, 2, 3)), direction=1) == [True, True, True, False]
    assert intervals(Row((0, 1, 2, 3)), direction=2, sections=(SECTIONS[1],)) == [False, False, False, True]


@pytest.mark.parametrize(
    ("passed", "meets"), [("21:59", False), ("22:00", True), ("23:59", True), ("00:00", True), ("06:00", False)]
)
def test_a_period_goes_over_midnight_in_shanghai(passed: str, meets: bool) -> None:
    assert intervals(Row(passed=f"2026-03-02T{passed}"), day_minutes=((22 * 60, 6 * 60),)) == [meets]


def test_periods_within_the_day_end_before_their_end() -> None:
    periods = ((6 * 60, 7 * 60), (12 * 60, 13 * 60))
    times = ("05:59", "06:00", "07:00", "12:30")
    assert [intervals(Row(passed=f"2026-03-02T{at}"), day_minutes=periods)[0] for at in times] == [0, 1, 0, 1]


def test_sums_are_of_each_passage_and_0_for_empty_ones() -> None:
    assert sums_of(np.array([1, 2, 3]), np.array([0, 0, 2, 2, 3])).tolist() == [0, 3, 0, 3]
    assert sums_of(np.array([], np.int64), np.array([0])).tolist() == []
