"""When and to whom a fence applies."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.vehicle_tracking.domain.fence_set import fence_set
from services.vehicle_tracking.domain.fence_windows import window_rows
from services.vehicle_tracking.domain.fences import Fence, TimeWindow
from services.vehicle_tracking.domain.vehicles import VehicleKind
from tests.vehicle_tracking.domain.fence_oracle import SHANGHAI, Fix, applies
from tests.vehicle_tracking.domain.fence_worlds import square

TUESDAY = datetime(2026, 1, 6, tzinfo=SHANGHAI)
minutes = st.integers(0, 1439)
windows = st.builds(TimeWindow, st.lists(st.integers(1, 7), max_size=4).map(tuple), minutes, st.integers(1, 1440))


def in_force(fence: Fence, time: datetime, kind: int = VehicleKind.TAXI) -> bool:
    fences, zero = fence_set([fence]), np.zeros(1, np.int32)
    times_ms = np.array([round(time.timestamp() * 1000)], np.int64)
    kept = fences.in_force(fences.containing(zero, zero), times_ms, np.array([kind], np.uint8))
    return len(kept.slots) == 1


def windowed(*some: TimeWindow) -> Fence:
    return Fence(1, "", square(-5, -5, 10), time_windows=some)


@pytest.mark.parametrize(
    ("hours", "is_open"),
    [(7.99, False), (8, True), (17.99, True), (18, False), (24 + 9, False), (2 * 24 + 9, True), (-24 + 9, False)],
)
def test_a_window_is_open_on_its_weekdays_from_its_start_to_before_its_end(hours: float, is_open: bool) -> None:
    assert in_force(windowed(TimeWindow((2, 4), 480, 1080)), TUESDAY + timedelta(hours=hours)) == is_open


@pytest.mark.parametrize(
    ("hours", "is_open"), [(3, False), (22, True), (24 + 3, True), (24 + 6, False), (24 + 22, False)]
)
def test_a_window_over_midnight_belongs_to_the_day_it_starts_on(hours: float, is_open: bool) -> None:
    assert in_force(windowed(TimeWindow((2,), 22 * 60, 6 * 60)), TUESDAY + timedelta(hours=hours)) == is_open


def test_a_window_that_ends_when_it_starts_lasts_a_day() -> None:
    fence = windowed(TimeWindow((2,), 600, 600))
    open_hours = [hour for hour in range(-24, 72) if in_force(fence, TUESDAY + timedelta(hours=hour))]
    assert open_hours == list(range(10, 34))


@settings(max_examples=200, deadline=None)
@given(st.lists(windows, max_size=3), st.integers(0, 14 * 1440 - 1), st.integers(0, 59_999))
def test_windows_are_open_when_the_calendar_says(some: list[TimeWindow], minute: int, rest_ms: int) -> None:
    fence, time = windowed(*some), TUESDAY + timedelta(minutes=minute, milliseconds=rest_ms)
    fix = Fix(1, VehicleKind.TAXI, round(time.timestamp() * 1000), 0, 0)
    assert in_force(fence, time) == applies(fence, fix)


def test_times_before_1970_have_weekdays_too() -> None:
    assert in_force(
        windowed(TimeWindow((3,), 0, 1440)), datetime(1969, 12, 31, 12, tzinfo=timezone(timedelta(hours=8)))
    )


def test_a_fence_applies_to_its_kinds_of_vehicles_and_only_when_enabled() -> None:
    buses = Fence(1, "", square(-5, -5, 10), vehicle_kinds=(VehicleKind.BUS, VehicleKind.COACH))
    assert [in_force(buses, TUESDAY, kind) for kind in (VehicleKind.BUS, VehicleKind.TAXI, 0)] == [True, False, False]
    assert not in_force(Fence(1, "", square(-5, -5, 10), enabled=False), TUESDAY)


def test_windows_become_rows_of_weekday_bits_and_minutes() -> None:
    assert window_rows([TimeWindow((1, 7), 60, 120), TimeWindow((), 1380, 30)]).tolist() == [
        [0b1000001, 60, 120],
        [0b1111111, 1380, 1470],
    ]
    assert window_rows([]).shape == (0, 3)
