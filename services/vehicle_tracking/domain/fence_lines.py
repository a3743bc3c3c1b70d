"""Which fences the straight line between two points meets (compiled). Straight is in degrees; what touches, meets."""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numba
import numpy as np
from numpy.typing import NDArray

from services.vehicle_tracking.domain.fence_distances import (
    METRES_PER_E7,
    RADIANS_PER_E7,
    edge_distance_m,
    passing_m,
)
from services.vehicle_tracking.domain.fence_grid import (
    CELL_BITS,
    OFFSET,
    TABLE_BITS,
    TILE_CELL_BITS,
    TILE_CELLS,
    TILE_COLUMN_BITS,
)
from services.vehicle_tracking.domain.fence_index import CORNER_INSIDE, IN_CIRCLE, Index
from services.vehicle_tracking.domain.fence_known import OVERLAY, KnownFences
from services.vehicle_tracking.domain.fence_shapes import CIRCLE, CORRIDOR
from services.vehicle_tracking.domain.positions import Bytes, Int32s, Int64s

Flags: TypeAlias = NDArray[np.bool_]
Line: TypeAlias = tuple[Any, Any, Any, Any]  # longitude and latitude of one end, then of the other

_CELL_MASK = TILE_CELLS - 1
_CELLS_MAX = 16


@numba.njit(cache=True, nogil=True)
def find_met(line: Line, layer: int, known: KnownFences, marks: Int64s, mark: int, met: Int32s, used: int) -> int:
    """Add the slots of `layer` with a trigger for crossing that a line meets, each once, but for those whose `marks`
    are `mark` or more; it marks what it adds. Returns how many slots there are in `met`."""
    tiles, cells, records, _ = known.overlay if layer == OVERLAY else known.main
    crossed, reaches_m = known.crossed, known.reaches_m
    x1, y1, x2, y2 = line[0] + OFFSET, line[1] + OFFSET, line[2] + OFFSET, line[3] + OFFSET
    if y1 > y2:
        x1, y1, x2, y2 = x2, y2, x1, y1
    slope = (x2 - x1) / (y2 - y1) if y2 > y1 else 0.0
    for row in range(y1 >> CELL_BITS, (y2 >> CELL_BITS) + 1):
        start, end = x1, x2
        if y2 > y1:
            start = x1 + np.int64(slope * (max(y1, row << CELL_BITS) - y1))
            end = x1 + np.int64(slope * (min(y2, (row + 1) << CELL_BITS) - y1))
        low, high = max(min(start, end) - 1, min(x1, x2)), min(max(start, end) + 1, max(x1, x2))
        for column in range(low >> CELL_BITS, (high >> CELL_BITS) + 1):
            tile = (row >> TILE_CELL_BITS) << TILE_COLUMN_BITS | column >> TILE_CELL_BITS
            cell = (row & _CELL_MASK) << TILE_CELL_BITS | column & _CELL_MASK
            record = cells[np.int64(tiles[tile, 0]) << TABLE_BITS | cell]
            used = _add_met(line, records, tiles[tile, 1], layer, crossed, reaches_m, marks, mark, met, used)
            used = _add_met(line, records, record, layer, crossed, reaches_m, marks, mark, met, used)
    return used


@numba.njit(cache=True, nogil=True, inline="always")
def may_meet(line: Line, tiles: Int32s, crossings: Bytes) -> bool:
    """Whether `find_met` could find anything: quick for the many lines that are short and far from fences that trigger
    when they are crossed. Who goes through a fence meets its outline, so cells that are held whole need no look."""
    west, east = (min(line[0], line[2]) + OFFSET) >> CELL_BITS, (max(line[0], line[2]) + OFFSET) >> CELL_BITS
    south, north = (min(line[1], line[3]) + OFFSET) >> CELL_BITS, (max(line[1], line[3]) + OFFSET) >> CELL_BITS
    if (east - west + 1) * (north - south + 1) > _CELLS_MAX:
        return True
    for row in range(south, north + 1):
        for column in range(west, east + 1):
            tile = (row >> TILE_CELL_BITS) << TILE_COLUMN_BITS | column >> TILE_CELL_BITS
            cell = (row & _CELL_MASK) << TILE_CELL_BITS | column & _CELL_MASK
            if crossings[np.int64(tiles[tile, 0]) << TABLE_BITS | cell]:
                return True
    return False


