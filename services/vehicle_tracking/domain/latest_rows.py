"""Rows of latest positions, one a vehicle, and taking positions into them: compiled, for gathers cost thrice that."""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from services.vehicle_tracking.domain.positions import Bytes, Int32s, Int64s, PositionBatch

LIVE_RECORD = np.dtype(
    [
        ("fix_time_ms", "<i8"),
        ("longitude_e7", "<i4"),
        ("latitude_e7", "<i4"),
        ("speed_01kmh", "<i4"),
        ("heading_deg", "<i4"),
        ("altitude_m", "<i4"),
        ("alarm_word", "<i4"),
        ("status_word", "<i4"),
        ("odometer_01km", "<i4"),
        ("quality_flags", "<i4"),
        ("source", "u1"),
        ("online", "u1"),
        ("spare", "<u2"),
    ]
)
assert LIVE_RECORD.itemsize == 48


class LatestColumns(NamedTuple):
    """Columns of positions, (n,) each, as PositionBatch has them. `usable`: whether a position may be shown."""

    rows: Int64s
    fix_times_ms: Int64s
    longitudes_e7: Int32s
    latitudes_e7: Int32s
    speeds_01kmh: Int32s
    headings_deg: Int32s
    altitudes_m: Int32s
    alarm_words: Int32s
    status_words: Int32s
    odometers_01km: Int32s
    quality_flags: Int32s
    sources: Bytes
    usable: NDArray[np.bool_]


def columns_of(
    positions: PositionBatch, rows: Int64s, quality_flags: Int32s, usable: NDArray[np.bool_]
) -> LatestColumns:
    """The columns of positions that belong to `rows`, (n,)."""
    return LatestColumns(
        rows,
        positions.fix_times_ms,
        positions.longitudes_e7,
        positions.latitudes_e7,
        positions.speeds_01kmh,
        positions.headings_deg,
        positions.altitudes_m,
        positions.alarm_words,
        positions.status_words,
        positions.odometers_01km,
        quality_flags,
        positions.sources,
        usable,
    )


@numba.njit(cache=True, nogil=True)
def take(columns: LatestColumns, records: Any, dirty: NDArray[np.bool_]) -> None:
    """Take each usable position that is not older than what its row of `records` (LIVE_RECORD) holds, in any order."""
    for i in range(len(columns.rows)):
        if not columns.usable[i]:
            continue
        record = records[columns.rows[i]]
        if columns.fix_times_ms[i] < record.fix_time_ms:
            continue
        record.fix_time_ms = columns.fix_times_ms[i]
        record.longitude_e7 = columns.longitudes_e7[i]
        record.latitude_e7 = columns.latitudes_e7[i]
        record.speed_01kmh = columns.speeds_01kmh[i]
        record.heading_deg = columns.headings_deg[i]
        record.altitude_m = columns.altitudes_m[i]
        record.alarm_word = columns.alarm_words[i]
        record.status_word = columns.status_words[i]
        record.odometer_01km = columns.odometers_01km[i]
        record.quality_flags = columns.quality_flags[i]
        record.source = columns.sources[i]
        record.online = 1
        dirty[columns.rows[i]] = True
