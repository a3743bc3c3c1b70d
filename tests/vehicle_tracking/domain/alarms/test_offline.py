"""offline: silence by receiving time, judged by ticks and by the next batch alike."""

from __future__ import annotations

import pytest

from services.vehicle_tracking.domain.alarms.offline import OFFLINE
from services.vehicle_tracking.domain.fences import AlarmLevel
from tests.vehicle_tracking.engine_tables import Run

DAY_S = 24 * 3600


def test_a_moving_vehicle_is_offline_after_five_minutes_until_it_is_heard_again() -> None:
    run = Run(OFFLINE)
    run.fixes("second kmh received\n0 40 1")
    run.tick(300.999)
    assert run.told == []
    run.tick(301)
    assert run.spans() == [(301, None)]
    run.tick(400)
    run.fixes("second kmh received\n500 0 501")
    assert run.spans() == [(301, 501)]
    assert len(run.told) == 2


def test_a_standing_vehicle_has_a_day() -> None:
    run = Run(OFFLINE)
    run.fixes("second kmh received\n0 5 1")
    run.tick(DAY_S)
    assert run.told == []
    run.tick(DAY_S + 1)
    assert run.spans() == [(DAY_S + 1, None)]


def test_without_a_tick_the_next_batch_tells_both_ends() -> None:
    run = Run(OFFLINE)
    run.fixes("second kmh received\n0 40 1")
    run.fixes("second kmh received\n500 40 501")
    assert run.spans() == [(301, 501)]
    assert [alarm.clear_time_ms is None for alarm in run.told] == [True, False]


def test_the_alarm_is_low_and_shows_where_the_vehicle_was_last() -> None:
    run = Run(OFFLINE)
    run.fixes("second kmh lon\n0 40 112\n10 50 112.5")
    run.tick(400)
    (evidence,) = run.only().evidence
    assert (run.only().level, evidence.longitude_e7, evidence.speed_01kmh) == (AlarmLevel.LOW, 1_125_000_000, 500)


def test_a_fix_without_a_place_is_a_sign_of_life_but_does_not_stop_the_vehicle() -> None:
    run = Run(OFFLINE)
    run.fixes("second kmh received\n0 40 1")
    run.fixes("second kmh status received\n200 0 0 201")
    run.tick(500)
    assert run.told == []
    run.tick(501)
    assert run.spans() == [(501, None)]


@pytest.mark.parametrize("again", ["0 40 200", "-10 40 200", "1000 40 200"], ids=["repeated", "older", "future"])
def test_what_takes_no_part_is_a_sign_of_life_but_does_not_move_the_vehicle(again: str) -> None:
    run = Run(OFFLINE)
    run.fixes("second kmh received\n0 40 1")
    run.fixes(f"second kmh received\n{again.replace('40', '0')}")
    run.tick(499)
    assert run.told == []
    run.tick(500)
    assert run.spans() == [(500, None)]
    run.fixes(f"second kmh received\n{again[:-3]} 600")
    assert run.spans() == [(500, 600)]


def test_without_a_tick_a_repeated_fix_tells_both_ends() -> None:
    run = Run(OFFLINE)
    run.fixes("second kmh lon received\n0 40 112 1")
    run.fixes("second kmh lon received\n0 40 112 501")
    assert run.spans() == [(301, 501)]
    assert [len(alarm.evidence) for alarm in run.told] == [1, 1]


def test_a_vehicle_whose_clock_is_wrong_is_standing_as_far_as_is_known() -> None:
    run = Run(OFFLINE)
    run.fixes("second kmh received\n1000 40 1")
    run.tick(DAY_S)
    assert run.told == []
    run.fixes(f"second kmh received\n{3 * DAY_S} 40 {DAY_S + 1}")
    assert run.spans() == [(DAY_S + 1, DAY_S + 1)]


def test_a_repeated_fix_beside_a_new_one_changes_nothing() -> None:
    run = Run(OFFLINE)
    run.fixes("second kmh received\n0 40 1")
    run.fixes("second kmh received\n0 40 501\n500 0 501\n0 40 501")
    assert run.spans() == [(301, 501)]
    assert len(run.told) == 2


def test_old_fixes_received_now_keep_a_vehicle_online() -> None:
    run = Run(OFFLINE)
    run.fixes("second kmh received\n0 40 10000")
    run.tick(10_299)
    assert run.told == []


def test_a_vehicle_never_heard_of_is_not_offline() -> None:
    run = Run(OFFLINE)
    run.fixes("vehicle second kmh\n7 0 40")
    run.tick(10 * DAY_S)
    assert [alarm.vehicle_id for alarm in run.told] == [7]


def test_a_vehicle_that_is_deleted_from_the_register_is_not_called_silent() -> None:
    run = Run(OFFLINE)
    run.fixes("vehicle second kmh received\n3 0 40 1\n7 0 40 1")
    run.known.vehicles.change([], [3])
    run.tick(400)
    assert [alarm.vehicle_id for alarm in run.told] == [7]


def test_what_was_received_just_before_a_tick_but_read_after_it_ends_the_alarm_where_it_began() -> None:
    run = Run(OFFLINE)
    run.fixes("second kmh received\n0 40 1")
    run.tick(302)
    run.fixes("second kmh received\n290 40 291")
    assert run.spans() == [(301, 301)]
