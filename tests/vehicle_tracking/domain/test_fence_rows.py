"""Rows of fences and where they are."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from services.vehicle_tracking.domain.fence_rows import NO_FENCE_ID, NOWHERE, ROW, find_slot, places_of, row_of
from services.vehicle_tracking.domain.fences import AlarmLevel, Circle, Fence, FenceTrigger, TimeWindow
from services.vehicle_tracking.domain.vehicles import VehicleKind

ids = st.sets(
    st.one_of(st.integers(-(2**63) + 1, 2**63 - 1), st.integers(1, 500), st.integers(0, 50).map(lambda n: n << 40))
)


@settings(max_examples=60, deadline=None)
@given(ids, ids)
def test_every_fence_is_found_at_its_slot_and_no_other(known: set[int], others: set[int]) -> None:
    by_slot = np.array([*known, NO_FENCE_ID], np.int64)
    places = places_of(by_slot)
    assert [find_slot(*places, fence_id) for fence_id in known] == list(range(len(known)))
    assert {find_slot(*places, fence_id) for fence_id in others - known} <= {NOWHERE}


def test_a_row_says_what_the_kernels_ask() -> None:
    fence = Fence(
        5,
        "",
        Circle(0, 0, 9),
        vehicle_kinds=(VehicleKind.COACH, VehicleKind.OTHER),
        time_windows=(TimeWindow((), 0, 9),) * 3,
        triggers=(FenceTrigger.EXIT,),
        speed_kmh_max=60,
        dwell_ms=7,
        hysteresis_m=8,
        level=AlarmLevel.HIGH,
    )
    row = np.array([row_of(fence, window_first=4)], ROW)[0]
    assert row["fence_id"] == 5
    assert row["kind_bits"] == 0b100000010
    assert (row["window_first"], row["window_count"]) == (4, 3)
    assert row["trigger_bits"] == 0b100
    assert (row["speed_kmh_max"], row["dwell_ms"], row["hysteresis_m"], row["level"]) == (60, 7, 8, 3)