@numba.njit(cache=True, nogil=True)
def crossings_of(index: Index, crossed: Flags) -> Bytes:
    """By cell, whether a fence that holds or crosses it is one of `crossed`, by slot: most cells need no further look
    when a line goes through them."""
    _, cells, records, _ = index
    found = np.zeros(len(cells), np.uint8)
    for cell in range(len(cells)):
        record = cells[cell]
        for word in range(record + 2, record + 2 + records[record]):
            found[cell] |= crossed[records[word]]
        word = record + 2 + records[record]
        for _ in range(records[record + 1]):
            found[cell] |= crossed[records[word]]
            word += 2 + (records[word + 1] >> 2) * 4
    return found


@numba.njit(cache=True, nogil=True)
def _add_met(
    line: Line, records: Int32s, record: Any, layer: int, crossed: Bytes, reaches_m: NDArray[np.float64],
    marks: Int64s, mark: int, met: Int32s, used: int,
) -> int:  # fmt: skip
    for word in range(record + 2, record + 2 + records[record]):
        slot = records[word]
        if crossed[slot] == layer and marks[slot] < mark:
            marks[slot], met[used] = mark, slot
            used += 1
    word = record + 2 + records[record]
    for _ in range(records[record + 1]):
        slot, code = records[word], np.int64(records[word + 1])
        first, word = word + 2, word + 2 + (code >> 2) * 4
        if (
            crossed[slot] == layer
            and marks[slot] < mark
            and _meets(line, records[first:word], code & 3, reaches_m[slot])
        ):
            marks[slot], met[used] = mark, slot
            used += 1
    return used


@numba.njit(cache=True, nogil=True)
def _meets(line: Line, words: Int32s, mode: Any, reach_m: float) -> bool:
    """Whether a line meets one of those edges, or comes as near to one as a circle or corridor reaches."""
    edges = words.reshape(-1, 4)
    for edge in range(len(edges)):
        if mode <= CORNER_INSIDE:
            if meets_edge(line, edges[edge]):
                return True
        elif _passes(line, edges, edge, CIRCLE if mode == IN_CIRCLE else CORRIDOR, reach_m):
            return True
    return False


@numba.njit(cache=True, nogil=True)
def meets_edge(line: Line, edge: Int32s) -> bool:
    """Whether a line and an edge have a place in common; exact."""
    x1, y1, x2, y2 = line
    x3, y3, x4, y4 = np.int64(edge[0]), np.int64(edge[1]), np.int64(edge[2]), np.int64(edge[3])
    if max(x1, x2) < min(x3, x4) or max(x3, x4) < min(x1, x2) or max(y1, y2) < min(y3, y4) or max(y3, y4) < min(y1, y2):
        return False  # with it, ends on the same straight line need no further test
    return (
        _side(x1, y1, x2, y2, x3, y3) * _side(x1, y1, x2, y2, x4, y4) <= 0
        and _side(x3, y3, x4, y4, x1, y1) * _side(x3, y3, x4, y4, x2, y2) <= 0
    )


@numba.njit(cache=True, nogil=True, inline="always")
def _side(x1: Any, y1: Any, x2: Any, y2: Any, x: Any, y: Any) -> int:
    """1 when a place is left of a line, -1 when right, 0 on it; products are compared, for their difference could
    need more than 64 bits."""
    one, other = (x2 - x1) * (y - y1), (x - x1) * (y2 - y1)
    return int(one > other) - int(one < other)


@numba.njit(cache=True, nogil=True)
def _passes(line: Line, edges: Int32s, edge: int, kind: int, reach_m: float) -> bool:
    x1, y1, x2, y2 = float(line[0]), float(line[1]), float(line[2]), float(line[3])
    y = (y1 + y2) / 2
    scale = math.cos(y * RADIANS_PER_E7)
    half_m = (abs(x2 - x1) + abs(y2 - y1)) / 2 * METRES_PER_E7
    from_middle_m = edge_distance_m((x1 + x2) / 2, y, scale, edges, edge, kind)
    narrowing = min(math.cos(y1 * RADIANS_PER_E7), math.cos(y2 * RADIANS_PER_E7)) / max(scale, 1e-9)
    if (from_middle_m - half_m) * (1.0 if kind == CIRCLE else narrowing) > reach_m:
        return False  # most are far: what follows takes microseconds
    return passing_m((x1, y1, x2, y2), edges, edge, kind) <= reach_m
