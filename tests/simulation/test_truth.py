"""The truth of each rule on a few hand-made reports: one row a fix, the expected alarms last."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from google.protobuf.duration_pb2 import Duration
from xiangtong.tracking.v1 import fences_pb2

from simulation.fleet import Reports
from simulation.province import Kind
from simulation.truth import HIGH, LOW, MEDIUM, Subject, TrueAlarm, true_alarms
from simulation.truth_fences import Area, Tracks, fence_events

DAY_MS = 1_764_028_800_000  # 2025-11-25 08:00 in Shanghai
LON, LAT = 112.9388, 28.2282
DEGREE_M = 111_195.0
CROSSERS = [fences_pb2.FENCE_TRIGGER_ENTER, fences_pb2.FENCE_TRIGGER_EXIT, fences_pb2.FENCE_TRIGGER_CROSS]


def reports(*fixes: dict[str, Any]) -> Reports:
    """Each fix: `s` seconds after DAY_MS, `kmh`, `north_m` of the town's centre, and whatever else differs."""
    names = ("vehicles", "speeds_01kmh", "alarm_words", "status_words", "blind")
    columns: dict[str, Any] = {
        "vehicles": [fix.get("vehicle", 0) for fix in fixes],
        "speeds_01kmh": [round(fix.get("kmh", 30) * 10) for fix in fixes],
        "alarm_words": [fix.get("alarm", 0) for fix in fixes],
        "status_words": [fix.get("status", 3) for fix in fixes],
        "blind": [fix.get("blind", False) for fix in fixes],
    }
    vehicles, speeds, alarms, status, blind = (np.array(columns[name]) for name in names)
    times = np.array([DAY_MS + round(fix["s"] * 1000) for fix in fixes], np.int64)
    lats = np.array([round((LAT + fix.get("north_m", 0) / DEGREE_M) * 1e7) for fix in fixes])
    lons = np.array([round((LON + fix.get("east_m", 0) / (DEGREE_M * np.cos(np.radians(LAT)))) * 1e7) for fix in fixes])
    zeros = np.zeros(len(fixes), np.int32)
    return Reports(vehicles, times, lons, lats, speeds, zeros, zeros, alarms, status, zeros - 1, blind)


def truth(
    fixes: list[dict[str, Any]], *fences: fences_pb2.Fence, kind: Kind = Kind.COACH, end_s: float | None = None
) -> list[TrueAlarm]:
    made = reports(*fixes)
    received = np.array([DAY_MS + round(fix.get("received_s", fix["s"]) * 1000) for fix in fixes], np.int64)
    end_ms = int(received.max()) if end_s is None else DAY_MS + round(end_s * 1000)
    subjects = [Subject(100 + n, kind) for n in range(2)]
    return sorted(true_alarms(made, received, subjects, fences, end_ms=end_ms), key=lambda alarm: alarm.key)


def told(alarms: list[TrueAlarm]) -> list[tuple[str, float, float | None]]:
    return [
        (a.rule, (a.raise_time_ms - DAY_MS) / 1000, a.clear_time_ms and (a.clear_time_ms - DAY_MS) / 1000)
        for a in alarms
    ]


def circle(radius_m: int = 500, **attributes: Any) -> fences_pb2.Fence:
    fence = fences_pb2.Fence(fence_id=7, name="城区", triggers=CROSSERS, enabled=True, **attributes)
    fence.circle.longitude_e7, fence.circle.latitude_e7 = round(LON * 1e7), round(LAT * 1e7)
    fence.circle.radius_m = radius_m
    return fence


def along(*places_m: float, every_s: float = 10) -> list[dict[str, Any]]:
    return [{"s": n * every_s, "north_m": place} for n, place in enumerate(places_m)]


def test_overspeed_is_one_episode_over_gaps_of_a_minute_and_needs_thirty_seconds() -> None:
    fixes = [{"s": s, "kmh": kmh} for s, kmh in ((0, 120), (20, 90), (60, 130), (80, 90), (200, 90))]
    [alarm] = truth(fixes)
    assert told([alarm]) == [("overspeed", 0, 60)] and alarm.level == HIGH
    assert truth([{"s": 0, "kmh": 120}, {"s": 20, "kmh": 120}, {"s": 100, "kmh": 60}]) == []


