"""Rows of latest positions take what is new, whatever the order it comes in."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from services.vehicle_tracking.domain.latest_rows import LIVE_RECORD, columns_of, take
from services.vehicle_tracking.domain.positions import batch

FIX = st.tuples(st.integers(0, 3), st.integers(1, 5), st.integers(-9, 9), st.booleans())  # row, time, speed, usable


@settings(deadline=None)  # the first example compiles
@given(st.lists(FIX, max_size=20))
def test_each_row_holds_the_last_of_its_newest_usable_fixes(fixes: list[tuple[int, int, int, bool]]) -> None:
    rows, times, speeds, usable = (
        (np.array(column) for column in zip(*fixes, strict=True)) if fixes else [np.empty(0)] * 4
    )
    records, dirty = np.zeros(4, LIVE_RECORD), np.zeros(4, np.bool_)
    positions = batch(
        9, vehicle_ids=rows, fix_times_ms=times, longitudes_e7=rows, latitudes_e7=rows, speeds_01kmh=speeds
    )
    flags, shown = np.arange(len(fixes), dtype=np.int32), usable.astype(np.bool_)
    take(columns_of(positions, positions.vehicle_ids, flags, shown), records, dirty)
    expected: dict[int, tuple[int, int]] = {}
    for row, time_ms, speed, use in fixes:
        if use and time_ms >= expected.get(row, (0, 0))[0]:
            expected[row] = (time_ms, speed)
    found = {
        n: (int(records["fix_time_ms"][n]), int(records["speed_01kmh"][n])) for n in np.flatnonzero(dirty).tolist()
    }
    assert found == expected
