"""Where fences hold fixes and what vehicles do at their edges: shapely and loops, apart from the engine's own index."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import LineString, Point, Polygon
from shapely.geometry.base import BaseGeometry
from xiangtong.tracking.v1 import fences_pb2

from simulation.fleet import Reports
from simulation.province import Floats

Bools = NDArray[np.bool_]
EARTH_RADIUS_M = 6_371_008.8
CROSS_GAP_MS_MAX = 120_000
DAY_MIN, SHANGHAI_MS = 1440, 28_800_000
MARGIN_DEG = 0.02  # around a fence's box: more than any hysteresis of ours


class FenceEvent(NamedTuple):
    """What a vehicle did at a fence; `raising_row`: the fix that made it known."""

    rule: str
    vehicle: int
    raise_time_ms: int
    clear_time_ms: int | None
    raising_row: int


@dataclass(frozen=True)
class Tracks:
    """Fixes ordered by vehicle and time, with the kind of each fix's vehicle."""

    fixes: Reports
    kinds: NDArray[np.int64]

    @cached_property
    def degrees(self) -> Floats:
        """(n, 2) longitude, latitude."""
        return np.stack([self.fixes.longitudes_e7, self.fixes.latitudes_e7], axis=1) / 1e7

    @cached_property
    def firsts(self) -> Bools:
        """Whether a fix is its vehicle's first."""
        return np.asarray(np.diff(self.fixes.vehicles, prepend=-1) != 0)


class Area:
    """The geometry of one fence, asked in degrees, answered in metres where metres matter."""

    def __init__(self, fence: fences_pb2.Fence) -> None:
        self._kind = fence.WhichOneof("shape")
        self._reach_m = 0.0
        if self._kind == "polygon":
            self._shape: BaseGeometry = _even_odd(fence.polygon)
        elif self._kind == "circle":
            self._shape = Point(fence.circle.longitude_e7 / 1e7, fence.circle.latitude_e7 / 1e7)
            self._reach_m = float(fence.circle.radius_m)
        else:
            points = np.stack([fence.corridor.longitudes_e7, fence.corridor.latitudes_e7], axis=1) / 1e7
            self._shape = LineString(points)
            self._reach_m = fence.corridor.width_m / 2
        west, south, east, north = self._shape.bounds
        self._origin = np.array([(west + east) / 2, (south + north) / 2])
        self._metres_a_degree = np.array([np.cos(np.radians(self._origin[1])), 1.0]) * np.radians(EARTH_RADIUS_M)
        self._flat = shapely.transform(self._shape, lambda points: (points - self._origin) * self._metres_a_degree)
        reach_deg = np.degrees(self._reach_m / EARTH_RADIUS_M) * 1.3 + MARGIN_DEG
        self.box = np.array([west - reach_deg, south - reach_deg, east + reach_deg, north + reach_deg])
        shapely.prepare(self._shape)

    def near(self, degrees: Floats) -> Bools:
        """Whether (n, 2) points are in the box that holds all that may matter."""
        return np.asarray(((degrees >= self.box[:2]) & (degrees <= self.box[2:])).all(axis=1))

    def inside(self, degrees: Floats) -> Bools:
        """Whether (n, 2) points are inside or on the edge."""
        if self._kind == "polygon":
            return np.asarray(shapely.intersects_xy(self._shape, degrees))
        return np.asarray(self._distances_m(degrees) <= self._reach_m)

    def within(self, degrees: Floats, margin_m: float) -> Bools:
        """Whether (n, 2) points are inside or out by no more than `margin_m`."""
        return np.asarray(self.inside(degrees) | (self._distances_m(degrees) <= self._reach_m + margin_m))

    def met_by(self, start: Floats, end: Floats) -> bool:
        """Whether the straight line between two points, in degrees, meets the area."""
        if self._kind == "polygon":
            return bool(self._shape.intersects(LineString([start, end])))
        line = LineString((np.array([start, end]) - self._origin) * self._metres_a_degree)
        return float(self._flat.distance(line)) <= self._reach_m

    def _distances_m(self, degrees: Floats) -> Floats:
        if self._kind == "circle":
            return _haversine_m(degrees, self._origin)
        return np.asarray(
            shapely.distance(self._flat, shapely.points((degrees - self._origin) * self._metres_a_degree))
        )


def in_force(fence: fences_pb2.Fence, tracks: Tracks) -> Bools:
    """Whether the fence applies to each fix: enabled, of its vehicle's kind, in one of its windows."""
    applies = np.full(len(tracks.fixes), fence.enabled)
    if fence.vehicle_kinds:
        applies &= np.isin(tracks.kinds, [int(kind) for kind in fence.vehicle_kinds])
    if fence.time_windows:
        minutes = (tracks.fixes.fix_times_ms + SHANGHAI_MS) // 60_000
        applies &= np.array(
            [any(_in_window(window, minute) for window in fence.time_windows) for minute in minutes.tolist()]
        )
    return applies


def speed_limits(tracks: Tracks, fences: Sequence[fences_pb2.Fence]) -> Floats:
    """Least limit in km/h of the fences in force that hold each fix; infinite where there is none."""
    limits = np.full(len(tracks.fixes), np.inf)
    for fence in fences:
        if fence.speed_kmh_max:
            area = Area(fence)
            rows = np.flatnonzero(area.near(tracks.degrees) & in_force(fence, tracks))
            rows = rows[area.inside(tracks.degrees[rows])]
            limits[rows] = np.minimum(limits[rows], fence.speed_kmh_max)
    return limits


