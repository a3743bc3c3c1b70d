"""fence_enter, fence_exit, fence_cross: a vehicle changed sides of a fence, or went through one between two fixes."""

from __future__ import annotations

from typing import Any

import numpy as np

from services.vehicle_tracking.domain.alarms.alarm import Alarm, EvidencePosition
from services.vehicle_tracking.domain.alarms.rule import Context, Fixes, Outcome, Rule
from services.vehicle_tracking.domain.fence_sides import Changes, Sides, changes, loaded, saved
from services.vehicle_tracking.domain.fence_sides_rows import LATE, LEFT, Columns
from services.vehicle_tracking.domain.fences import AlarmLevel, FenceTrigger
from services.vehicle_tracking.domain.judgement import Transitions

NAMES = {
    FenceTrigger.ENTER: "fence_enter",
    FenceTrigger.EXIT: "fence_exit",
    FenceTrigger.CROSS: "fence_cross",
}
_CLEARED = {  # whose alarm an event ends
    LEFT: FenceTrigger.ENTER,
    FenceTrigger.ENTER: FenceTrigger.EXIT,
    FenceTrigger.EXIT: FenceTrigger.ENTER,
}


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
    for event, before, after in zip(found.turns[order], found.before[order], found.after[order], strict=True):
        fix, kind = int(event["fix"]), int(event["kind"])
        vehicle_id = context.vehicle_id(fixes.rows[fix])
        if kind == FenceTrigger.CROSS:
            evidence = (*fixes.evidence_before(fix), fixes.evidence(fix))
            alarms.append(_alarm(kind, vehicle_id, after, evidence, clear_time_ms=int(after["side_time_ms"])))
            continue
        if before["raised"]:
            evidence = (_evidence(before), _evidence(after))
            cleared = _CLEARED[kind]
            alarms.append(_alarm(cleared, vehicle_id, before, evidence, clear_time_ms=int(after["side_time_ms"])))
        if after["raised"]:
            first, now = _evidence(after), fixes.evidence(fix)
            alarms.append(_alarm(kind, vehicle_id, after, (first, now) if now != first else (first,)))
    return alarms


def _alarm(
    kind: int,
    vehicle_id: int,
    side: Any,
    evidence: tuple[EvidencePosition, ...],
    *,
    clear_time_ms: int | None = None,
) -> Alarm:
    return Alarm(
        rule=NAMES[FenceTrigger(kind)],
        vehicle_id=vehicle_id,
        raise_time_ms=int(side["side_time_ms"]),
        level=AlarmLevel(int(side["level"])),
        fence_id=int(side["fence_id"]),
        clear_time_ms=clear_time_ms,
        evidence=evidence,
        late=int(side["raised"]) == LATE,
        create_time_ms=int(side["create_time_ms"]),
    )


def _evidence(side: Any) -> EvidencePosition:
    place = ("side_time_ms", "side_longitude_e7", "side_latitude_e7", "side_speed_01kmh")
    return EvidencePosition(*(int(side[name]) for name in place))
