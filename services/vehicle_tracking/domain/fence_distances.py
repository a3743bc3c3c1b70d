"""Compiled distances on the ground, in the words of common.geo. Coordinates in 1e-7 degree, results in metres."""

from __future__ import annotations

import math

import numba

from common.geo import EARTH_RADIUS_M, METRES_PER_DEGREE
from services.vehicle_tracking.domain.fence_shapes import CIRCLE
from services.vehicle_tracking.domain.positions import Int32s

METRES_PER_E7 = METRES_PER_DEGREE * 1e-7
RADIANS_PER_E7 = math.radians(1e-7)
_RADIUS_M = EARTH_RADIUS_M
_THIRDS = 40  # of a line dropped one after the other: 5 km shrink to half a millimetre


@numba.njit(cache=True, nogil=True)
def circle_distance_m(x: float, y: float, other_x: float, other_y: float) -> float:
    """Along the great circle, as common.geo.distance_m."""
    latitude, other_latitude = y * RADIANS_PER_E7, other_y * RADIANS_PER_E7
    half_lat = math.sin((other_latitude - latitude) / 2)
    half_lon = math.sin((other_x - x) * RADIANS_PER_E7 / 2)
    chord = half_lat * half_lat + math.cos(latitude) * math.cos(other_latitude) * half_lon * half_lon
    return 2 * _RADIUS_M * math.asin(math.sqrt(min(1.0, chord)))


@numba.njit(cache=True, nogil=True)
def line_distance_m(x: float, y: float, scale: float, x1: float, y1: float, x2: float, y2: float) -> float:
    """To a straight edge on the flat map of common.geo.polyline_distance_m; `scale`: cosine of the point's latitude."""
    east, north = (x1 - x) * scale, y1 - y
    step_east, step_north = (x2 - x1) * scale, y2 - y1
    length_squared = step_east * step_east + step_north * step_north
    share = 0.0
    if length_squared > 0:
        share = min(1.0, max(0.0, -(east * step_east + north * step_north) / length_squared))
    return math.hypot(east + share * step_east, north + share * step_north) * METRES_PER_E7


@numba.njit(cache=True, nogil=True)
def edge_distance_m(x: float, y: float, scale: float, edges: Int32s, edge: int, kind: int) -> float:
    """From a point to an edge of a shape of that kind."""
    if kind == CIRCLE:
        return circle_distance_m(x, y, edges[edge, 0], edges[edge, 1])
    return line_distance_m(x, y, scale, edges[edge, 0], edges[edge, 1], edges[edge, 2], edges[edge, 3])


@numba.njit(cache=True, nogil=True)
def within_m(x: float, y: float, edges: Int32s, kind: int, bound_m: float) -> bool:
    """Whether some edge is at most `bound_m` away."""
    scale = math.cos(y * RADIANS_PER_E7)
    for edge in range(len(edges)):  # noqa: SIM110 – numba compiles no generators
        if edge_distance_m(x, y, scale, edges, edge, kind) <= bound_m:
            return True
    return False


@numba.njit(cache=True, nogil=True)
def passing_m(line: tuple[float, float, float, float], edges: Int32s, edge: int, kind: int) -> float:
    """The least distance between the places of a line that is straight in degrees and an edge: along the line the
    distance falls, then rises."""
    x1, y1, x2, y2 = line
    low, high = 0.0, 1.0
    for _ in range(_THIRDS):
        third = (high - low) / 3
        if _from_line_m(x1, y1, x2, y2, low + third, edges, edge, kind) <= _from_line_m(
            x1, y1, x2, y2, high - third, edges, edge, kind
        ):
            high -= third
        else:
            low += third
    return _from_line_m(x1, y1, x2, y2, (low + high) / 2, edges, edge, kind)


@numba.njit(cache=True, nogil=True)
def _from_line_m(
    x1: float, y1: float, x2: float, y2: float, share: float, edges: Int32s, edge: int, kind: int
) -> float:
    x, y = x1 + (x2 - x1) * share, y1 + (y2 - y1) * share
    return edge_distance_m(x, y, math.cos(y * RADIANS_PER_E7), edges, edge, kind)
