"""What is wrong with a position, a reason a bit: the qualified-point check of the national score sheets, and ours."""

from __future__ import annotations

from enum import IntFlag

import numba


class Quality(IntFlag):
    """Reasons; the numbers are stored with tracks, so none is ever given another meaning."""

    TIME = 1 << 0
    LONGITUDE = 1 << 1
    LATITUDE = 1 << 2
    SPEED = 1 << 3
    HEADING = 1 << 4
    ALTITUDE = 1 << 5
    NOT_POSITIONED = 1 << 6
    ENCRYPTED = 1 << 7
    DUPLICATE = 1 << 8
    OUT_OF_ORDER = 1 << 9
    DRIFT = 1 << 10


LONGITUDES_E7 = (735_500_000, 1_350_833_333)  # 73°33' to 135°05' east
LATITUDES_E7 = (38_500_000, 535_500_000)  # 3°51' to 53°33' north
SPEED_01KMH_MAX = 1600
HEADING_DEG_MAX = 360  # terminals write north both ways
ALTITUDES_M = (-200, 6500)
STATUS_POSITIONED, STATUS_ENCRYPTED = 1 << 1, 1 << 5

# Compiled functions know numbers only.
_TIME, _LONGITUDE, _LATITUDE = int(Quality.TIME), int(Quality.LONGITUDE), int(Quality.LATITUDE)
_SPEED, _HEADING, _ALTITUDE = int(Quality.SPEED), int(Quality.HEADING), int(Quality.ALTITUDE)
_NOT_POSITIONED, _ENCRYPTED = int(Quality.NOT_POSITIONED), int(Quality.ENCRYPTED)
_WEST, _EAST = LONGITUDES_E7
_SOUTH, _NORTH = LATITUDES_E7
_LOW, _HIGH = ALTITUDES_M


@numba.njit(cache=True, nogil=True)
def time_flag(fix_time_ms: int, newest_ms: int) -> int:
    """TIME for a fix after `newest_ms`, when it cannot have been taken yet, or from before 1970, else 0."""
    return 0 if 0 < fix_time_ms <= newest_ms else _TIME


@numba.njit(cache=True, nogil=True)
def place_flags(longitude_e7: int, latitude_e7: int, altitude_m: int) -> int:
    """Which of LONGITUDE, LATITUDE, ALTITUDE are out of their range."""
    flags = 0
    if not _WEST <= longitude_e7 <= _EAST:
        flags |= _LONGITUDE
    if not _SOUTH <= latitude_e7 <= _NORTH:
        flags |= _LATITUDE
    if not _LOW <= altitude_m <= _HIGH:
        flags |= _ALTITUDE
    return flags


@numba.njit(cache=True, nogil=True)
def motion_flags(speed_01kmh: int, heading_deg: int, status_word: int) -> int:
    """Which of SPEED, HEADING, NOT_POSITIONED, ENCRYPTED hold."""
    flags = 0
    if not 0 <= speed_01kmh <= SPEED_01KMH_MAX:
        flags |= _SPEED
    if not 0 <= heading_deg <= HEADING_DEG_MAX:
        flags |= _HEADING
    if not status_word & STATUS_POSITIONED:
        flags |= _NOT_POSITIONED
    if status_word & STATUS_ENCRYPTED:
        flags |= _ENCRYPTED
    return flags
