"""What kernels need to know of each fence, a row a fence; and where a fence's row is."""

from __future__ import annotations

from typing import Any, TypeAlias

import numba
import numpy as np
from numpy.typing import NDArray

from services.vehicle_tracking.domain.fence_shapes import kind_of
from services.vehicle_tracking.domain.fences import Fence
from services.vehicle_tracking.domain.positions import Int32s, Int64s

ROW = np.dtype(
    [
        ("fence_id", np.int64),
        ("dwell_ms", np.int64),
        ("first_edge", np.int64),
        ("end_edge", np.int64),
        ("work", np.int64),  # of indexing it, see fence_cells.works_of
        ("kind_bits", np.int32),  # a bit per VehicleKind; none for all
        ("speed_kmh_max", np.int32),
        ("hysteresis_m", np.int32),
        ("window_first", np.int32),
        ("window_count", np.int32),
        ("enabled", np.uint8),
        ("trigger_bits", np.uint8),  # a bit per FenceTrigger
        ("level", np.uint8),
        ("shape_kind", np.uint8),
    ]
)
Rows: TypeAlias = NDArray[np.void]
NO_FENCE_ID = np.iinfo(np.int64).min
NOWHERE = -1
_MIXER = 0x9E3779B97F4A7C15 - (1 << 64)  # spreads ids that follow each other


def row_of(fence: Fence, *, window_first: int) -> tuple[int, ...]:
    """The row of a fence; its edges and its work are set where they are stored."""
    return (
        fence.fence_id,
        fence.dwell_ms,
        0,
        0,
        0,
        sum(1 << kind for kind in set(fence.vehicle_kinds)),
        fence.speed_kmh_max,
        fence.hysteresis_m,
        window_first,
        len(fence.time_windows),
        fence.enabled,
        sum(1 << trigger for trigger in set(fence.triggers)),
        fence.level,
        kind_of(fence.shape),
    )


@numba.njit(cache=True, nogil=True)
def places_of(fence_ids: Int64s) -> tuple[Int64s, Int32s]:
    """A table of ids and slots for `find_slot`. `fence_ids`: by slot, NO_FENCE_ID where there is none."""
    size = 16
    while size < 2 * len(fence_ids):
        size *= 2
    ids, slots = np.full(size, NO_FENCE_ID, np.int64), np.full(size, NOWHERE, np.int32)
    for slot in range(len(fence_ids)):
        if fence_ids[slot] != NO_FENCE_ID:
            place = _place(fence_ids[slot], size)
            while ids[place] != NO_FENCE_ID:
                place = (place + 1) & (size - 1)
            ids[place], slots[place] = fence_ids[slot], slot
    return ids, slots


@numba.njit(cache=True, nogil=True, inline="always")
def find_slot(ids: Int64s, slots: Int32s, fence_id: int) -> int:
    """The slot of a fence, NOWHERE when there is no such fence."""
    place = _place(fence_id, len(ids))
    while ids[place] != NO_FENCE_ID:
        if ids[place] == fence_id:
            return int(slots[place])
        place = (place + 1) & (len(ids) - 1)
    return NOWHERE


@numba.njit(cache=True, nogil=True, inline="always")
def _place(fence_id: Any, size: int) -> Any:
    return (np.int64(fence_id) * np.int64(_MIXER) >> 32) & (size - 1)
