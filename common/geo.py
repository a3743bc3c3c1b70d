"""Geodesy over arrays: distance, bearing, destination, distance to a line. Degrees, WGS-84; NaN in gives NaN out.

The earth is a sphere here, of its mean radius: distances are within 0.6 % of the ellipsoid's.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

EARTH_RADIUS_M = 6_371_008.8  # the mean radius of WGS-84
METRES_PER_DEGREE = EARTH_RADIUS_M * np.pi / 180
_PAIRS_AT_ONCE = 1 << 20  # bounds the memory of a point-to-line table to a few times 8 MB

Floats = NDArray[np.float64]


def distance_m(lon: ArrayLike, lat: ArrayLike, other_lon: ArrayLike, other_lat: ArrayLike) -> Floats:
    """Metres between points along the great circle. Arguments broadcast."""
    latitude, other_latitude = np.radians(lat), np.radians(other_lat)
    half_lat = (other_latitude - latitude) / 2
    half_lon = np.radians(np.subtract(other_lon, lon)) / 2
    chord = np.sin(half_lat) ** 2 + np.cos(latitude) * np.cos(other_latitude) * np.sin(half_lon) ** 2
    return _floats(2 * EARTH_RADIUS_M * np.arcsin(np.sqrt(np.clip(chord, 0, 1))))


def bearing_deg(lon: ArrayLike, lat: ArrayLike, other_lon: ArrayLike, other_lat: ArrayLike) -> Floats:
    """The direction in which one sets out from a point to another, [0, 360) clockwise from north; 0 for the same
    point. Arguments broadcast."""
    latitude, other_latitude = np.radians(lat), np.radians(other_lat)
    delta = np.radians(np.subtract(other_lon, lon))
    east = np.sin(delta) * np.cos(other_latitude)
    north = np.cos(latitude) * np.sin(other_latitude) - np.sin(latitude) * np.cos(other_latitude) * np.cos(delta)
    degrees = np.degrees(np.arctan2(east, north)) % 360
    return _floats(np.where(degrees >= 360, 0.0, degrees))  # -1e-17 % 360 rounds to 360


def destination(
    lon: ArrayLike, lat: ArrayLike, *, bearing_deg: ArrayLike, distance_m: ArrayLike
) -> tuple[Floats, Floats]:
    """Longitude and latitude after going `distance_m` from a point towards `bearing_deg` along the great circle."""
    latitude, bearing = np.radians(lat), np.radians(bearing_deg)
    angle = np.asarray(distance_m, np.float64) / EARTH_RADIUS_M
    sine = np.sin(latitude) * np.cos(angle) + np.cos(latitude) * np.sin(angle) * np.cos(bearing)
    reached_lat = np.arcsin(np.clip(sine, -1, 1))
    east = np.sin(bearing) * np.sin(angle) * np.cos(latitude)
    reached_lon = np.degrees(np.arctan2(east, np.cos(angle) - np.sin(latitude) * sine)) + lon
    return _floats(wrapped_lon(reached_lon)), _floats(np.degrees(reached_lat))


def polyline_distance_m(lon: ArrayLike, lat: ArrayLike, line_lon: ArrayLike, line_lat: ArrayLike) -> Floats:
    """Metres from each point, (n,), to the nearest place on a line of m ≥ 1 vertices, (m,). Returns (n,).

    Each point sees the line on a flat map whose scale is true at the point's own latitude, so what is near is
    measured best: within 0.1 % up to 20 km in Hunan.
    """
    points_lon, points_lat = np.atleast_1d(_floats(lon)), np.atleast_1d(_floats(lat))
    vertices_lon, vertices_lat = np.atleast_1d(_floats(line_lon)), np.atleast_1d(_floats(line_lat))
    assert vertices_lon.size == vertices_lat.size >= 1
    result = np.empty(points_lon.size)
    step = max(1, _PAIRS_AT_ONCE // vertices_lon.size)
    for start in range(0, points_lon.size, step):  # in slices: the table of all pairs could outgrow memory
        part = slice(start, start + step)
        east, north = _offsets_m(points_lon[part, None], points_lat[part, None], vertices_lon, vertices_lat)
        result[part] = _nearest_m(east, north)
    return result


def wrapped_lon(lon: ArrayLike) -> Floats:
    """Longitudes brought into [-180, 180)."""
    return _floats((np.asarray(lon, np.float64) + 180) % 360 - 180)


def _offsets_m(lon: Floats, lat: Floats, line_lon: Floats, line_lat: Floats) -> tuple[Floats, Floats]:
    """How far east and north of each point every vertex is, (n, m). A line may cross the date line."""
    first = wrapped_lon(line_lon[0] - lon)
    along = np.concatenate(([0.0], np.cumsum(wrapped_lon(np.diff(line_lon)))))
    east = (first + along) * np.cos(np.radians(lat)) * METRES_PER_DEGREE
    return east, (line_lat - lat) * METRES_PER_DEGREE


def _nearest_m(east: Floats, north: Floats) -> Floats:
    """Distance from the origin to the polyline of each row."""
    if east.shape[1] == 1:
        return _floats(np.hypot(east[:, 0], north[:, 0]))
    start_east, start_north = east[:, :-1], north[:, :-1]
    step_east, step_north = np.diff(east, axis=1), np.diff(north, axis=1)
    length_squared = step_east**2 + step_north**2
    towards = -(start_east * step_east + start_north * step_north)
    share = np.clip(np.divide(towards, length_squared, out=np.zeros_like(towards), where=length_squared > 0), 0, 1)
    return _floats(np.hypot(start_east + share * step_east, start_north + share * step_north).min(axis=1))


def _floats(values: Any) -> Floats:
    return np.asarray(values, np.float64)
