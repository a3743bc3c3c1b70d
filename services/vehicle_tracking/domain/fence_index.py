"""The packed cell index: which shapes may hold a point, decided by its cell.

Each cell that is not empty has a record of 32-bit words: how many fences hold all of it and how many cross it; the
slots of the first; for each of the others its slot, a code (edges * 4 + how to test), and the edges that cross the
cell, four words each. Cells that are held by the same fences and crossed by none share a record.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

from services.vehicle_tracking.domain.fence_cells import covered
from services.vehicle_tracking.domain.fence_grid import TABLE_BITS, TABLE_CELLS
from services.vehicle_tracking.domain.fence_shapes import CIRCLE, POLYGON, Shapes
from services.vehicle_tracking.domain.positions import Bytes, Int32s

CORNER_OUTSIDE, CORNER_INSIDE, IN_CIRCLE, IN_CORRIDOR = range(4)  # how a crossing fence is tested
EMPTY = 0  # the record of nothing
_EDGE_WORDS = 4


class Index(NamedTuple):
    """An index over shapes, immutable. `tiles`: (t, 2) by tile its table of cells and the record of fences that hold
    all of it. `cells`: by table and cell, the first word of its record. `pairs_max`: the most that one point has."""

    tiles: Int32s
    cells: Int32s
    records: Int32s
    pairs_max: int


class _Sorted(NamedTuple):
    """What shapes cover, by cell: those of cell c are slots[interior_starts[c] : interior_starts[c + 1]] and
    boundaries[boundary_starts[c] : boundary_starts[c + 1]]; in the order of the shapes."""

    interior_starts: Int32s
    slots: Int32s
    boundary_starts: Int32s
    boundaries: Int32s


def index_of(shapes: Shapes) -> Index:
    """The index. All that takes long in it is compiled and lets other threads run."""
    cover = covered(shapes)
    cell_count = (cover.table_count + 1) * TABLE_CELLS
    by_cell = _Sorted(*_sorted(cover.interiors, cover.boundaries, cell_count))
    wholes = np.ascontiguousarray(cover.wholes[np.argsort(cover.wholes[:, 0], kind="stable")])
    cells = np.zeros(cell_count, np.int32)
    words = 2 + 3 * len(wholes) + 3 * len(by_cell.slots) + (4 + _EDGE_WORDS) * len(by_cell.boundaries)
    records = np.empty(words, np.int32)
    whole_records = np.zeros(cover.table_count + 1, np.int32)
    used, wholes_max = _pack_wholes(cover.tiles, records, wholes, whole_records)
    used, cells_max = _pack_cells(cells, records, used, whole_records, by_cell, _kinds(shapes), shapes.edges)
    return Index(cover.tiles, cells, records[:used].copy(), wholes_max + cells_max)


def _kinds(shapes: Shapes) -> Bytes:
    by_slot = np.zeros(int(shapes.slots.max(initial=-1)) + 1, np.uint8)
    by_slot[shapes.slots] = shapes.kinds
    return by_slot


@numba.njit(cache=True, nogil=True)
def _sorted(interiors: Int32s, boundaries: Int32s, cell_count: int) -> tuple[Int32s, Int32s, Int32s, Int32s]:
    interior_starts, boundary_starts = np.zeros(cell_count + 1, np.int32), np.zeros(cell_count + 1, np.int32)
    for index in range(len(interiors)):
        for cell in range(interiors[index, 0], interiors[index, 0] + interiors[index, 1]):
            interior_starts[cell + 1] += 1
    for index in range(len(boundaries)):
        boundary_starts[boundaries[index, 0] + 1] += 1
    for cell in range(cell_count):
        interior_starts[cell + 1] += interior_starts[cell]
        boundary_starts[cell + 1] += boundary_starts[cell]
    slots, following = np.empty(interior_starts[-1], np.int32), interior_starts[:-1].copy()
    for index in range(len(interiors)):
        for cell in range(interiors[index, 0], interiors[index, 0] + interiors[index, 1]):
            slots[following[cell]] = interiors[index, 2]
            following[cell] += 1
    ordered, following = np.empty_like(boundaries), boundary_starts[:-1].copy()
    for index in range(len(boundaries)):
        cell = boundaries[index, 0]
        ordered[following[cell]] = boundaries[index]
        following[cell] += 1
    return interior_starts, slots, boundary_starts, ordered


@numba.njit(cache=True, nogil=True)
def _pack_wholes(tiles: Int32s, records: Int32s, wholes: Int32s, whole_records: Int32s) -> tuple[int, int]:
    """Write a record for each tile that some fence holds all of. Returns words used, and the most fences of a tile."""
    records[EMPTY], records[EMPTY + 1] = 0, 0
    used, most, index = 2, 0, 0
    while index < len(wholes):
        tile, start = wholes[index, 0], used
        records[start], records[start + 1] = 0, 0
        used += 2
        while index < len(wholes) and wholes[index, 0] == tile:
            used = _add_slot(records, start, used, wholes[index, 1])
            index += 1
        tiles[tile, 1] = start
        whole_records[tiles[tile, 0]] = start
        most = max(most, records[start])
    whole_records[0] = EMPTY  # of tiles without a table
    return used, most


@numba.njit(cache=True, nogil=True)
def _add_slot(records: Int32s, start: int, used: int, slot: int) -> int:
    """Add a fence to those that hold all of a place, if it is not the one just added: parts of a corridor overlap."""
    if records[start] > 0 and records[used - 1] == slot:
        return used
    records[used] = slot
    records[start] += 1
    return used + 1


@numba.njit(cache=True, nogil=True)
def _pack_cells(
    cells: Int32s, records: Int32s, used: int, whole_records: Int32s, by_cell: _Sorted, kinds: Bytes, edges: Int32s
) -> tuple[int, int]:
    """Write the records of cells. Returns words used, and the most fences that hold or cross a cell."""
    bits = 10
    while 1 << bits < 2 * len(by_cell.slots):
        bits += 1
    shared, most = np.zeros(1 << min(bits, 22), np.int32), 0
    for cell in range(TABLE_CELLS, len(cells)):
        first, last = by_cell.interior_starts[cell], by_cell.interior_starts[cell + 1]
        first_edge, last_edge = by_cell.boundary_starts[cell], by_cell.boundary_starts[cell + 1]
        if first == last and first_edge == last_edge:
            continue
        start, whole = used, whole_records[cell >> TABLE_BITS]
        records[start], records[start + 1] = 0, 0
        used += 2
        for index in range(first, last):
            if not _holds_all(records, whole, by_cell.slots[index]):
                used = _add_slot(records, start, used, by_cell.slots[index])
        for index in range(first_edge, last_edge):
            slot = by_cell.boundaries[index, 1]
            if index > first_edge and by_cell.boundaries[index - 1, 1] == slot:
                continue  # its edges were added with the first of them
            if not _holds_all(records, whole, slot) and not _holds_all(records, start, slot):
                used = _add_crossing(records, start, used, by_cell.boundaries[index:last_edge], kinds, edges)
        most = max(most, records[start] + records[start + 1])
        cells[cell] = start
        if records[start + 1] == 0:
            cells[cell] = _shared(shared, records, start, used)
            used = used if cells[cell] == start else start
    return used, most


@numba.njit(cache=True, nogil=True)
def _holds_all(records: Int32s, start: int, slot: int) -> bool:
    for word in range(start + 2, start + 2 + records[start]):  # noqa: SIM110 – numba compiles no generators
        if records[word] == slot:
            return True
    return False


@numba.njit(cache=True, nogil=True)
def _add_crossing(records: Int32s, start: int, used: int, boundaries: Int32s, kinds: Bytes, edges: Int32s) -> int:
    """Add the first fence of `boundaries` and its edges to those that cross a cell. Returns words used."""
    slot, corner_inside = boundaries[0, 1], boundaries[0, 2] & 1
    kind, code = kinds[slot], used + 1
    records[used] = slot
    records[code] = corner_inside if kind == POLYGON else IN_CIRCLE if kind == CIRCLE else IN_CORRIDOR
    records[start + 1] += 1
    used += 2
    for index in range(len(boundaries)):
        if boundaries[index, 1] != slot:
            break
        records[code] += 4
        for side in range(_EDGE_WORDS):
            records[used + side] = edges[boundaries[index, 2] >> 1, side]
        used += _EDGE_WORDS
    return used


@numba.njit(cache=True, nogil=True)
def _shared(shared: Int32s, records: Int32s, start: int, end: int) -> int:
    """The record that says the same as the one just written, which may be itself."""
    hashed = np.uint64(1469598103934665603)
    for word in range(start, end):
        hashed = (hashed ^ np.uint64(records[word])) * np.uint64(1099511628211)
    mask = np.uint64(len(shared) - 1)
    place = (hashed ^ hashed >> np.uint64(29)) & mask
    for _ in range(8):  # a crowded table only costs a record
        other = shared[place]
        if other == EMPTY:
            shared[place] = start
            return start
        same = True
        for word in range(end - start):
            same = same and records[other + word] == records[start + word]
        if same:
            return int(other)
        place = (place + np.uint64(1)) & mask
    return start
