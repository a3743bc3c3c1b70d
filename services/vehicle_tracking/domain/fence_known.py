"""What kernels know of all fences, and what they ask of one."""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from services.vehicle_tracking.domain.fence_distances import within_m
from services.vehicle_tracking.domain.fence_grid import (
    CELL_BITS,
    OFFSET,
    TABLE_BITS,
    TILE_BITS,
    TILE_CELL_BITS,
    TILE_CELLS,
    TILE_COLUMN_BITS,
)
from services.vehicle_tracking.domain.fence_index import CORNER_INSIDE, Index
from services.vehicle_tracking.domain.fence_lookup import holds, reaches
from services.vehicle_tracking.domain.fence_rows import Rows
from services.vehicle_tracking.domain.positions import Bytes, Int32s, Int64s

MAIN, OVERLAY, REMOVED = 0, 1, 2


class KnownFences(NamedTuple):
    """The columns of a FenceSet, see there. `crossed`: the layer of a fence that triggers when it is crossed, REMOVED
    for others; apart from its row, for crossings ask it of every fence near a line. `main_crossings`,
    `overlay_crossings`: by cell, whether there is such a fence. `place_ids`, `place_slots`: for find_slot."""

    rows: Rows
    layers: Bytes
    crossed: Bytes
    reaches_m: NDArray[np.float64]
    windows: Int32s
    place_ids: Int64s
    place_slots: Int32s
    main_edges: Int32s
    overlay_edges: Int32s
    main: Index
    overlay: Index
    main_crossings: Bytes
    overlay_crossings: Bytes


@numba.njit(cache=True, nogil=True)
def near(fence: Any, reach_m: float, edges: Int32s, longitude_e7: int, latitude_e7: int) -> bool:
    """Whether a point that a fence (its row) does not hold is out by no more than its hysteresis. `edges`: those of
    its layer."""
    edges = edges[fence.first_edge : fence.end_edge]
    bound_m = reach_m + fence.hysteresis_m
    return within_m(float(longitude_e7), float(latitude_e7), edges, fence.shape_kind, bound_m)


@numba.njit(cache=True, nogil=True)
def is_held(known: KnownFences, slot: int, longitude_e7: Any, latitude_e7: Any) -> bool:
    """Whether a fence holds a point."""
    index = known.overlay if known.layers[slot] == OVERLAY else known.main
    x, y = np.int64(longitude_e7) + OFFSET, np.int64(latitude_e7) + OFFSET
    tile = (y >> TILE_BITS) << TILE_COLUMN_BITS | x >> TILE_BITS
    cell = (y >> CELL_BITS & TILE_CELLS - 1) << TILE_CELL_BITS | x >> CELL_BITS & TILE_CELLS - 1
    record = index.cells[np.int64(index.tiles[tile, 0]) << TABLE_BITS | cell]
    return _lists(index.records, index.tiles[tile, 1], slot) or _holds(
        index.records, record, slot, x - OFFSET, y - OFFSET, known.reaches_m[slot]
    )


@numba.njit(cache=True, nogil=True)
def _lists(records: Int32s, record: Any, slot: int) -> bool:
    for word in range(record + 2, record + 2 + records[record]):  # noqa: SIM110 – numba compiles no generators
        if records[word] == slot:
            return True
    return False


@numba.njit(cache=True, nogil=True)
def _holds(records: Int32s, record: Any, slot: int, x: Any, y: Any, reach_m: float) -> bool:
    if _lists(records, record, slot):
        return True
    word = record + 2 + records[record]
    for _ in range(records[record + 1]):
        code = np.int64(records[word + 1])
        first, end = word + 2, word + 2 + (code >> 2) * 4
        if records[word] == slot:
            mode = code & 3
            if mode <= CORNER_INSIDE:
                return holds(records, first, end, x, y, mode == CORNER_INSIDE)
            return reaches(records, first, end, float(x), float(y), mode, reach_m)
        word = end
    return False
