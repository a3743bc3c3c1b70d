"""Shapes of fences as edges: what the kernels read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.vehicle_tracking.domain.fences import Circle, Corridor, Polygon, Shape
from services.vehicle_tracking.domain.positions import Bytes, Int32s, Int64s

POLYGON, CIRCLE, CORRIDOR = 0, 1, 2


class Shapes(NamedTuple):
    """Shapes of m fences. `slots`: (m,) the place of each in the columns of its fence set. `edges`: (e, 4) first and
    second longitude and latitude; those of shape k are edges[starts[k] : starts[k + 1]]. A circle is one edge without
    length. `reaches_m`: (m,) how far the area goes from its edges, 0 for polygons."""

    slots: Int32s
    kinds: Bytes
    reaches_m: NDArray[np.float64]
    starts: Int64s
    edges: Int32s


def shapes_of(slots: Sequence[int], shapes: Sequence[Shape]) -> Shapes:
    """The shapes as arrays."""
    edges = [edges_of(shape) for shape in shapes]
    starts = np.zeros(len(shapes) + 1, np.int64)
    np.cumsum([len(some) for some in edges], out=starts[1:])
    return Shapes(
        np.array(slots, np.int32),
        np.array([kind_of(shape) for shape in shapes], np.uint8),
        np.array([reach_m(shape) for shape in shapes], np.float64),
        starts,
        np.ascontiguousarray(np.concatenate(edges or [np.empty((0, 4), np.int32)])),
    )


def kind_of(shape: Shape) -> int:
    """POLYGON, CIRCLE or CORRIDOR."""
    match shape:
        case Polygon():
            return POLYGON
        case Circle():
            return CIRCLE
        case Corridor():
            return CORRIDOR


def reach_m(shape: Shape) -> float:
    """How far the area goes from its edges, metres."""
    match shape:
        case Polygon():
            return 0.0
        case Circle():
            return float(shape.radius_m)
        case Corridor():
            return shape.width_m / 2


def edges_of(shape: Shape) -> Int32s:
    """(e, 4): the edges of every ring, the parts of a line, or the centre twice. None is without length but a circle's
    and that of a line that is a point."""
    match shape:
        case Polygon():
            rings = [_joined(ring.longitudes_e7, ring.latitudes_e7, closed=True) for ring in shape.rings]
            return np.concatenate(rings)
        case Circle():
            return np.array([[shape.longitude_e7, shape.latitude_e7] * 2], np.int32)
        case Corridor():
            return _joined(shape.longitudes_e7, shape.latitudes_e7, closed=False)


def _joined(longitudes_e7: Int32s, latitudes_e7: Int32s, *, closed: bool) -> Int32s:
    points = np.column_stack([longitudes_e7, latitudes_e7]).astype(np.int32)
    edges = np.column_stack([points, np.roll(points, -1, axis=0)])
    edges = edges if closed else edges[:-1]
    has_length = (edges[:, :2] != edges[:, 2:]).any(axis=1)
    return edges[has_length] if has_length.any() else edges[:1]
