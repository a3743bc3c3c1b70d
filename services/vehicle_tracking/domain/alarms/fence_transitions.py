"""fence_enter, fence_exit, fence_cross: a vehicle changed sides of a fence, or went through one between two fixes."""

from __future__ import annotations

import numpy as np

from services.vehicle_tracking.domain.alarms.alarm import Alarm, EvidencePosition
from services.vehicle_tracking.domain.alarms.rule import Context, Fixes, Outcome, Rule
from services.vehicle_tracking.domain.fence_sides import Changes, Sides, changes, loaded, saved
from services.vehicle_tracking.domain.fence_sides_rows import LATE, LEFT, SIDE, Columns
from services.vehicle_tracking.domain.fences import AlarmLevel, FenceTrigger
from services.vehicle_tracking.domain.judgement import Transitions

NAMES: dict[int, str] = {
    FenceTrigger.ENTER: "fence_enter",
    FenceTrigger.EXIT: "fence_exit",
    FenceTrigger.CROSS: "fence_cross",
}
_CLEARED = {  # whose alarm an event ends
    LEFT: FenceTrigger.ENTER,
    FenceTrigger.ENTER: FenceTrigger.EXIT,
    FenceTrigger.EXIT: FenceTrigger.ENTER,
}
_CROSS = int(FenceTrigger.CROSS)
_LEVELS = {int(level): level for level in AlarmLevel}  # faster than asking the enumeration
_SIDE_TIME_MS, _RAISED = ((SIDE.names or ()).index(name) for name in ("side_time_ms", "raised"))


def step(state: Sides, fixes: Fixes, context: Context) -> Outcome:
    """Transitions, whether somebody asked for them or not, and the alarms of those that trigger one."""
    found = changes(
        state,
        _columns(fixes, context.received_time_ms),
        context.pairs,
        context.fences,
        row_count=context.row_count,
        cross_gap_ms=context.settings.cross_gap_s * 1000,
    )
    return Outcome(_alarms(found, fixes, context), _transitions(found, fixes, context))


def size(state: Sides) -> int:
    """Bytes of memory."""
    return state.nbytes


FENCE_TRANSITIONS = Rule(tuple(NAMES.values()), Sides, step, saved, loaded, size)


def _columns(fixes: Fixes, received_time_ms: int) -> Columns:
    return Columns(
        fixes.rows,
        fixes.times_ms,
        fixes.longitudes_e7,
        fixes.latitudes_e7,
        fixes.speeds_01kmh,
        fixes.kinds,
        fixes.lates,
        fixes.before_times_ms,
        fixes.before_longitudes_e7,
        fixes.before_latitudes_e7,
        received_time_ms,
    )


def _transitions(found: Changes, fixes: Fixes, context: Context) -> Transitions:
    moved = found.events["kind"] != LEFT
    events = found.events[moved]
    kinds = events["kind"].astype(np.uint8)
    vehicle_ids = fixes.rows[events["fix"]] * context.partition_count + context.partition
    return Transitions(vehicle_ids, events["fence_id"], kinds, events["time_ms"])


def _alarms(found: Changes, fixes: Fixes, context: Context) -> list[Alarm]:
    alarms = []
    order = np.lexsort((found.turns["fence_id"], found.turns["fix"]))  # however the index orders fences
    turned = (rows[order].tolist() for rows in (found.turns, found.before, found.after))  # faster than row by row
    for (fix, kind, *_), before, after in zip(*turned, strict=True):
        vehicle_id = context.vehicle_id(fixes.rows[fix])
        if kind == _CROSS:
            evidence = (*fixes.evidence_before(fix), fixes.evidence(fix))
            alarms.append(_alarm(kind, vehicle_id, after, evidence, clear_time_ms=after[_SIDE_TIME_MS]))
            continue
        if before[_RAISED]:
            evidence = (_evidence(before), _evidence(after))
            alarms.append(_alarm(_CLEARED[kind], vehicle_id, before, evidence, clear_time_ms=after[_SIDE_TIME_MS]))
        if after[_RAISED]:
            first, now = _evidence(after), fixes.evidence(fix)
            alarms.append(_alarm(kind, vehicle_id, after, (first, now) if now != first else (first,)))
    return alarms


def _alarm(
    kind: int,
    vehicle_id: int,
    side: tuple[int, ...],
    evidence: tuple[EvidencePosition, ...],
    *,
    clear_time_ms: int | None = None,
) -> Alarm:
    fence_id, raise_time_ms, _, create_time_ms, *_, raised, level = side
    return Alarm(
        rule=NAMES[kind],
        vehicle_id=vehicle_id,
        raise_time_ms=raise_time_ms,
        level=_LEVELS[level],
        fence_id=fence_id,
        clear_time_ms=clear_time_ms,
        evidence=evidence,
        late=raised == LATE,
        create_time_ms=create_time_ms,
    )


def _evidence(side: tuple[int, ...]) -> EvidencePosition:
    _, time_ms, _, _, longitude_e7, latitude_e7, speed_01kmh, *_ = side
    return EvidencePosition(time_ms, longitude_e7, latitude_e7, speed_01kmh)