def test_coaches_are_limited_to_80_at_night_and_hazmat_is_not_slowed_further() -> None:
    night_s = 15 * 3600  # 23:00
    fixes = [{"s": night_s + s, "kmh": 85} for s in (0, 30, 100, 200)]
    assert [alarm.rule for alarm in truth(fixes)] == ["overspeed"]
    assert truth([{"s": night_s + s, "kmh": 79} for s in (0, 30, 100)], kind=Kind.HAZMAT) == []


def test_the_limit_of_a_fence_holds_only_inside_it() -> None:
    fence = circle(speed_kmh_max=40)
    del fence.triggers[:]
    fixes = [{"s": s, "kmh": 50, "north_m": north} for s, north in ((0, 0), (40, 100), (80, 5000), (200, 6000))]
    assert told(truth(fixes, fence)) == [("overspeed", 0, 40)]


def test_offline_by_received_time_after_five_minutes_where_it_moved_and_a_day_where_it_stood() -> None:
    moving: list[dict[str, Any]] = [{"s": 0, "kmh": 30}, {"s": 10, "kmh": 30}]
    assert told(truth(moving, end_s=309)) == []
    assert told(truth(moving, end_s=310)) == [("offline", 310, None)]
    assert told(truth([*moving, {"s": 700, "kmh": 0}])) == [("offline", 310, 700)]
    assert told(truth([{"s": 0, "kmh": 0}], end_s=86_399)) == []


def test_displacement_needs_half_an_hour_twenty_km_and_a_believable_speed() -> None:
    def jump(km: float, minutes: float) -> list[str]:
        fixes: list[dict[str, Any]] = [{"s": 0, "kmh": 0}, {"s": minutes * 60, "kmh": 0, "north_m": km * 1000}]
        return [alarm.rule for alarm in truth(fixes)]

    assert jump(25, 30) == ["offline_displacement"]
    assert jump(25, 29) == [] and jump(19, 30) == [] and jump(60, 30) == []


def test_each_alarm_bit_is_an_alarm_until_a_fix_without_it() -> None:
    alarms = truth([{"s": 0, "alarm": 0b101}, {"s": 10, "alarm": 0b100}, {"s": 20, "alarm": 0}])
    assert [(a.subject, a.level, a.clear_time_ms) for a in alarms] == [
        (0, HIGH, DAY_MS + 10_000),
        (2, HIGH, DAY_MS + 20_000),
    ]
    [open_one] = truth([{"s": 0, "alarm": 1 << 4}])
    assert (open_one.level, open_one.clear_time_ms) == (LOW, None)


def test_equal_and_earlier_fixes_take_no_part_and_neither_do_those_from_the_future() -> None:
    fixes = [{"s": 10, "alarm": 1}, {"s": 10, "alarm": 0, "received_s": 11}, {"s": 5, "alarm": 0, "received_s": 12}]
    [alarm] = truth(fixes)
    assert alarm.clear_time_ms is None
    assert truth([{"s": 61, "alarm": 1, "received_s": 0}]) == []
    assert len(truth([{"s": 60, "alarm": 1, "received_s": 0}])) == 1


def test_an_alarm_of_stored_or_old_fixes_is_late() -> None:
    assert [a.late for a in truth([{"s": 0, "alarm": 1, "blind": True}])] == [True]
    assert [a.late for a in truth([{"s": 0, "alarm": 1, "received_s": 301}])] == [True]
    assert [a.late for a in truth([{"s": 0, "alarm": 1, "received_s": 300}])] == [False]


def test_enter_holds_until_the_exit_and_exit_until_the_next_enter() -> None:
    assert told(truth(along(900, 400, 100, 700, 800, 300), circle())) == [
        ("fence_enter", 10, 30),
        ("fence_enter", 50, None),
        ("fence_exit", 30, 50),
    ]


