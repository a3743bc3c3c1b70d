"""Chinese map datums: WGS-84 (CGCS2000) ↔ GCJ-02 ↔ BD-09, both ways, over arrays of degrees.

GCJ-02 shifts what lies inside the box around China by up to 0.01 degree and leaves the rest of the world alone. BD-09
shifts GCJ-02 once more. Neither has a closed inverse: it is found by iteration, to better than 1e-9 degree. NaN in
gives NaN out.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Pair = tuple[Floats, Floats]
Shift = Callable[[Floats, Floats], Pair]

_SEMI_MAJOR_AXIS_M = 6_378_245.0  # Krasovsky 1940, which GCJ-02 computes with
_ECCENTRICITY_SQUARED = 0.00669342162296594323
_LON_MIN, _LON_MAX = 72.004, 137.8347  # outside this box GCJ-02 is WGS-84
_LAT_MIN, _LAT_MAX = 0.8293, 55.8271
_BD_ANGLE = np.pi * 3000 / 180
_BD_LON_DEG, _BD_LAT_DEG = 0.0065, 0.006
_ERROR_DEG_MAX = 1e-11
_ITERATIONS_MAX = 20  # the error shrinks fiftyfold each time, so ten are enough


class Datum(StrEnum):
    """What a coordinate on a Chinese map may mean."""

    WGS84 = "WGS84"
    GCJ02 = "GCJ02"
    BD09 = "BD09"


def to_wgs84(lon: ArrayLike, lat: ArrayLike, datum: Datum) -> Pair:
    """Longitudes and latitudes drawn in `datum`, in WGS-84."""
    points = _pair(lon, lat)
    if datum is Datum.BD09:
        points = bd09_to_gcj02(*points)
    return points if datum is Datum.WGS84 else gcj02_to_wgs84(*points)


def from_wgs84(lon: ArrayLike, lat: ArrayLike, datum: Datum) -> Pair:
    """WGS-84 longitudes and latitudes, as drawn in `datum`."""
    points = _pair(lon, lat)
    if datum is not Datum.WGS84:
        points = wgs84_to_gcj02(*points)
    return gcj02_to_bd09(*points) if datum is Datum.BD09 else points


def wgs84_to_gcj02(lon: ArrayLike, lat: ArrayLike) -> Pair:
    """WGS-84 to GCJ-02."""
    points = _pair(lon, lat)
    return _where(_in_box(*points), _gcj02(*points), points)


def gcj02_to_wgs84(lon: ArrayLike, lat: ArrayLike) -> Pair:
    """GCJ-02 to WGS-84."""
    points = _pair(lon, lat)
    found = _inverse(_gcj02, points)
    return _where(_in_box(*found), found, points)


def gcj02_to_bd09(lon: ArrayLike, lat: ArrayLike) -> Pair:
    """GCJ-02 to BD-09."""
    return _bd09(*_pair(lon, lat))


def bd09_to_gcj02(lon: ArrayLike, lat: ArrayLike) -> Pair:
    """BD-09 to GCJ-02."""
    return _inverse(_bd09, _pair(lon, lat))


def _gcj02(lon: Floats, lat: Floats) -> Pair:
    """The shift of GCJ-02 as if the whole world were inside the box: smooth, so that it can be inverted."""
    x, y = lon - 105.0, lat - 35.0
    root = np.sqrt(np.abs(x))
    shared = (20 * np.sin(6 * x * np.pi) + 20 * np.sin(2 * x * np.pi)) * 2 / 3
    north_m = (
        (-100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root)
        + shared
        + (20 * np.sin(y * np.pi) + 40 * np.sin(y / 3 * np.pi)) * 2 / 3
        + (160 * np.sin(y / 12 * np.pi) + 320 * np.sin(y / 30 * np.pi)) * 2 / 3
    )
    east_m = (
        (300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root)
        + shared
        + (20 * np.sin(x * np.pi) + 40 * np.sin(x / 3 * np.pi)) * 2 / 3
        + (150 * np.sin(x / 12 * np.pi) + 300 * np.sin(x / 30 * np.pi)) * 2 / 3
    )
    latitude = np.radians(lat)
    curvature = 1 - _ECCENTRICITY_SQUARED * np.sin(latitude) ** 2
    meridian_m = _SEMI_MAJOR_AXIS_M * (1 - _ECCENTRICITY_SQUARED) / curvature**1.5
    parallel_m = _SEMI_MAJOR_AXIS_M / np.sqrt(curvature) * np.cos(latitude)
    return lon + np.degrees(east_m / parallel_m), lat + np.degrees(north_m / meridian_m)


def _bd09(lon: Floats, lat: Floats) -> Pair:
    radius = np.hypot(lon, lat) + 0.00002 * np.sin(lat * _BD_ANGLE)
    angle = np.arctan2(lat, lon) + 0.000003 * np.cos(lon * _BD_ANGLE)
    return radius * np.cos(angle) + _BD_LON_DEG, radius * np.sin(angle) + _BD_LAT_DEG


def _inverse(shift: Shift, target: Pair) -> Pair:
    """Where `shift` came from: go back by as much as the guess overshoots, until it no longer does."""
    lon, lat = target
    for _ in range(_ITERATIONS_MAX):
        shifted_lon, shifted_lat = shift(lon, lat)
        error_lon, error_lat = target[0] - shifted_lon, target[1] - shifted_lat
        lon, lat = lon + error_lon, lat + error_lat
        if not np.any(np.maximum(np.abs(error_lon), np.abs(error_lat)) > _ERROR_DEG_MAX):
            break
    return lon, lat


def _in_box(lon: Floats, lat: Floats) -> NDArray[np.bool_]:
    return (lon >= _LON_MIN) & (lon <= _LON_MAX) & (lat >= _LAT_MIN) & (lat <= _LAT_MAX)


def _where(condition: NDArray[np.bool_], chosen: Pair, otherwise: Pair) -> Pair:
    return np.where(condition, chosen[0], otherwise[0]), np.where(condition, chosen[1], otherwise[1])


def _pair(lon: ArrayLike, lat: ArrayLike) -> Pair:
    return np.asarray(lon, np.float64), np.asarray(lat, np.float64)
