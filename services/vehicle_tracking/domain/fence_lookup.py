"""Which fences hold points, and which a straight line meets, by the index (compiled, exact in whole numbers).

In a cell, a polygon's side is known at the lower left corner; from there one goes up to the point's latitude, then
right to the point, and changes sides at every edge on the way. What is met exactly counts as a place infinitely little
to the right of it, and infinitely less above it: so no corner case is left open. On an edge is inside.
"""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from services.vehicle_tracking.domain.fence_distances import RADIANS_PER_E7, circle_distance_m, line_distance_m
from services.vehicle_tracking.domain.fence_grid import (
    CELL_BITS,
    OFFSET,
    TABLE_BITS,
    TILE_BITS,
    TILE_CELL_BITS,
    TILE_CELLS,
    TILE_COLUMN_BITS,
)
from services.vehicle_tracking.domain.fence_index import CORNER_INSIDE, EMPTY, IN_CIRCLE, Index
from services.vehicle_tracking.domain.positions import Bytes, Int32s, Int64s

_AT_ONCE = 32  # points whose records are fetched together: the waits for memory overlap
_CELL_MASK = TILE_CELLS - 1


@numba.njit(cache=True, nogil=True)
def find_pairs(
    longitudes_e7: Int32s,
    latitudes_e7: Int32s,
    start: int,
    index: Index,
    layer: int,
    layers: Bytes,
    reaches_m: NDArray[np.float64],
    starts: Int64s,
    slots: Int32s,
    used: int,
) -> tuple[int, int]:
    """Write the slots of `layer` that hold each point, from point `start` on, while there is room for whatever comes.
    Returns the next point and words used; starts[i] is where the slots of point i begin."""
    tiles, cells, records, pairs_max = index
    found, wholes = np.empty(_AT_ONCE, np.int32), np.empty(_AT_ONCE, np.int32)
    heads = np.empty(_AT_ONCE, np.int32)  # nobody needs them: they bring the records near
    count = len(longitudes_e7)
    while start < count:
        some = min(_AT_ONCE, count - start)
        if used + some * pairs_max > len(slots):
            break
        for k in range(some):
            x, y = np.int64(longitudes_e7[start + k]) + OFFSET, np.int64(latitudes_e7[start + k]) + OFFSET
            tile = (y >> TILE_BITS) << TILE_COLUMN_BITS | x >> TILE_BITS
            cell = (y >> CELL_BITS & _CELL_MASK) << TILE_CELL_BITS | x >> CELL_BITS & _CELL_MASK
            found[k] = cells[np.int64(tiles[tile, 0]) << TABLE_BITS | cell]
            wholes[k] = tiles[tile, 1]
        for k in range(some):
            heads[k] = records[found[k]]
        for k in range(some):
            starts[start + k] = used
            if wholes[k] != EMPTY:
                used = _add_all(records, wholes[k], layer, layers, slots, used)
            if found[k] != EMPTY:
                used = _add_all(records, found[k], layer, layers, slots, used)
                if records[found[k] + 1]:
                    x, y = np.int64(longitudes_e7[start + k]), np.int64(latitudes_e7[start + k])
                    used = _add_crossing(records, found[k], x, y, layer, layers, reaches_m, slots, used)
        start += some
    return start, used


@numba.njit(cache=True, nogil=True, inline="always")
def _add_all(records: Int32s, record: int, layer: int, layers: Bytes, slots: Int32s, used: int) -> int:
    for word in range(record + 2, record + 2 + records[record]):
        slot = records[word]
        slots[used] = slot
        used += layers[slot] == layer
    return used


@numba.njit(cache=True, nogil=True, inline="always")
def _add_crossing(
    records: Int32s,
    record: Any,
    x: Any,
    y: Any,
    layer: int,
    layers: Bytes,
    reaches_m: NDArray[np.float64],
    slots: Int32s,
    used: int,
) -> int:
    word = record + 2 + records[record]
    for _ in range(records[record + 1]):
        slot, code = records[word], np.int64(records[word + 1])
        first, word = word + 2, word + 2 + (code >> 2) * 4
        if layers[slot] == layer:
            mode = code & 3
            if mode <= CORNER_INSIDE:
                inside = holds(records, first, word, x, y, mode == CORNER_INSIDE)
            else:
                inside = reaches(records, first, word, float(x), float(y), mode, reaches_m[slot])
            slots[used] = slot
            used += inside
    return used


@numba.njit(cache=True, nogil=True)
def holds(records: Int32s, first: Any, end: Any, x: Any, y: Any, inside: bool) -> bool:
    """Whether a polygon with those edges in the point's cell holds the point. `inside`: whether it holds the corner.

    Products of differences of longitudes and latitudes fit in 64 bits; they are compared, never subtracted.
    """
    corner_x = (x + OFFSET >> CELL_BITS << CELL_BITS) - OFFSET
    corner_y = (y + OFFSET >> CELL_BITS << CELL_BITS) - OFFSET
    for word in range(first, end, 4):
        x1, y1 = np.int64(records[word]), np.int64(records[word + 1])
        x2, y2 = np.int64(records[word + 2]), np.int64(records[word + 3])
        if (y1 > y) != (y2 > y):
            way, rise = (x2 - x1) * (y - y1), y2 - y1
            to_point = (x - x1) * rise
            if way == to_point:
                return True
            to_corner = (corner_x - x1) * rise
            # The edge crosses at or left of the point, but right of the corner.
            inside ^= ((way < to_point) == (rise > 0)) and way != to_corner and ((way > to_corner) == (rise > 0))
        elif y1 == y and ((y2 == y and (x1 > x) != (x2 > x)) or x1 == x):
            return True
        if (x1 > corner_x) != (x2 > corner_x):
            way, run = (y2 - y1) * (corner_x - x1), x2 - x1
            rising = (y2 > y1) == (run > 0) and y1 != y2
            inside ^= _above(way, (corner_y - y1) * run, run, rising) != _above(way, (y - y1) * run, run, rising)
    return bool(inside)


@numba.njit(cache=True, nogil=True, inline="always")
def _above(way: Any, to_place: Any, run: Any, rising: Any) -> bool:
    """Whether an edge passes above a place, or through it and on above."""
    return bool(rising if way == to_place else (way > to_place) == (run > 0))


@numba.njit(cache=True, nogil=True)
def reaches(records: Int32s, first: Any, end: Any, x: float, y: float, mode: Any, reach_m: float) -> bool:
    """Whether a point is as near to one of those edges as a circle or corridor reaches."""
    scale = math.cos(y * RADIANS_PER_E7)
    for word in range(first, end, 4):
        x1, y1 = records[word], records[word + 1]
        if mode == IN_CIRCLE:
            distance_m = circle_distance_m(x, y, x1, y1)
        else:
            distance_m = line_distance_m(x, y, scale, x1, y1, records[word + 2], records[word + 3])
        if distance_m <= reach_m:
            return True
    return False