def test_hysteresis_keeps_a_vehicle_inside_and_dwell_takes_the_first_fix_of_the_other_side() -> None:
    assert told(truth(along(400, 550, 599, 650), circle(hysteresis_m=100))) == [
        ("fence_enter", 0, 30),
        ("fence_exit", 30, None),
    ]
    dwelling = circle(dwell=Duration(seconds=20))
    assert told(truth(along(900, 400, 400, 400), dwelling)) == [("fence_enter", 10, None)]
    assert told(truth(along(900, 400, 400, 900), dwelling)) == []


def test_a_straight_line_through_the_fence_between_two_fixes_outside_crosses_it() -> None:
    assert told(truth(along(-900, 900), circle())) == [("fence_cross", 10, 10)]
    assert truth(along(-900, 900, every_s=121), circle()) == []


def test_a_window_that_closes_ends_the_stay_without_an_exit() -> None:
    fence = circle(time_windows=[fences_pb2.TimeWindow(start_minute=0, end_minute=8 * 60 + 1)])
    assert told(truth(along(100, 100, every_s=60), fence)) == [("fence_enter", 0, 60)]


def test_a_window_over_midnight_belongs_to_the_day_it_starts_on() -> None:
    tuesday_night = fences_pb2.TimeWindow(weekdays=[2], start_minute=22 * 60, end_minute=2 * 60)
    fence = circle(time_windows=[tuesday_night])
    inside = reports(*({"s": hours * 3600} for hours in (13, 14, 17.9, 18)))  # Tue 21:00, 22:00; Wed 01:54, 02:00
    events = list(fence_events(Tracks(inside, np.full(4, 1)), fence))
    assert [(event.raise_time_ms - DAY_MS) / 3_600_000 for event in events] == [14]


def test_a_fence_of_other_kinds_or_switched_off_does_nothing() -> None:
    assert truth(along(900, 100), circle(vehicle_kinds=[4])) == []
    switched_off = circle()
    switched_off.enabled = False
    assert truth(along(900, 100), switched_off) == []


@pytest.mark.parametrize(("east_m", "inside"), [(0, False), (150, True), (250, False)])
def test_a_polygon_is_even_odd_over_its_rings(east_m: float, inside: bool) -> None:
    fence = fences_pb2.Fence(enabled=True)
    for half_m in (200, 100):
        corners = [(-half_m, -half_m), (half_m, -half_m), (half_m, half_m), (-half_m, half_m)]
        ring = fence.polygon.rings.add()
        ring.longitudes_e7.extend(round((LON + x / (DEGREE_M * np.cos(np.radians(LAT)))) * 1e7) for x, _ in corners)
        ring.latitudes_e7.extend(round((LAT + y / DEGREE_M) * 1e7) for _, y in corners)
    made = reports({"s": 0, "east_m": east_m})
    points = np.stack([made.longitudes_e7, made.latitudes_e7], axis=1) / 1e7
    assert Area(fence).inside(points).tolist() == [inside]


def test_a_corridor_reaches_half_its_width_to_each_side() -> None:
    fence = fences_pb2.Fence(enabled=True)
    fence.corridor.longitudes_e7.extend([round(LON * 1e7), round((LON + 0.1) * 1e7)])
    fence.corridor.latitudes_e7.extend([round(LAT * 1e7)] * 2)
    fence.corridor.width_m = 200
    made = reports({"s": 0, "east_m": 3000, "north_m": 99}, {"s": 1, "east_m": 3000, "north_m": 101})
    points = np.stack([made.longitudes_e7, made.latitudes_e7], axis=1) / 1e7
    assert Area(fence).inside(points).tolist() == [True, False]


def test_the_level_of_a_fence_alarm_is_that_of_the_fence() -> None:
    assert [a.level for a in truth(along(900, 100), circle())] == [MEDIUM]
    assert [a.level for a in truth(along(900, 100), circle(level=fences_pb2.ALARM_LEVEL_HIGH))] == [HIGH]
