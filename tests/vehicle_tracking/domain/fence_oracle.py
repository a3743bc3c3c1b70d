"""What docs/decisions/rule-semantics.md says of fences, fix by fix and fence by fence, in plain Python."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

import numpy as np
import shapely

from common.geo import distance_m, polyline_distance_m
from services.vehicle_tracking.domain.fences import Circle, Corridor, Fence, FenceTrigger, Polygon, Shape
from tests.vehicle_tracking.domain.fence_worlds import holds

SHANGHAI = timezone(timedelta(hours=8))
GAP_MS = 120_000
Transition = tuple[int, int, int, int]  # vehicle, fence, kind, time
AlarmKey = tuple[str, int, int, int]  # rule, vehicle, fence, raise time


@dataclass(frozen=True)
class Fix:
    vehicle_id: int
    kind: int
    time_ms: int
    x: int
    y: int


@dataclass
class Side:
    inside: bool = False
    pending_ms: int | None = None
    enter_ms: int | None = None  # of an alarm that holds
    exit_ms: int | None = None


@dataclass
class Oracle:
    """Judges fixes one by one. `alarms`: clear time and level of each."""

    transitions: list[Transition] = field(default_factory=list)
    alarms: dict[AlarmKey, tuple[int | None, int]] = field(default_factory=dict)
    sides: dict[tuple[int, int], Side] = field(default_factory=dict)
    before: dict[int, Fix] = field(default_factory=dict)

    def take(self, fix: Fix, fences: Mapping[int, Fence]) -> None:
        """Judge one fix against the fences of now."""
        for vehicle_id, fence_id in list(self.sides):
            if vehicle_id == fix.vehicle_id and fence_id not in fences:
                self._leave(fix, fence_id)
                del self.sides[vehicle_id, fence_id]
        for fence in fences.values():
            side = self.sides.setdefault((fix.vehicle_id, fence.fence_id), Side())
            if not applies(fence, fix):
                self._leave(fix, fence.fence_id)
                continue
            self._cross(fix, fence, side)
            self._judge(fix, fence, side)
        self.before[fix.vehicle_id] = fix

    def _leave(self, fix: Fix, fence_id: int) -> None:
        side = self.sides[fix.vehicle_id, fence_id]
        if side.enter_ms is not None:
            self._clear("fence_enter", fix.vehicle_id, fence_id, side.enter_ms, fix.time_ms)
        side.inside, side.pending_ms, side.enter_ms = False, None, None

    def _cross(self, fix: Fix, fence: Fence, side: Side) -> None:
        before = self.before.get(fix.vehicle_id)
        if (
            FenceTrigger.CROSS in fence.triggers
            and before is not None
            and fix.time_ms - before.time_ms <= GAP_MS
            and not side.inside
            and side.pending_ms is None
            and applies(fence, before)
            and not held(fence.shape, fix)
            and not held(fence.shape, before)
            and met(fence.shape, before, fix)
        ):
            self.transitions.append((fix.vehicle_id, fence.fence_id, FenceTrigger.CROSS, fix.time_ms))
            self.alarms["fence_cross", fix.vehicle_id, fence.fence_id, fix.time_ms] = (fix.time_ms, fence.level)

    def _judge(self, fix: Fix, fence: Fence, side: Side) -> None:
        inside = held(fence.shape, fix)
        if side.inside and not inside and fence.hysteresis_m:
            inside = out_m(fence.shape, fix) <= fence.hysteresis_m
        if inside == side.inside:
            side.pending_ms = None
            return
        side.pending_ms = fix.time_ms if side.pending_ms is None else side.pending_ms
        if fix.time_ms - side.pending_ms < fence.dwell_ms:
            return
        time_ms, side.inside, side.pending_ms = side.pending_ms, inside, None
        kind = FenceTrigger.ENTER if inside else FenceTrigger.EXIT
        self.transitions.append((fix.vehicle_id, fence.fence_id, kind, time_ms))
        raised = kind in fence.triggers
        if raised:
            self.alarms[f"fence_{kind.name.lower()}", fix.vehicle_id, fence.fence_id, time_ms] = (None, fence.level)
        if inside and side.exit_ms is not None:
            self._clear("fence_exit", fix.vehicle_id, fence.fence_id, side.exit_ms, time_ms)
        if not inside and side.enter_ms is not None:
            self._clear("fence_enter", fix.vehicle_id, fence.fence_id, side.enter_ms, time_ms)
        side.enter_ms = time_ms if inside and raised else None
        side.exit_ms = time_ms if not inside and raised else None

    def _clear(self, rule: str, vehicle_id: int, fence_id: int, raise_ms: int, time_ms: int) -> None:
        key = (rule, vehicle_id, fence_id, raise_ms)
        self.alarms[key] = (time_ms, self.alarms[key][1])


def applies(fence: Fence, fix: Fix) -> bool:
    """Whether a fence is in force for a vehicle then."""
    if not fence.enabled or (fence.vehicle_kinds and fix.kind not in fence.vehicle_kinds):
        return False
    now = datetime.fromtimestamp(fix.time_ms / 1000, SHANGHAI)
    minute = now.hour * 60 + now.minute
    for window in fence.time_windows:
        days = window.weekdays or tuple(range(1, 8))
        today, yesterday = now.isoweekday(), (now - timedelta(days=1)).isoweekday()
        if window.end_minute > window.start_minute:
            if today in days and window.start_minute <= minute < window.end_minute:
                return True
        elif (today in days and minute >= window.start_minute) or (yesterday in days and minute < window.end_minute):
            return True
    return not fence.time_windows


def held(shape: Shape, fix: Fix) -> bool:
    """Whether a shape holds a fix."""
    return bool(holds(shape, np.array([fix.x], np.int32), np.array([fix.y], np.int32))[0])


def out_m(shape: Shape, fix: Fix) -> float:
    """How far out of a shape a fix is."""
    x, y = fix.x / 1e7, fix.y / 1e7
    match shape:
        case Polygon():
            closed = [(np.append(r.longitudes_e7, r.longitudes_e7[0]), np.append(r.latitudes_e7, r.latitudes_e7[0]))
                      for r in shape.rings]  # fmt: skip
            return min(float(polyline_distance_m(x, y, xs / 1e7, ys / 1e7)[0]) for xs, ys in closed)
        case Circle():
            return float(distance_m(x, y, shape.longitude_e7 / 1e7, shape.latitude_e7 / 1e7)) - shape.radius_m
        case Corridor():
            line = shape.longitudes_e7 / 1e7, shape.latitudes_e7 / 1e7
            return float(polyline_distance_m(x, y, *line)[0]) - shape.width_m / 2


def met(shape: Shape, before: Fix, fix: Fix) -> bool:
    """Whether the straight line between two fixes meets a shape."""
    if isinstance(shape, Polygon):
        line = shapely.LineString([(before.x, before.y), (fix.x, fix.y)])
        rings = [shapely.LinearRing(np.column_stack([r.longitudes_e7, r.latitudes_e7])) for r in shape.rings]
        return bool(np.any(shapely.intersects(rings, line)))
    shares = np.linspace(0, 1, 4001)
    xs, ys = (before.x + (fix.x - before.x) * shares) / 1e7, (before.y + (fix.y - before.y) * shares) / 1e7
    if isinstance(shape, Circle):
        return bool(distance_m(xs, ys, shape.longitude_e7 / 1e7, shape.latitude_e7 / 1e7).min() <= shape.radius_m)
    line_m = polyline_distance_m(xs, ys, shape.longitudes_e7 / 1e7, shape.latitudes_e7 / 1e7)
    return bool(line_m.min() <= shape.width_m / 2)
