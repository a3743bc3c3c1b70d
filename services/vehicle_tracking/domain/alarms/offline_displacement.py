"""offline_displacement: a vehicle that was not seen for long and meanwhile went far, at a speed it can have had."""

from __future__ import annotations

import numpy as np

from common.geo import distance_m
from services.vehicle_tracking.domain.alarms.alarm import Alarm
from services.vehicle_tracking.domain.alarms.rule import NEVER_MS, NOTHING, Context, Fixes, Outcome, Rule
from services.vehicle_tracking.domain.fences import AlarmLevel

NAME = "offline_displacement"
_DEGREE_E7 = 1e7
_KM_A_MS_TO_KMH = 3_600_000


def start() -> None:
    """Every fix brings the one before it: there is nothing to remember."""


def step(_state: None, fixes: Fixes, context: Context) -> Outcome:
    """An alarm, raised and cleared at once, for each pair of fixes that proves it."""
    settings = context.settings
    gaps_ms = fixes.times_ms - fixes.before_times_ms
    chosen = np.flatnonzero(gaps_ms >= settings.displacement_gap_s * 1000)
    chosen = chosen[fixes.before_times_ms[chosen] != NEVER_MS]
    if not len(chosen):
        return NOTHING
    gone_km = (
        distance_m(
            fixes.before_longitudes_e7[chosen] / _DEGREE_E7,
            fixes.before_latitudes_e7[chosen] / _DEGREE_E7,
            fixes.longitudes_e7[chosen] / _DEGREE_E7,
            fixes.latitudes_e7[chosen] / _DEGREE_E7,
        )
        / 1000
    )
    far = gone_km > settings.displacement_km
    far &= gone_km * _KM_A_MS_TO_KMH <= settings.displacement_kmh_max * gaps_ms[chosen]
    found = zip(chosen[far].tolist(), gone_km[far].tolist(), strict=True)
    return Outcome([_alarm(fixes, fix, km, context) for fix, km in found])


def saved(_state: None) -> bytes:
    """Nothing."""
    return b""


def loaded(_wire: bytes) -> None:
    """Nothing."""


def size(_state: None) -> int:
    """None."""
    return 0


OFFLINE_DISPLACEMENT = Rule((NAME,), start, step, saved, loaded, size)


def _alarm(fixes: Fixes, fix: int, gone_km: float, context: Context) -> Alarm:
    return Alarm(
        rule=NAME,
        vehicle_id=context.vehicle_id(fixes.rows[fix]),
        raise_time_ms=int(fixes.before_times_ms[fix]),
        level=AlarmLevel.MEDIUM,
        clear_time_ms=int(fixes.times_ms[fix]),
        evidence=(*fixes.evidence_before(fix), fixes.evidence(fix)),
        late=bool(fixes.lates[fix]),
        measured_value=gone_km,
        limit_value=context.settings.displacement_km,
        create_time_ms=context.received_time_ms,
    )
