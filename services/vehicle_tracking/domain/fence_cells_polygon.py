"""Which cells a polygon covers (compiled).

Every edge is walked row by row: cells that it may touch are boundary. The cells between are all inside or all outside,
which the edges tell that cross the bottom line of the row before them. All of that is exact.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from services.vehicle_tracking.domain.fence_grid import (
    CELL_BITS,
    CELL_E7,
    OFFSET,
    TILE_CELL_BITS,
    TILE_CELLS,
    TILE_COLUMN_BITS,
    Cover,
    note_boundary,
    note_interior,
    note_whole,
)
from services.vehicle_tracking.domain.positions import Int32s, Int64s

_COLUMN_BITS = 32 - CELL_BITS
_EDGE_BITS = 20  # fence_checks bounds a fence's points by 100,000
_NO_COLUMN = 1 << 40


@numba.njit(cache=True, nogil=True)
def cover_polygon(cover: Cover, slot: int, edges: Int32s, first_edge: int, end_edge: int) -> None:
    """Note the cells that the polygon of those edges covers."""
    bound = 0
    for edge in range(first_edge, end_edge):
        rows = (abs(edges[edge, 3] - np.int64(edges[edge, 1])) >> CELL_BITS) + 2
        bound += 3 * rows + (abs(edges[edge, 2] - np.int64(edges[edge, 0])) >> CELL_BITS) + 2
    touched = np.empty(bound, np.int64)
    turns = np.empty(bound, np.int64)
    touched_count, turn_count = 0, 0
    for edge in range(first_edge, end_edge):
        touched_count = _touch(edges, edge, edge - first_edge, touched, touched_count)
        turn_count = _turn(edges, edge, turns, turn_count)
    touched, turns = np.sort(touched[:touched_count]), np.sort(turns[:turn_count])
    runs = np.empty((len(touched), 3), np.int64)
    run_count = _sweep(cover, slot, first_edge, touched, turns, runs)
    _note_runs(cover, slot, runs[:run_count])


@numba.njit(cache=True, nogil=True, inline="always")
def _upward(edges: Int32s, edge: int) -> tuple[Any, Any, Any, Any]:
    """An edge as natural numbers, from its lower end on."""
    x1, y1 = np.int64(edges[edge, 0]) + OFFSET, np.int64(edges[edge, 1]) + OFFSET
    x2, y2 = np.int64(edges[edge, 2]) + OFFSET, np.int64(edges[edge, 3]) + OFFSET
    return (x1, y1, x2, y2) if y1 <= y2 else (x2, y2, x1, y1)


@numba.njit(cache=True, nogil=True)
def _touch(edges: Int32s, edge: int, number: int, touched: Int64s, count: int) -> int:
    """Note every cell that an edge may touch; a cell too many does no harm."""
    x1, y1, x2, y2 = _upward(edges, edge)
    slope = (x2 - x1) / (y2 - y1) if y2 > y1 else 0.0
    for row in range(y1 >> CELL_BITS, (y2 >> CELL_BITS) + 1):
        start, end = x1, x2
        if y2 > y1:
            start = x1 + np.int64(slope * (max(y1, row << CELL_BITS) - y1))
            end = x1 + np.int64(slope * (min(y2, (row + 1) << CELL_BITS) - y1))
        low, high = max(min(start, end) - 1, min(x1, x2)), min(max(start, end) + 1, max(x1, x2))
        for column in range(low >> CELL_BITS, (high >> CELL_BITS) + 1):
            touched[count] = (row << _COLUMN_BITS | column) << _EDGE_BITS | number
            count += 1
    return count


@numba.njit(cache=True, nogil=True)
def _turn(edges: Int32s, edge: int, turns: Int64s, count: int) -> int:
    """Note the first corner of cells in each row at or right of where an edge crosses the bottom line of the row."""
    x1, y1, x2, y2 = _upward(edges, edge)
    for row in range((y1 + CELL_E7 - 1) >> CELL_BITS, ((y2 - 1) >> CELL_BITS) + 1):
        ahead = (x2 - x1) * ((row << CELL_BITS) - y1)  # below 2**63: 360 by 180 degrees
        x = x1 - (-ahead // (y2 - y1))
        turns[count] = row << (_COLUMN_BITS + 1) | (x + CELL_E7 - 1) >> CELL_BITS
        count += 1
    return count


@numba.njit(cache=True, nogil=True)
def _sweep(cover: Cover, slot: int, first_edge: int, touched: Int64s, turns: Int64s, runs: Int64s) -> int:
    """Note the boundary cells, each with whether its lower left corner is inside; runs (row, first and last column) of
    cells inside. Returns how many runs."""
    run_count, turn, inside, at_row = 0, 0, 0, -1
    for index in range(len(touched)):
        cell = touched[index] >> _EDGE_BITS
        row, column = cell >> _COLUMN_BITS, cell & ((1 << _COLUMN_BITS) - 1)
        if row != at_row:
            while turn < len(turns) and turns[turn] >> (_COLUMN_BITS + 1) < row:
                turn += 1
            at_row, inside = row, 0
        while turn < len(turns) and turns[turn] <= (row << (_COLUMN_BITS + 1) | column):
            inside ^= 1
            turn += 1
        note_boundary(cover, column, row, slot, first_edge + (touched[index] & ((1 << _EDGE_BITS) - 1)), inside)
        following = touched[index + 1] >> _EDGE_BITS if index + 1 < len(touched) else np.int64(_NO_COLUMN)
        if following > cell + 1 and following >> _COLUMN_BITS == row:
            while turn < len(turns) and turns[turn] <= (row << (_COLUMN_BITS + 1) | column + 1):
                inside ^= 1
                turn += 1
            if inside:
                runs[run_count, 0], runs[run_count, 1] = row, column + 1
                runs[run_count, 2] = (following & ((1 << _COLUMN_BITS) - 1)) - 1
                run_count += 1
    return run_count


@numba.njit(cache=True, nogil=True)
def _note_runs(cover: Cover, slot: int, runs: Int64s) -> None:
    """Note runs of cells, as whole tiles where they fill some."""
    if len(runs) == 0:
        return
    bottom, height = runs[0, 0] >> TILE_CELL_BITS, (runs[-1, 0] >> TILE_CELL_BITS) - (runs[0, 0] >> TILE_CELL_BITS) + 1
    left, right = runs[:, 1].min() >> TILE_CELL_BITS, runs[:, 2].max() >> TILE_CELL_BITS
    full_rows = np.zeros((height, right - left + 1), np.int64)
    for index in range(len(runs)):
        row, first, last = runs[index]
        for column in range((first + TILE_CELLS - 1) >> TILE_CELL_BITS, (last + 1) >> TILE_CELL_BITS):
            full_rows[(row >> TILE_CELL_BITS) - bottom, column - left] += 1
    for index in range(len(runs)):
        row, first, last = runs[index]
        tile_row = row >> TILE_CELL_BITS
        for column in range(first >> TILE_CELL_BITS, (last >> TILE_CELL_BITS) + 1):
            if full_rows[tile_row - bottom, column - left] == TILE_CELLS:
                if row & (TILE_CELLS - 1) == 0:
                    note_whole(cover, tile_row << TILE_COLUMN_BITS | column, slot)
                continue
            start = max(first, column << TILE_CELL_BITS)
            end = min(last, (column + 1) * TILE_CELLS - 1)
            note_interior(cover, start, row, end - start + 1, slot)
