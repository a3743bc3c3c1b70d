"""Which cells a shape covers."""

from __future__ import annotations

import numpy as np
import pytest

from services.vehicle_tracking.domain.fence_cells import Covered, covered, works_of
from services.vehicle_tracking.domain.fence_grid import CELL_E7, TABLE_CELLS, TILE_CELLS
from services.vehicle_tracking.domain.fence_shapes import shapes_of
from services.vehicle_tracking.domain.fences import Circle, Shape
from tests.vehicle_tracking.domain.fence_worlds import CHANGSHA, corridor, square

CORNER = 64 * 67 * CELL_E7  # of a tile
METRES_A_CELL = CELL_E7 * 0.0111195


def cover_of(*shapes: Shape) -> Covered:
    return covered(shapes_of(range(len(shapes)), shapes))


def interior_cells(cover: Covered) -> int:
    return int(cover.interiors[:, 1].sum()) + TABLE_CELLS * len(cover.wholes)


def test_a_fence_within_a_cell_has_no_cell_but_that_one() -> None:
    cover = cover_of(square(CORNER + 5, CORNER + 5, 100))
    assert cover.table_count == 1
    assert set(cover.boundaries[:, 0]) == {TABLE_CELLS}
    assert cover.boundaries[:, 2].tolist() == [0, 2, 4, 6]  # each edge, and the cell's corner is outside
    assert len(cover.interiors) == len(cover.wholes) == 0


def test_cells_between_the_edges_are_interior_and_know_that_corners_are() -> None:
    cover = cover_of(square(CORNER - CELL_E7 // 2, CORNER - CELL_E7 // 2, 4 * CELL_E7))
    assert interior_cells(cover) == 9
    assert len(set(cover.boundaries[:, 0].tolist())) == 16
    assert (cover.boundaries[:, 2] & 1).any()


def test_tiles_that_a_polygon_holds_are_noted_once_instead_of_their_cells() -> None:
    cover = cover_of(square(CORNER - 5, CORNER - 5, 3 * TILE_CELLS * CELL_E7 + 10))
    assert len(cover.wholes) == 9
    assert len(cover.interiors) == 0
    assert cover.table_count == 16  # the tiles that its edges cross, not those within
    assert len(set(cover.wholes[:, 0].tolist())) == 9


@pytest.mark.parametrize(("radius_m", "wholes"), [(200, 0), (5_000, 0), (100_000, 5)])
def test_a_circle_has_about_as_many_interior_cells_as_its_area(radius_m: int, wholes: int) -> None:
    cover = cover_of(Circle(*CHANGSHA, radius_m))
    narrowing = np.cos(np.radians(CHANGSHA[1] / 1e7))
    area_cells = np.pi * (radius_m / METRES_A_CELL) ** 2 / narrowing
    rim_cells = 2 * np.pi * (radius_m / METRES_A_CELL) / narrowing
    assert area_cells - 2.5 * rim_cells - 1 <= interior_cells(cover) <= area_cells
    assert len(set(cover.boundaries[:, 0].tolist())) <= 3 * rim_cells + 9
    assert len(cover.wholes) >= wholes


def test_a_corridor_has_cells_along_its_line_only() -> None:
    x, y = CHANGSHA
    cover = cover_of(corridor([(x, y), (x + 100 * CELL_E7, y + 100 * CELL_E7)], 100))
    assert len(cover.interiors) == len(cover.wholes) == 0
    assert 200 <= len(set(cover.boundaries[:, 0].tolist())) <= 450


def test_more_cells_than_there_is_room_for_at_first_are_all_noted() -> None:
    ragged = corridor([(k * 40 * CELL_E7, (k % 2) * 300 * CELL_E7) for k in range(40)], 50)
    once, twice = cover_of(ragged), cover_of(ragged, ragged)
    assert len(once.boundaries) > 8 * 39 + 1024
    assert len(twice.boundaries) == 2 * len(once.boundaries)


def test_no_shapes_cover_nothing() -> None:
    cover = cover_of()
    assert (cover.table_count, len(cover.boundaries), len(cover.interiors), len(cover.wholes)) == (0, 0, 0, 0)


@pytest.mark.parametrize(
    "shape",
    [
        square(CORNER, CORNER, 5000),
        square(CORNER, CORNER, 200 * CELL_E7),
        Circle(*CHANGSHA, 100_000),
        corridor([(k * 40 * CELL_E7, (k % 2) * 300 * CELL_E7) for k in range(40)], 50),
        corridor([(k * 9000, (k % 5) * 30_000) for k in range(300)], 20_000),
    ],
)
def test_the_work_of_indexing_is_known_before_to_an_order_of_magnitude(shape: Shape) -> None:
    cover = cover_of(shape)
    done = 3000 * cover.table_count + len(cover.boundaries) + 64 * len(shapes_of([0], [shape]).edges)
    assert done / 5 <= works_of(shapes_of([0], [shape]))[0] <= done * 10
