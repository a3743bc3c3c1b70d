"""Polygons are held exactly as shapely says; circles and corridors as their distances say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.vehicle_tracking.domain.fence_grid import CELL_E7
from services.vehicle_tracking.domain.fence_set import fence_set
from services.vehicle_tracking.domain.fences import Circle, Polygon, Shape
from services.vehicle_tracking.domain.positions import Int32s
from tests.vehicle_tracking.domain.fence_worlds import (
    CHANGSHA,
    corridor,
    expected,
    fences_of,
    found,
    polygon,
    square,
    star,
)

CORNER = 4300 * CELL_E7  # a corner of a cell near 28 degrees


def agree(shapes: list[Shape], longitudes_e7: Int32s, latitudes_e7: Int32s) -> None:
    fences = fence_set(fences_of(shapes))
    pairs = fences.containing(longitudes_e7, latitudes_e7)
    assert found(pairs, fences.fence_ids) == expected(shapes, longitudes_e7, latitudes_e7)


def grid_points(x: int, y: int, reach: int, step: int = 1) -> tuple[Int32s, Int32s]:
    """Every point of a square around a place."""
    offsets = np.arange(-reach, reach + 1, step)
    xs, ys = np.meshgrid(x + offsets, y + offsets)
    return xs.ravel().astype(np.int32), ys.ravel().astype(np.int32)


points = st.tuples(st.integers(-6, 6), st.integers(-6, 6))


@settings(max_examples=150, deadline=None)
@given(st.lists(points, min_size=3, max_size=9))
def test_a_polygon_holds_what_shapely_says_on_every_place_around_a_corner_of_cells(
    offsets: list[tuple[int, int]],
) -> None:
    """Also rings that cross themselves, with corners in one place and edges upon edges are even-odd."""
    shape = polygon([(CORNER + x, CORNER + y) for x, y in offsets])
    xs, ys = grid_points(CORNER, CORNER, 8)
    fences = fence_set(fences_of([shape]))
    inside = np.diff(fences.containing(xs, ys).starts) == 1
    assert inside.tolist() == [_even_odd(offsets, x - CORNER, y - CORNER) for x, y in zip(xs, ys, strict=True)]


def _even_odd(corners: list[tuple[int, int]], x: int, y: int) -> bool:
    inside = False
    for (x1, y1), (x2, y2) in zip(corners, corners[1:] + corners[:1], strict=True):
        across = (x2 - x1) * (y - y1) - (x - x1) * (y2 - y1)
        if across == 0 and min(x1, x2) <= x <= max(x1, x2) and min(y1, y2) <= y <= max(y1, y2):
            return True
        if (y1 > y) != (y2 > y):
            inside ^= (across > 0) == (y2 > y1)
    return inside


@pytest.mark.parametrize("radius_e7", [20, 3_000, 70_000, 900_000, 5_000_000, 40_000_000])
def test_polygons_of_every_size_hold_what_shapely_says(radius_e7: int) -> None:
    rng = np.random.default_rng(radius_e7)
    shapes: list[Shape] = [star(rng, CHANGSHA, radius_e7 * rng.uniform(0.5, 1)) for _ in range(20)]
    near = rng.integers(-radius_e7, radius_e7 + 1, (2, 5000))
    agree(shapes, (CHANGSHA[0] + near[0]).astype(np.int32), (CHANGSHA[1] + near[1]).astype(np.int32))


def test_corners_edges_and_places_beside_them_are_judged_exactly() -> None:
    rng = np.random.default_rng(5)
    shapes: list[Shape] = [star(rng, CHANGSHA, 400_000) for _ in range(30)]
    corners = np.concatenate([np.column_stack([s.rings[0].longitudes_e7, s.rings[0].latitudes_e7]) for s in shapes])  # type: ignore[union-attr]  # all are polygons
    middles = (corners[1:].astype(np.int64) + corners[:-1]) // 2
    places = np.concatenate([corners, middles]).astype(np.int64)
    places = np.concatenate([places + np.array([dx, dy]) for dx in (-1, 0, 1) for dy in (-1, 0, 1)])
    agree(shapes, places[:, 0].astype(np.int32), places[:, 1].astype(np.int32))


def test_holes_islands_in_holes_and_touching_rings_are_even_odd() -> None:
    x, y = CORNER, CORNER
    shape = Polygon(
        square(x - 9, y - 9, 18).rings
        + square(x - 6, y - 6, 12).rings
        + square(x - 3, y - 3, 6).rings
        + polygon([(x - 9, y), (x - 7, y - 1), (x - 7, y + 1)]).rings  # touches the outer edge in a point
    )
    agree([shape], *grid_points(x, y, 12))


def test_a_fence_larger_than_tiles_holds_what_shapely_says() -> None:
    rng = np.random.default_rng(9)
    china = polygon([(800_000_000, 250_000_000), (1_300_000_000, 200_000_000), (1_250_000_000, 500_000_000)])
    wide = polygon([(-1_800_000_000, -100_000_000), (1_800_000_000, -100_000_000), (1_800_000_000, 300_000_000),
                    (-1_800_000_000, 300_000_000)])  # fmt: skip
    xs, ys = rng.integers(-1_800_000_000, 1_800_000_001, 20_000), rng.integers(-900_000_000, 900_000_001, 20_000)
    agree([china, wide], xs.astype(np.int32), ys.astype(np.int32))


@pytest.mark.parametrize("latitude_e7", [-600_000_000, 0, 282_300_000, 700_000_000])
@pytest.mark.parametrize("radius_m", [1, 50, 3_000, 200_000])
def test_a_circle_holds_what_is_within_its_radius(latitude_e7: int, radius_m: int) -> None:
    rng = np.random.default_rng(radius_m)
    reach_e7 = int(radius_m * 100 * 3.1)
    xs, ys = rng.integers(-reach_e7, reach_e7 + 1, (2, 4000))
    agree(
        [Circle(CHANGSHA[0], latitude_e7, radius_m)],
        (CHANGSHA[0] + xs).astype(np.int32),
        (latitude_e7 + ys // 2).astype(np.int32),
    )


@pytest.mark.parametrize("latitude_e7", [-600_000_000, 0, 282_300_000])
@pytest.mark.parametrize(("length_e7", "width_m"), [(500, 4), (200_000, 60), (3_000_000, 20_000), (20_000_000, 500)])
def test_a_corridor_holds_what_is_within_half_its_width(latitude_e7: int, length_e7: int, width_m: int) -> None:
    rng = np.random.default_rng(length_e7)
    line = np.cumsum(rng.integers(-length_e7, length_e7 + 1, (12, 2)), axis=0) + np.array([CHANGSHA[0], latitude_e7])
    near = line[rng.integers(0, 12, 4000)] + rng.normal(0, max(length_e7 / 5, width_m * 100), (4000, 2))
    on_line = (line[:-1] + line[1:]) / 2 + rng.normal(0, width_m * 50, (11, 2))
    places = np.concatenate([near, on_line])
    agree([corridor(line.tolist(), width_m)], places[:, 0].astype(np.int32), places[:, 1].astype(np.int32))


def test_kinds_of_shapes_in_the_same_cells_do_not_disturb_each_other() -> None:
    rng = np.random.default_rng(11)
    shapes: list[Shape] = []
    for _ in range(60):
        x, y = (int(place + rng.integers(-300_000, 300_000)) for place in CHANGSHA)
        shapes += [star(rng, (x, y), 60_000), Circle(x, y, int(rng.integers(1, 900)))]
        shapes.append(corridor([(x, y), (x + 90_000, y + 9), (x + 90_000, y + 90_000)], int(rng.integers(2, 300))))
    near = rng.integers(-400_000, 400_001, (2, 5000))
    agree(shapes, (CHANGSHA[0] + near[0]).astype(np.int32), (CHANGSHA[1] + near[1]).astype(np.int32))


def test_pairs_that_outgrow_the_room_are_all_found() -> None:
    fences = fence_set(fences_of([square(CORNER - 10 - k, CORNER - 10, 400) for k in range(300)]))
    places = np.full(1000, CORNER, np.int32)
    assert np.diff(fences.containing(places, places).starts).tolist() == [300] * 1000
