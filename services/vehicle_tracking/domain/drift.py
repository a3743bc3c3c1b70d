"""Drift: a fix that the vehicle cannot have reached. It is flagged and kept."""

from __future__ import annotations

import math

import numba

DRIFT_KMH = 160.0  # the highest speed of a qualified point
SCATTER_M = 50.0  # receivers scatter that much between two fixes a second apart, which is no drift
BELIEVED_COUNT = 3  # fixes in a row, each within reach of the one before: then the place left behind was the error
EARTH_RADIUS_M = 6_371_008.8

_RADIANS_A_E7 = math.pi / 180 / 1e7
_METRES_A_E7 = EARTH_RADIUS_M * _RADIANS_A_E7
_METRES_A_MS = DRIFT_KMH / 3600


@numba.njit(cache=True, nogil=True)
def distance_m(longitude_e7: int, latitude_e7: int, other_longitude_e7: int, other_latitude_e7: int) -> float:
    """Metres along the great circle, as common.geo.distance_m."""
    latitude, other_latitude = latitude_e7 * _RADIANS_A_E7, other_latitude_e7 * _RADIANS_A_E7
    half_lat = (other_latitude - latitude) / 2
    half_lon = (other_longitude_e7 - longitude_e7) * _RADIANS_A_E7 / 2
    chord = math.sin(half_lat) ** 2 + math.cos(latitude) * math.cos(other_latitude) * math.sin(half_lon) ** 2
    return 2 * EARTH_RADIUS_M * math.asin(min(1.0, math.sqrt(chord)))


@numba.njit(cache=True, nogil=True)
def within_reach(
    duration_ms: int, longitude_e7: int, latitude_e7: int, other_longitude_e7: int, other_latitude_e7: int
) -> bool:
    """Whether a vehicle can have gone from one place to the other in that time."""
    reach_m = max(SCATTER_M, duration_ms * _METRES_A_MS)
    longest_m = (abs(other_longitude_e7 - longitude_e7) + abs(other_latitude_e7 - latitude_e7)) * _METRES_A_E7
    if longest_m <= reach_m:  # spares nearly every fix the sines
        return True
    return distance_m(longitude_e7, latitude_e7, other_longitude_e7, other_latitude_e7) <= reach_m
