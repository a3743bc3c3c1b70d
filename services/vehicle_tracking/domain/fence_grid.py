"""The grid of the fence index: its numbers, and where the kernels note what a shape covers."""

from __future__ import annotations

from typing import NamedTuple

import numba

from services.vehicle_tracking.domain.positions import Int32s, Int64s

# Compiled code of other modules holds these numbers, and numba's cache does not see it: when one changes, delete the
# cache (__pycache__/*.nb?).
CELL_BITS = 16
CELL_E7 = 1 << CELL_BITS  # 0.0065 degree, 640 m to 730 m: smaller cells make the tables outgrow the caches
TILE_CELL_BITS = 6
TILE_CELLS = 1 << TILE_CELL_BITS
TILE_BITS = CELL_BITS + TILE_CELL_BITS
TILE_COLUMN_BITS = 32 - TILE_BITS
TILE_COLUMNS = 1 << TILE_COLUMN_BITS
TABLE_BITS = 2 * TILE_CELL_BITS
TABLE_CELLS = 1 << TABLE_BITS
OFFSET = 1 << 31  # makes every int32 a natural number

BOUNDARIES, INTERIORS, WHOLES, TABLES = range(4)


class Cover(NamedTuple):
    """Where kernels note what shapes cover, see fence_cells.Covered. `counts`: how many rows of each there are, more
    than fit when the room was too small."""

    tiles: Int32s
    boundaries: Int32s
    interiors: Int32s
    wholes: Int32s
    counts: Int64s


@numba.njit(cache=True, nogil=True, inline="always")
def first_cell(cover: Cover, tile: int) -> int:
    """The number of a tile's first cell; it gets a table when it has none."""
    if cover.tiles[tile, 0] == 0:
        cover.counts[TABLES] += 1
        cover.tiles[tile, 0] = cover.counts[TABLES]
    return int(cover.tiles[tile, 0]) << TABLE_BITS


@numba.njit(cache=True, nogil=True)
def note_boundary(cover: Cover, column: int, row: int, slot: int, edge: int, corner_inside: int) -> None:
    """An edge crosses the cell in that column and row of the grid."""
    tile = (row >> TILE_CELL_BITS) << TILE_COLUMN_BITS | column >> TILE_CELL_BITS
    cell = first_cell(cover, tile) | (row & (TILE_CELLS - 1)) << TILE_CELL_BITS | column & (TILE_CELLS - 1)
    at = cover.counts[BOUNDARIES]
    if at < len(cover.boundaries):
        cover.boundaries[at, 0] = cell
        cover.boundaries[at, 1] = slot
        cover.boundaries[at, 2] = edge * 2 + corner_inside
    cover.counts[BOUNDARIES] += 1


@numba.njit(cache=True, nogil=True)
def note_interior(cover: Cover, column: int, row: int, cell_count: int, slot: int) -> None:
    """Cells of one tile, from that column and row on, lie in the area."""
    tile = (row >> TILE_CELL_BITS) << TILE_COLUMN_BITS | column >> TILE_CELL_BITS
    cell = first_cell(cover, tile) | (row & (TILE_CELLS - 1)) << TILE_CELL_BITS | column & (TILE_CELLS - 1)
    at = cover.counts[INTERIORS]
    if at < len(cover.interiors):
        cover.interiors[at, 0] = cell
        cover.interiors[at, 1] = cell_count
        cover.interiors[at, 2] = slot
    cover.counts[INTERIORS] += 1


@numba.njit(cache=True, nogil=True)
def note_whole(cover: Cover, tile: int, slot: int) -> None:
    """A tile lies in the area."""
    at = cover.counts[WHOLES]
    if at < len(cover.wholes):
        cover.wholes[at, 0] = tile
        cover.wholes[at, 1] = slot
    cover.counts[WHOLES] += 1
