"""Which positions of a batch take part, what is wrong with each, and the latest fix of every vehicle."""
# numba compiles the loops over rows: each fix is judged by what the one before left behind.

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from services.vehicle_tracking.domain.alarms.rule import Fixes, Flags
from services.vehicle_tracking.domain.drift import BELIEVED_COUNT, within_reach
from services.vehicle_tracking.domain.positions import Bytes, Int32s, Int64s, PositionBatch, PositionSource
from services.vehicle_tracking.domain.quality import Quality, motion_flags, place_flags, time_flag

# A vehicle's row; 0 in a time means never. `heard_ms`: of the last fix that took part; `fix_ms` and what follows: of
# the last positioned one; `good_…`: of the last that did not drift; `newest_ms`: room for one batch, else 0.
LATEST = np.dtype(
    [
        ("newest_ms", "<i8"),
        ("heard_ms", "<i8"),
        ("fix_ms", "<i8"),
        ("good_ms", "<i8"),
        ("longitude_e7", "<i4"),
        ("latitude_e7", "<i4"),
        ("speed_01kmh", "<i4"),
        ("good_longitude_e7", "<i4"),
        ("good_latitude_e7", "<i4"),
        ("drift_count", "<i4"),
    ]
)
_NEVER_MS = -1
_BLIND_AREA = int(PositionSource.BLIND_AREA)
_DUPLICATE, _OUT_OF_ORDER, _DRIFT = int(Quality.DUPLICATE), int(Quality.OUT_OF_ORDER), int(Quality.DRIFT)
_ARRIVAL = _NO_ROWS = np.empty(0, np.int64)
_TYPES = {"kinds": np.uint8, "lates": np.bool_, "positioned": np.bool_}
_LONG = ("rows", "batch_rows", "times_ms", "before_times_ms")
_COLUMNS: dict[str, np.dtype[Any]] = {
    field.name: np.dtype(_TYPES.get(field.name, np.int64 if field.name in _LONG else np.int32))
    for field in fields(Fixes)
}


@dataclass(frozen=True, slots=True)
class Sifted:
    """`heard`: fixes that take part; `fixes`: those of them with a place to judge; `unheard_rows`: of the vehicles of
    the positions that take no part. Of each position, (n,): `quality_flags`, and `usable`: whether it is among `fixes`.
    """

    heard: Fixes
    fixes: Fixes
    unheard_rows: Int64s
    quality_flags: Int32s
    usable: Flags


def sifted(
    positions: PositionBatch, rows: Int64s, *, latest: NDArray[Any], kinds: Bytes, late_ms: int, future_ms: int
) -> Sifted:
    """Judge positions and bring `latest` up to date. By row of vehicles: `latest` (LATEST), `kinds`. `late_ms`,
    `future_ms`: how far behind and ahead of the receiving a fix may be."""
    times_ms = positions.fix_times_ms
    disordered = len(positions) > 1 and _disordered(rows, times_ms, latest)
    order = np.argsort(times_ms, kind="stable") if disordered else _ARRIVAL
    flags, usable = np.zeros(len(positions), np.int32), np.zeros(len(positions), np.bool_)
    found = _columns(len(positions))
    given = (
        positions.longitudes_e7, positions.latitudes_e7, positions.speeds_01kmh, positions.headings_deg,
        positions.altitudes_m, positions.alarm_words, positions.status_words, positions.sources,
    )  # fmt: skip
    count = _sift(
        order, rows, times_ms, given, positions.received_time_ms, late_ms, future_ms, latest, kinds, flags, usable,
        tuple(found.values()),
    )  # fmt: skip
    heard = Fixes(**{name: column[:count] for name, column in found.items()})
    every = bool(heard.positioned.all())
    return Sifted(heard, heard if every else taken(heard, heard.positioned), _unheard(rows, heard), flags, usable)


def _unheard(rows: Int64s, heard: Fixes) -> Int64s:
    if len(heard) == len(rows):
        return _NO_ROWS
    unheard = np.ones(len(rows), np.bool_)
    unheard[heard.batch_rows] = False
    return rows[unheard]