def fence_events(tracks: Tracks, fence: fences_pb2.Fence) -> Iterator[FenceEvent]:
    """What the fence's triggers ask for, of all vehicles."""
    area, applies = Area(fence), in_force(fence, tracks)
    if not applies.any():
        return
    inside, close = (np.zeros(len(applies), np.bool_) for _ in range(2))
    near = np.flatnonzero(area.near(tracks.degrees))
    inside[near] = area.inside(tracks.degrees[near])
    close[near] = area.within(tracks.degrees[near], fence.hysteresis_m) if fence.hysteresis_m else inside[near]
    crossed = _crossed(tracks, area, inside | ~applies)
    touched = np.unique(tracks.fixes.vehicles[(inside & applies) | crossed])
    starts = np.searchsorted(tracks.fixes.vehicles, touched)
    ends = np.searchsorted(tracks.fixes.vehicles, touched, side="right")
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        columns = _Columns(tracks.fixes.fix_times_ms, applies, inside, close, crossed)
        yield from _vehicle_events(fence, int(tracks.fixes.vehicles[start]), range(start, end), columns)


class _Columns(NamedTuple):
    """What is known of every fix against one fence."""

    times_ms: NDArray[np.int64]
    applies: Bools
    inside: Bools
    close: Bools
    crossed: Bools


def _vehicle_events(fence: fences_pb2.Fence, vehicle: int, rows: range, columns: _Columns) -> Iterator[FenceEvent]:
    dwell_ms = round(fence.dwell.seconds * 1000 + fence.dwell.nanos / 1e6)
    held, pending_ms, beside = False, None, True
    open_events: dict[str, FenceEvent] = {}
    for row in rows:
        now_ms = int(columns.times_ms[row])
        if not columns.applies[row]:
            if held:
                yield from _closed(open_events, "fence_enter", now_ms)
            held, pending_ms, beside = False, None, not columns.inside[row]
            continue
        side = bool(columns.inside[row] or (held and columns.close[row]))
        if side == held:
            pending_ms = None
            if not side and beside and columns.crossed[row] and fences_pb2.FENCE_TRIGGER_CROSS in fence.triggers:
                yield FenceEvent("fence_cross", vehicle, now_ms, now_ms, row)
        else:
            pending_ms = now_ms if pending_ms is None else pending_ms
            if now_ms - pending_ms >= dwell_ms:
                held = side
                yield from _closed(open_events, "fence_exit" if side else "fence_enter", pending_ms)
                rule, trigger = (
                    ("fence_enter", fences_pb2.FENCE_TRIGGER_ENTER)
                    if side
                    else ("fence_exit", fences_pb2.FENCE_TRIGGER_EXIT)
                )
                if trigger in fence.triggers:
                    open_events[rule] = FenceEvent(rule, vehicle, pending_ms, None, row)
                pending_ms = None
        beside = not held and not side
    yield from open_events.values()


def _closed(open_events: dict[str, FenceEvent], rule: str, time_ms: int) -> Iterator[FenceEvent]:
    event = open_events.pop(rule, None)
    if event is not None:
        yield event._replace(clear_time_ms=time_ms)


def _crossed(tracks: Tracks, area: Area, out_of_question: Bools) -> Bools:
    """Whether the line from the fix before meets the area, both ends being outside and close in time."""
    degrees, times_ms = tracks.degrees, tracks.fixes.fix_times_ms
    low, high = np.minimum(degrees[1:], degrees[:-1]), np.maximum(degrees[1:], degrees[:-1])
    candidates = (
        ~out_of_question[1:]
        & ~tracks.firsts[1:]
        & (np.diff(times_ms) <= CROSS_GAP_MS_MAX)
        & (low <= area.box[2:]).all(axis=1)
        & (high >= area.box[:2]).all(axis=1)
        & (degrees[1:] != degrees[:-1]).any(axis=1)
    )
    crossed = np.zeros(len(degrees), np.bool_)
    for row in np.flatnonzero(candidates).tolist():
        crossed[row + 1] = area.met_by(degrees[row], degrees[row + 1])
    return crossed


def _even_odd(shape: fences_pb2.PolygonShape) -> BaseGeometry:
    """All rings together, even-odd: each ring turns what it covers inside out."""
    area: BaseGeometry = Polygon()
    for ring in shape.rings:
        points = np.stack([ring.longitudes_e7, ring.latitudes_e7], axis=1) / 1e7
        area = area.symmetric_difference(Polygon(points))
    return area


def _haversine_m(degrees: Floats, centre: Floats) -> Floats:
    lon, lat = np.radians(degrees).T
    lon0, lat0 = np.radians(centre)
    half = np.sin((lat - lat0) / 2) ** 2 + np.cos(lat) * np.cos(lat0) * np.sin((lon - lon0) / 2) ** 2
    return np.asarray(2 * EARTH_RADIUS_M * np.arcsin(np.sqrt(half)))


def _in_window(window: fences_pb2.TimeWindow, minute: int) -> bool:
    """Whether a minute since 1970 in Shanghai falls into the window; one over midnight belongs to the day it starts."""
    day, of_day = divmod(minute, DAY_MIN)
    start, end = window.start_minute, window.end_minute
    if start < end:
        return start <= of_day < end and _on_day(window, day)
    return (of_day >= start and _on_day(window, day)) or (of_day < end and _on_day(window, day - 1))


def _on_day(window: fences_pb2.TimeWindow, day: int) -> bool:
    return not window.weekdays or (day + 3) % 7 + 1 in window.weekdays  # 1970-01-01 was a Thursday
