"""overspeed: limits, episodes, levels, evidence."""

from __future__ import annotations

import pytest

from services.vehicle_tracking.domain.alarms.overspeed import OVERSPEED
from services.vehicle_tracking.domain.fences import AlarmLevel
from services.vehicle_tracking.domain.vehicles import VehicleKind
from tests.vehicle_tracking.engine_tables import Run, limits

DAY_S = 24 * 3600


def test_it_is_raised_after_thirty_seconds_and_cleared_at_the_last_fix_over_the_limit() -> None:
    run = Run(OVERSPEED)
    run.each("""
        second  kmh
        0       121
        29      125
        30      122
        60      90
        91      90
    """)
    assert [alarm.clear_time_ms is None for alarm in run.told] == [True, False]
    assert run.spans() == [(0, 30)]


def test_shorter_than_thirty_seconds_is_nothing() -> None:
    run = Run(OVERSPEED)
    run.fixes("second kmh\n0 130\n29.9 130\n100 50")
    assert run.told == []


def test_the_limit_itself_is_not_over_it() -> None:
    run = Run(OVERSPEED)
    run.fixes("second kmh\n0 120\n40 120\n200 120")
    assert run.told == []


def test_fixes_sixty_seconds_apart_are_one_episode_whatever_lies_between() -> None:
    run = Run(OVERSPEED)
    run.fixes("second kmh\n0 130\n30 50\n60 130\n120 130\n180 50")
    assert run.spans() == [(0, None)]
    run.fixes("second kmh\n180.1 50")
    assert run.spans() == [(0, 120)]


def test_fixes_more_than_sixty_seconds_apart_are_two_episodes() -> None:
    run = Run(OVERSPEED)
    run.fixes("second kmh\n0 130\n30 130\n90.1 130\n120.1 130")
    assert run.spans() == [(0, 30), (90.1, None)]


def test_an_alarm_tells_the_worst_ratio_its_limit_and_the_first_and_worst_fix() -> None:
    run = Run(OVERSPEED, fences=limits((7, 111, 27, 112, 29, 60)))
    run.fixes("""
        second  lon     kmh
        0       113     130
        30      111.5   70
        60      113     135
        130     113     0
    """)
    alarm = run.only()
    assert (alarm.measured_value, alarm.limit_value, alarm.fence_id) == (70, 60, 0)
    assert [e.speed_01kmh for e in alarm.evidence] == [1300, 700]


LEVELS = """
    kmh     level
    109.9   LOW
    110     MEDIUM
    119.9   MEDIUM
    120     HIGH
"""


@pytest.mark.parametrize("line", LEVELS.strip().splitlines()[1:])
def test_the_level_follows_the_excess(line: str) -> None:
    kmh, level = line.split()
    run = Run(OVERSPEED, speed_kmh_max=100)
    run.fixes(f"second kmh\n0 {kmh}\n30 {kmh}")
    assert run.only().level == AlarmLevel[level]


def test_an_alarm_that_grows_graver_is_told_again_under_the_same_id() -> None:
    run = Run(OVERSPEED)
    run.fixes("second kmh\n0 125\n30 125\n40 126\n60 150\n120.1 50")
    assert [(a.level, a.clear_time_ms is None) for a in run.told] == [(1, True), (3, True), (3, False)]
    assert len(run.alarms) == 1


LIMITS = """
    kind        second  limit
    COACH       0       100
    COACH       35999   100
    COACH       36000   80
    TOUR_COACH  36000   80
    CHARTER     61199   80
    CHARTER     61200   100
    HAZMAT      36000   80
    BUS         36000   60
    TAXI        0       120
    FREIGHT     0       100
    OTHER       0       120
"""  # 36000 is 22:00, 61200 is 05:00


@pytest.mark.parametrize("line", LIMITS.strip().splitlines()[1:])
def test_the_limit_follows_kind_and_hour(line: str) -> None:
    kind, second, limit = line.split()
    for kmh, count in ((int(limit), 0), (int(limit) + 1, 1)):
        run = Run(OVERSPEED, kind=VehicleKind[kind], overspeed_duration_s=0)
        run.fixes(f"second kmh\n{second} {kmh}")
        assert len(run.told) == count


def test_the_vehicles_own_limit_stands_in_place_of_its_kinds() -> None:
    run = Run(OVERSPEED, kind=VehicleKind.BUS, speed_kmh_max=90)
    run.fixes("second kmh\n0 80\n30 80\n60 91\n90 91")
    assert run.spans() == [(60, None)]


def test_the_lowest_limit_of_the_fences_around_a_fix_counts_and_names_its_fence() -> None:
    run = Run(OVERSPEED, fences=limits((9, 111, 27, 113, 29, 40), (7, 111, 27, 113, 29, 40), (8, 111, 27, 113, 29, 0)))
    run.fixes("second kmh\n0 41\n30 45")
    assert (run.only().fence_id, run.only().limit_value) == (7, 40)


def test_an_alarm_is_late_by_the_fix_that_raised_it() -> None:
    run = Run(OVERSPEED)
    run.fixes("second kmh source\n0 130 2\n30 130 1\n31 130 2")
    assert not run.only().late
    run = Run(OVERSPEED)
    run.fixes("second kmh\n0 130\n30 130", received_after_s=300.001)
    assert run.only().late


def test_more_episodes_than_there_is_room_for_are_all_found() -> None:
    run = Run(OVERSPEED)
    lines = [f"{vehicle} {second} 150" for second in (0, 30, 200, 230, 400) for vehicle in range(1, 500)]
    run.fixes("vehicle second kmh\n" + "\n".join(lines))
    assert len(run.alarms) == 998
    assert len([a for a in run.alarms.values() if a.clear_time_ms is not None]) == 998
