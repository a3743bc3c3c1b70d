"""The grid of the fence index, and which of its cells a shape covers (compiled).

Cells are squares of 2**CELL_BITS units of 1e-7 degree; 64 by 64 of them are a tile. All of an int32's range has its
place in the directory of tiles, so no point needs a test of bounds.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

from services.vehicle_tracking.domain.fence_cells_polygon import cover_polygon
from services.vehicle_tracking.domain.fence_cells_round import cover_round
from services.vehicle_tracking.domain.fence_distances import METRES_PER_E7
from services.vehicle_tracking.domain.fence_grid import (
    BOUNDARIES,
    CELL_E7,
    INTERIORS,
    TABLES,
    TILE_CELLS,
    TILE_COLUMNS,
    WHOLES,
    Cover,
)
from services.vehicle_tracking.domain.fence_shapes import POLYGON, Shapes
from services.vehicle_tracking.domain.positions import Int32s, Int64s

_TILE_STEPS = 3000


class Covered(NamedTuple):
    """What shapes cover. `tiles`: (t, 2) by tile the number of its table of cells,
    0 for none, and nothing yet. Cells are numbered by table.
    `boundaries`: (b, 3) cell, slot, twice the edge plus whether the cell's corner is inside. `interiors`: (i, 3) first
    cell, cells, slot. `wholes`: (w, 2) tile, slot. The rows of each stand in the order of the shapes."""

    tiles: Int32s
    table_count: int
    boundaries: Int32s
    interiors: Int32s
    wholes: Int32s


def covered(shapes: Shapes) -> Covered:
    """Which cells the shapes cover, and which edges cross each."""
    edge_count = len(shapes.edges)
    room = np.array([8 * edge_count + 1024, 8 * edge_count + 1024, 1024, 0])  # enough but for fences of many cells
    while True:
        tiles = np.zeros((TILE_COLUMNS * TILE_COLUMNS, 2), np.int32)  # the memory of what is not touched costs nothing
        cover = Cover(
            tiles,
            np.empty((room[BOUNDARIES], 3), np.int32),
            np.empty((room[INTERIORS], 3), np.int32),
            np.empty((room[WHOLES], 2), np.int32),
            np.zeros(4, np.int64),
        )
        _cover(cover, shapes)
        counts = cover.counts
        if (counts[:TABLES] <= room[:TABLES]).all():
            break
        room = counts.copy()
    return Covered(
        tiles,
        int(counts[TABLES]),
        cover.boundaries[: counts[BOUNDARIES]],
        cover.interiors[: counts[INTERIORS]],
        cover.wholes[: counts[WHOLES]],
    )


@numba.njit(cache=True, nogil=True)
def _cover(cover: Cover, shapes: Shapes) -> None:
    slots, kinds, reaches_m, starts, edges = shapes
    for index in range(len(slots)):
        if kinds[index] == POLYGON:
            cover_polygon(cover, slots[index], edges, starts[index], starts[index + 1])
        else:
            for edge in range(starts[index], starts[index + 1]):
                cover_round(cover, slots[index], edges, edge, kinds[index], reaches_m[index])


@numba.njit(cache=True, nogil=True)
def works_of(shapes: Shapes) -> Int64s:
    """About how many steps of 40 ns it takes to index each shape: cells that its edges cross or come near to, and
    4096 cells of every tile that they touch."""
    _, kinds, reaches_m, starts, edges = shapes
    works = np.zeros(len(kinds), np.int64)
    for index in range(len(kinds)):
        reach = reaches_m[index] / METRES_PER_E7 / CELL_E7
        left, bottom, right, top, tiles = np.inf, np.inf, -np.inf, -np.inf, 0.0
        for edge in range(starts[index], starts[index + 1]):
            x1, y1, x2, y2 = edges[edge, 0], edges[edge, 1], edges[edge, 2], edges[edge, 3]
            width, height = abs(float(x2) - x1) / CELL_E7, abs(float(y2) - y1) / CELL_E7
            way = width + height + 2 * reach
            works[index] += np.int64(way + 2)
            if kinds[index] != POLYGON:
                area = (width + 2 * reach + 1) * (height + 2 * reach + 1)
                works[index] += np.int64(area / 2048 + 2 * min(area, (way + 1) * (2 * reach + 2)) + 16)
            tiles += (way / TILE_CELLS + 1) * (2 * reach / TILE_CELLS + 1)
            left, right = min(left, x1, x2), max(right, x1, x2)
            bottom, top = min(bottom, y1, y2), max(top, y1, y2)
        width = ((right - left) / CELL_E7 + 2 * reach) / TILE_CELLS + 1.5
        height = ((top - bottom) / CELL_E7 + 2 * reach) / TILE_CELLS + 1.5
        works[index] += np.int64(_TILE_STEPS * min(tiles, width * height))
    return works