def taken(fixes: Fixes, chosen: NDArray[Any]) -> Fixes:
    """The fixes of these indices, or for which (n,) bool is true."""
    return Fixes(**{name: getattr(fixes, name)[chosen] for name in _COLUMNS})


def _columns(count: int) -> dict[str, NDArray[Any]]:
    return {name: np.empty(count, dtype) for name, dtype in _COLUMNS.items()}


NO_FIXES = Fixes(**_columns(0))


@numba.njit(cache=True, nogil=True)
def _disordered(rows: Int64s, times_ms: Int64s, latest: Any) -> bool:
    """Whether an older fix of a vehicle comes after a newer one."""
    found = False
    for i in range(len(rows)):
        if times_ms[i] < latest[rows[i]].newest_ms:
            found = True
            break
        latest[rows[i]].newest_ms = times_ms[i]
    for i in range(len(rows)):
        latest[rows[i]].newest_ms = 0
    return found


@numba.njit(cache=True, nogil=True)
def _sift(
    order: Int64s,
    rows: Int64s,
    times_ms: Int64s,
    given: Any,
    received_ms: int,
    late_ms: int,
    future_ms: int,
    latest: Any,
    kinds: Bytes,
    flags: Int32s,
    usable: Flags,
    found: Any,
) -> int:
    longitudes, latitudes, speeds, headings, altitudes, alarm_words, status_words, sources = given
    (out_rows, out_batch_rows, out_times, out_longitudes, out_latitudes, out_speeds, out_alarms, out_kinds, out_lates,
     positioned, before_times, before_longitudes, before_latitudes, before_speeds) = found  # fmt: skip
    count = 0
    for n in range(len(rows)):
        i = order[n] if len(order) else n
        flags[i] = (
            time_flag(times_ms[i], received_ms + future_ms)
            | place_flags(longitudes[i], latitudes[i], altitudes[i])
            | motion_flags(speeds[i], headings[i], status_words[i])
        )
        if time_flag(times_ms[i], received_ms + future_ms):
            continue
        known = latest[rows[i]]
        if times_ms[i] <= known.heard_ms:
            flags[i] |= _DUPLICATE if times_ms[i] == known.heard_ms else _OUT_OF_ORDER
            continue
        known.heard_ms = times_ms[i]
        out_rows[count], out_batch_rows[count], out_times[count] = rows[i], i, times_ms[i]
        out_longitudes[count], out_latitudes[count], out_speeds[count] = longitudes[i], latitudes[i], speeds[i]
        out_alarms[count], out_kinds[count] = alarm_words[i], kinds[rows[i]]
        out_lates[count] = sources[i] == _BLIND_AREA or received_ms - times_ms[i] > late_ms
        before_times[count] = known.fix_ms if known.fix_ms else _NEVER_MS
        before_longitudes[count], before_latitudes[count] = known.longitude_e7, known.latitude_e7
        before_speeds[count] = known.speed_01kmh
        positioned[count] = usable[i] = flags[i] == 0
        if usable[i]:
            if _drifts(known, times_ms[i], longitudes[i], latitudes[i]):
                flags[i] |= _DRIFT
            known.fix_ms, known.speed_01kmh = times_ms[i], speeds[i]
            known.longitude_e7, known.latitude_e7 = longitudes[i], latitudes[i]
        count += 1
    return count


@numba.njit(cache=True, nogil=True)
def _drifts(known: Any, time_ms: int, longitude_e7: int, latitude_e7: int) -> bool:
    """Whether a fix is out of reach of the last good one; notes it as good where it is not."""
    if known.good_ms and not within_reach(
        time_ms - known.good_ms, known.good_longitude_e7, known.good_latitude_e7, longitude_e7, latitude_e7
    ):
        consistent = known.drift_count > 0 and within_reach(
            time_ms - known.fix_ms, known.longitude_e7, known.latitude_e7, longitude_e7, latitude_e7
        )
        known.drift_count = known.drift_count + 1 if consistent else 1
        if known.drift_count < BELIEVED_COUNT:
            return True
    known.good_ms, known.drift_count = time_ms, 0
    known.good_longitude_e7, known.good_latitude_e7 = longitude_e7, latitude_e7
    return False
