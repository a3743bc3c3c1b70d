"""Which cells a circle, or one part of a corridor, covers (compiled).

The distance of a square's centre, and how far its corners are from it, bound the distance of all its places.
"""

from __future__ import annotations

import math

import numba

from services.vehicle_tracking.domain.fence_distances import METRES_PER_E7, RADIANS_PER_E7, edge_distance_m
from services.vehicle_tracking.domain.fence_grid import (
    CELL_BITS,
    OFFSET,
    TILE_BITS,
    TILE_CELL_BITS,
    TILE_CELLS,
    TILE_COLUMN_BITS,
    Cover,
    note_boundary,
    note_interior,
    note_whole,
)
from services.vehicle_tracking.domain.fence_shapes import CIRCLE
from services.vehicle_tracking.domain.positions import Int32s

_OUTSIDE, _CROSSED, _INSIDE = 0, 1, 2
_MARGIN_M = 1e-3  # far above what rounding can do; such cells are tested point by point
_SCALE_MIN = 1e-6  # so near a pole nothing is known of a square
_QUARTER_E7 = 900_000_000
_BLOCK_BITS = 3  # a tile is 8 by 8 blocks of 8 by 8 cells
_BLOCK_CELLS = 1 << _BLOCK_BITS


@numba.njit(cache=True, nogil=True)
def cover_round(cover: Cover, slot: int, edges: Int32s, edge: int, kind: int, reach_m: float) -> None:
    """Note the cells that have places within `reach_m` of an edge. A place may be noted twice with several edges."""
    left, bottom, right, top = _cell_bounds(edges, edge, reach_m)
    for tile_row in range(bottom >> TILE_CELL_BITS, (top >> TILE_CELL_BITS) + 1):
        for tile_column in range(left >> TILE_CELL_BITS, (right >> TILE_CELL_BITS) + 1):
            side = _side(tile_column, tile_row, TILE_BITS, edges, edge, kind, reach_m)
            if side == _INSIDE:
                note_whole(cover, tile_row << TILE_COLUMN_BITS | tile_column, slot)
            elif side == _CROSSED:
                column, row = tile_column << TILE_CELL_BITS, tile_row << TILE_CELL_BITS
                _cover_blocks(
                    cover, slot, edges, edge, kind, reach_m,
                    max(left, column), max(bottom, row),
                    min(right, column + TILE_CELLS - 1), min(top, row + TILE_CELLS - 1),
                )  # fmt: skip


@numba.njit(cache=True, nogil=True)
def _cell_bounds(edges: Int32s, edge: int, reach_m: float) -> tuple[int, int, int, int]:
    """First column and row, last column and row of cells that can have places in reach."""
    reach_e7 = reach_m / METRES_PER_E7 + 1
    low, high = min(edges[edge, 1], edges[edge, 3]) - reach_e7, max(edges[edge, 1], edges[edge, 3]) + reach_e7
    scale = math.cos(min(_QUARTER_E7, max(-low, high)) * RADIANS_PER_E7)
    wide_e7 = min(reach_e7 / max(scale, _SCALE_MIN), 2.0 * OFFSET)
    left, right = min(edges[edge, 0], edges[edge, 2]) - wide_e7, max(edges[edge, 0], edges[edge, 2]) + wide_e7
    return _cell(left), _cell(low), _cell(right), _cell(high)


@numba.njit(cache=True, nogil=True)
def _cell(place: float) -> int:
    return int(min(2.0 * OFFSET - 1, max(0.0, math.floor(place) + OFFSET))) >> CELL_BITS


@numba.njit(cache=True, nogil=True)
def _cover_blocks(
    cover: Cover, slot: int, edges: Int32s, edge: int, kind: int, reach_m: float,
    left: int, bottom: int, right: int, top: int,
) -> None:  # fmt: skip
    """As cover_round, within cells of one tile."""
    for block_row in range(bottom >> _BLOCK_BITS, (top >> _BLOCK_BITS) + 1):
        for block_column in range(left >> _BLOCK_BITS, (right >> _BLOCK_BITS) + 1):
            side = _side(block_column, block_row, CELL_BITS + _BLOCK_BITS, edges, edge, kind, reach_m)
            column, row = block_column << _BLOCK_BITS, block_row << _BLOCK_BITS
            if side == _INSIDE:
                for some_row in range(row, row + _BLOCK_CELLS):
                    note_interior(cover, column, some_row, _BLOCK_CELLS, slot)
            elif side == _CROSSED:
                for some_row in range(max(row, bottom), min(row + _BLOCK_CELLS - 1, top) + 1):
                    for some_column in range(max(column, left), min(column + _BLOCK_CELLS - 1, right) + 1):
                        side = _side(some_column, some_row, CELL_BITS, edges, edge, kind, reach_m)
                        if side == _INSIDE:
                            note_interior(cover, some_column, some_row, 1, slot)
                        elif side == _CROSSED:
                            note_boundary(cover, some_column, some_row, slot, edge, 0)


@numba.njit(cache=True, nogil=True)
def _side(column: int, row: int, bits: int, edges: Int32s, edge: int, kind: int, reach_m: float) -> int:
    """Whether all places of a square are in reach, none, or it may be some."""
    half = (1 << bits) / 2
    x, y = (column << bits) - OFFSET + half, (row << bits) - OFFSET + half
    scale = math.cos(y * RADIANS_PER_E7)
    widest = 1.0 if abs(y) <= half else math.cos(min(_QUARTER_E7, abs(y) - half) * RADIANS_PER_E7)
    narrowest = math.cos(min(_QUARTER_E7, abs(y) + half) * RADIANS_PER_E7)
    if scale < _SCALE_MIN:
        return _CROSSED
    distance_m = edge_distance_m(x, y, scale, edges, edge, kind)
    if kind == CIRCLE:
        corner_m = half * math.hypot(1.0, widest) * METRES_PER_E7
        farthest_m, nearest_m = distance_m + corner_m, distance_m - corner_m
    else:  # each place has a scale of its own: all distances shrink and grow with it
        corner_m = half * math.hypot(1.0, scale) * METRES_PER_E7
        farthest_m = (distance_m + corner_m) * (widest / scale)
        nearest_m = (distance_m - corner_m) * (narrowest / scale)
    if farthest_m + _MARGIN_M < reach_m:
        return _INSIDE
    return _OUTSIDE if nearest_m - _MARGIN_M > reach_m else _CROSSED
