"""When and to whom fences apply."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numba
import numpy as np

from services.vehicle_tracking.domain.fences import TimeWindow
from services.vehicle_tracking.domain.positions import Bytes, Int32s, Int64s

_SHANGHAI_MS = 8 * 3600 * 1000  # no summer time since 1991
_MINUTE_MS, _DAY_MS = 60_000, 24 * 3600 * 1000
_FIRST_WEEKDAY = 3  # 1 January 1970 was a Thursday


def window_rows(windows: Sequence[TimeWindow]) -> Int32s:
    """(w, 3): a bit per weekday from Monday on, first minute, minute after the last; over midnight it is above 1440."""
    rows = [
        (_weekday_bits(w.weekdays), w.start_minute, w.end_minute + (0 if w.end_minute > w.start_minute else 24 * 60))
        for w in windows
    ]
    return np.array(rows, np.int32).reshape(-1, 3)


def _weekday_bits(weekdays: Sequence[int]) -> int:
    return sum(1 << (day - 1) for day in set(weekdays or range(1, 8)))


@numba.njit(cache=True, nogil=True, inline="always")
def applies(fence: Any, windows: Int32s, time_ms: int, kind: int) -> bool:
    """Whether a fence (a row of fence_rows.ROW) applies to a vehicle of that kind at that time."""
    concerned = fence.enabled and (fence.kind_bits == 0 or fence.kind_bits >> kind & 1)
    return concerned and (fence.window_count == 0 or _is_open(windows, fence.window_first, fence.window_count, time_ms))


@numba.njit(cache=True, nogil=True)
def _is_open(windows: Int32s, first: Any, count: Any, time_ms: int) -> bool:
    day, rest_ms = divmod(time_ms + _SHANGHAI_MS, _DAY_MS)
    minute, weekday = rest_ms // _MINUTE_MS, (day + _FIRST_WEEKDAY) % 7
    yesterday = (weekday + 6) % 7
    for index in range(first, first + count):
        bits, start, end = windows[index]
        if bits >> weekday & 1 and start <= minute < end:
            return True
        if bits >> yesterday & 1 and minute + 24 * 60 < end:
            return True
    return False


@numba.njit(cache=True, nogil=True)
def kept_in_force(
    starts: Int64s, slots: Int32s, times_ms: Int64s, kinds: Bytes, fences: Any, windows: Int32s
) -> tuple[Int64s, Int32s]:
    """The pairs whose fence applies: starts and slots."""
    kept_starts, kept, used = np.empty_like(starts), np.empty_like(slots), 0
    for point in range(len(times_ms)):
        kept_starts[point] = used
        for pair in range(starts[point], starts[point + 1]):
            kept[used] = slots[pair]
            used += applies(fences[slots[pair]], windows, times_ms[point], kinds[point])
    kept_starts[len(times_ms)] = used
    return kept_starts, kept[:used]
