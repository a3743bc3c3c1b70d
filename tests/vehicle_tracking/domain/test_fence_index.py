"""Records of the packed index."""

from __future__ import annotations

import numpy as np

from services.vehicle_tracking.domain.fence_grid import CELL_E7, TILE_CELLS
from services.vehicle_tracking.domain.fence_index import CORNER_OUTSIDE, EMPTY, IN_CORRIDOR, index_of
from services.vehicle_tracking.domain.fence_shapes import shapes_of
from services.vehicle_tracking.domain.fences import Shape
from tests.vehicle_tracking.domain.fence_worlds import CHANGSHA, corridor, square

CORNER = 64 * 67 * CELL_E7  # of a tile


def test_a_record_lists_who_holds_the_cell_then_who_crosses_it_with_edges() -> None:
    large, small = square(CORNER - 5, CORNER - 5, 2 * CELL_E7), square(CORNER + 7, CORNER + 8, 20)
    index = index_of(shapes_of([3, 5], [large, small]))
    (record,) = {int(start) for start in index.cells if index.records[start + 1] and index.records[start]}
    words = index.records[record : record + 5 + 16].tolist()
    assert words[:5] == [1, 1, 3, 5, 4 * 4 + CORNER_OUTSIDE]
    assert words[5:9] == [CORNER + 7, CORNER + 8, CORNER + 27, CORNER + 8]
    assert index.pairs_max == 2


def test_cells_that_the_same_fences_hold_share_a_record() -> None:
    index = index_of(shapes_of([0], [square(CORNER + 5, CORNER + 5, 40 * CELL_E7)]))
    within = [start for start in index.cells.tolist() if start != EMPTY and index.records[start + 1] == 0]
    assert len(within) == 39 * 39
    assert len(set(within)) == 1


def test_a_tile_that_is_held_has_a_record_and_no_cells() -> None:
    index = index_of(shapes_of([4], [square(CORNER, CORNER, 2 * TILE_CELLS * CELL_E7)]))
    (tile,) = np.flatnonzero(index.tiles[:, 1])
    assert index.tiles[tile, 0] == 0
    record = index.tiles[tile, 1]
    assert index.records[record : record + 3].tolist() == [1, 0, 4]


def test_parts_of_a_corridor_that_overlap_list_it_once() -> None:
    x, y = CHANGSHA
    bent: list[Shape] = [corridor([(x + k * CELL_E7 // 9, y) for k in range(40)], 3000)]
    index = index_of(shapes_of([0], bent))
    assert index.pairs_max == 1
    codes = [index.records[start + 3] & 3 for start in index.cells if start and index.records[start + 1]]
    assert set(codes) == {IN_CORRIDOR}
