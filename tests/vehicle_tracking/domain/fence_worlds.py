"""Fences and points for tests, and what shapely and plain distances say of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import shapely
from numpy.typing import NDArray

from common.geo import distance_m, polyline_distance_m
from services.vehicle_tracking.domain.fence_set import Pairs
from services.vehicle_tracking.domain.fences import Circle, Corridor, Fence, Polygon, Ring, Shape
from services.vehicle_tracking.domain.positions import Int32s

CHANGSHA = (1_129_400_000, 282_300_000)
Found = set[tuple[int, int]]


def ring(points: Sequence[Sequence[int]]) -> Ring:
    """A ring through points (longitude, latitude)."""
    array = np.array(points, np.int32)
    return Ring(array[:, 0].copy(), array[:, 1].copy())


def polygon(*rings: Sequence[Sequence[int]]) -> Polygon:
    """A polygon with those rings."""
    return Polygon(tuple(ring(points) for points in rings))


def square(x: int, y: int, side: int) -> Polygon:
    """A square from its lower left corner."""
    return polygon([(x, y), (x + side, y), (x + side, y + side), (x, y + side)])


def corridor(points: Sequence[Sequence[int]], width_m: int) -> Corridor:
    """A corridor along points (longitude, latitude)."""
    line = ring(points)
    return Corridor(line.longitudes_e7, line.latitudes_e7, width_m)


def fences_of(shapes: Sequence[Shape]) -> list[Fence]:
    """A fence for each shape, with ids from 1 on."""
    return [Fence(fence_id, f"fence {fence_id}", shape) for fence_id, shape in enumerate(shapes, start=1)]


def star(rng: np.random.Generator, centre: tuple[int, int], radius_e7: float) -> Polygon:
    """A polygon without crossings; its corners stand around the centre."""
    while True:
        count = int(rng.integers(3, 40))
        angles = np.sort(rng.uniform(0, 2 * np.pi, count))
        out = radius_e7 * rng.uniform(0.3, 1, count)
        points = np.rint(np.column_stack([np.cos(angles), np.sin(angles)]) * out[:, None] + centre).astype(np.int64)
        if shapely.Polygon(points).is_valid:
            return polygon(points.tolist())


def holds(shape: Shape, longitudes_e7: Int32s, latitudes_e7: Int32s) -> NDArray[np.bool_]:
    """Which points a shape holds, by other means than the index."""
    match shape:
        case Polygon():
            points = shapely.points(longitudes_e7.astype(np.float64), latitudes_e7.astype(np.float64))
            outlines = [shapely.Polygon(np.column_stack([r.longitudes_e7, r.latitudes_e7])) for r in shape.rings]
            inside = [shapely.contains_properly(outline, points) for outline in outlines]
            on_edge = [shapely.intersects(outline.exterior, points) for outline in outlines]
            return np.asarray(np.logical_xor.reduce(inside) | np.logical_or.reduce(on_edge), np.bool_)
        case Circle():
            away = distance_m(
                shape.longitude_e7 / 1e7, shape.latitude_e7 / 1e7, longitudes_e7 / 1e7, latitudes_e7 / 1e7
            )
            return away <= shape.radius_m
        case Corridor():
            line = shape.longitudes_e7 / 1e7, shape.latitudes_e7 / 1e7
            return polyline_distance_m(longitudes_e7 / 1e7, latitudes_e7 / 1e7, *line) <= shape.width_m / 2


def expected(shapes: Sequence[Shape], longitudes_e7: Int32s, latitudes_e7: Int32s) -> Found:
    """Pairs of point and fence id, as `fences_of` numbers them."""
    return {
        (int(point), fence_id)
        for fence_id, shape in enumerate(shapes, start=1)
        for point in np.flatnonzero(holds(shape, longitudes_e7, latitudes_e7))
    }


def found(pairs: Pairs, fence_ids: NDArray[np.int64]) -> Found:
    """Pairs of point and fence id; each must be there once."""
    points = np.repeat(np.arange(len(pairs.starts) - 1), np.diff(pairs.starts))
    result = set(zip(points.tolist(), fence_ids[pairs.slots].tolist(), strict=True))
    assert len(result) == len(pairs.slots)
    return result
