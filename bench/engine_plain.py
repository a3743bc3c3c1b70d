"""The rules as one would write them first: position after position, in dictionaries, fences through shapely's tree."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import shapely

from bench.fence_province import outlines
from services.vehicle_tracking.domain.fences import Fence, FenceTrigger
from services.vehicle_tracking.domain.positions import PositionBatch
from services.vehicle_tracking.domain.rule_settings import RuleSettings

EARTH_RADIUS_M = 6_371_008.8
LIMITS_KMH = {1: 100, 2: 100, 3: 100, 4: 80, 5: 60, 6: 120, 7: 100, 8: 120}
NIGHT_KINDS = (1, 2, 3)


class Key(NamedTuple):
    """What tells an alarm apart."""

    rule: str
    vehicle_id: int
    raise_ms: int
    fence_id: int = 0
    subject: int = 0


class Fix(NamedTuple):
    """One position."""

    time_ms: int
    lon: float
    lat: float
    speed_01kmh: int


@dataclass(slots=True)
class Vehicle:
    """What is remembered of one vehicle."""

    heard_ms: int = 0
    received_ms: int = 0
    fix: Fix | None = None
    inside: dict[int, int] = field(default_factory=dict)  # since when, by place of the fence
    outside: dict[int, int] = field(default_factory=dict)  # since when an exit holds
    words: dict[int, int] = field(default_factory=dict)  # since when, by bit
    episode: list[int] = field(default_factory=list)  # first and last time, whether raised, fence


class PlainEngine:
    """Judges batches; `alarms` holds the clear time of each, None while it holds."""

    def __init__(self, fences: list[Fence], kinds: list[int], settings: RuleSettings) -> None:
        self.alarms: dict[Key, int | None] = {}
        self._fences, self._kinds, self._settings = fences, kinds, settings
        self._tree = shapely.STRtree(outlines(fences))
        self._vehicles: dict[int, Vehicle] = {}

    def take(self, positions: PositionBatch) -> None:
        """Judge a batch whose positions are in order of time for each vehicle."""
        columns = (
            positions.vehicle_ids, positions.fix_times_ms, positions.longitudes_e7, positions.latitudes_e7,
            positions.speeds_01kmh, positions.headings_deg, positions.altitudes_m, positions.alarm_words,
            positions.status_words,
        )  # fmt: skip
        for row in zip(*(column.tolist() for column in columns), strict=True):
            self._judge(row, positions.received_time_ms)

    def _judge(self, row: tuple[int, ...], received_ms: int) -> None:
        vehicle_id, time_ms, lon, lat, speed, heading, altitude, word, status = row
        known = self._vehicles.setdefault(vehicle_id, Vehicle())
        self._silence(vehicle_id, known, received_ms)
        if not 0 < time_ms <= received_ms + self._settings.future_s * 1000 or time_ms <= known.heard_ms:
            return
        known.heard_ms = time_ms
        self._words(vehicle_id, known, time_ms, word)
        good = 735_500_000 <= lon <= 1_350_833_333 and 38_500_000 <= lat <= 535_500_000 and status & 0x22 == 2
        if not good or not (0 <= speed <= 1600 and 0 <= heading <= 360 and -200 <= altitude <= 6500):
            return
        fix = Fix(time_ms, lon, lat, speed)
        held = set(self._tree.query(shapely.Point(lon, lat), "intersects").tolist())
        if known.fix is not None:
            self._displacement(vehicle_id, known.fix, fix)
            self._crossing(vehicle_id, known, fix, held)
        self._sides(vehicle_id, known, time_ms, held)
        self._speed(vehicle_id, known, fix, held)
        known.fix = fix

    def _silence(self, vehicle_id: int, known: Vehicle, received_ms: int) -> None:
        moving = known.fix is not None and known.fix.speed_01kmh > self._settings.moving_kmh * 10
        span_ms = 1000 * (self._settings.offline_moving_s if moving else self._settings.offline_standing_s)
        if known.received_ms and received_ms - known.received_ms >= span_ms:
            self.alarms[Key("offline", vehicle_id, known.received_ms + span_ms)] = received_ms
        known.received_ms = received_ms

    def _words(self, vehicle_id: int, known: Vehicle, time_ms: int, word: int) -> None:
        for bit in range(32):
            if word >> bit & 1:
                if bit not in known.words:
                    known.words[bit] = time_ms
                    self.alarms[Key("terminal", vehicle_id, time_ms, 0, bit)] = None
            elif bit in known.words:
                self.alarms[Key("terminal", vehicle_id, known.words.pop(bit), 0, bit)] = time_ms

    def _displacement(self, vehicle_id: int, before: Fix, fix: Fix) -> None:
        gap_ms = fix.time_ms - before.time_ms
        if gap_ms < 1000 * self._settings.displacement_gap_s:
            return
        km = distance_m(before, fix) / 1000
        if km > self._settings.displacement_km and km * 3.6e6 / gap_ms <= self._settings.displacement_kmh_max:
            self.alarms[Key("offline_displacement", vehicle_id, before.time_ms)] = fix.time_ms

    def _crossing(self, vehicle_id: int, known: Vehicle, fix: Fix, held: set[int]) -> None:
        assert known.fix is not None
        if fix.time_ms - known.fix.time_ms > 1000 * self._settings.cross_gap_s:
            return
        line = shapely.LineString([(known.fix.lon, known.fix.lat), (fix.lon, fix.lat)])
        for place in self._tree.query(line, "intersects").tolist():
            fence = self._fences[place]
            if FenceTrigger.CROSS in fence.triggers and place not in held and place not in known.inside:
                self.alarms[Key("fence_cross", vehicle_id, fix.time_ms, fence.fence_id)] = fix.time_ms

    def _sides(self, vehicle_id: int, known: Vehicle, time_ms: int, held: set[int]) -> None:
        for place in held - known.inside.keys():
            fence, since_ms = self._fences[place], known.outside.pop(place, None)
            if FenceTrigger.EXIT in fence.triggers and since_ms is not None:
                self.alarms[Key("fence_exit", vehicle_id, since_ms, fence.fence_id)] = time_ms
            known.inside[place] = time_ms
            if FenceTrigger.ENTER in fence.triggers:
                self.alarms[Key("fence_enter", vehicle_id, time_ms, fence.fence_id)] = None
        for place in known.inside.keys() - held:
            fence, since_ms = self._fences[place], known.inside.pop(place)
            if FenceTrigger.ENTER in fence.triggers:
                self.alarms[Key("fence_enter", vehicle_id, since_ms, fence.fence_id)] = time_ms
            known.outside[place] = time_ms
            if FenceTrigger.EXIT in fence.triggers:
                self.alarms[Key("fence_exit", vehicle_id, time_ms, fence.fence_id)] = None

    def _speed(self, vehicle_id: int, known: Vehicle, fix: Fix, held: set[int]) -> None:
        kind, fence_id = self._kinds[vehicle_id], 0
        limit = LIMITS_KMH[kind] * 10.0
        for place in sorted(held, key=lambda place: self._fences[place].fence_id):
            if 0 < self._fences[place].speed_kmh_max * 10 < limit:
                limit, fence_id = self._fences[place].speed_kmh_max * 10.0, self._fences[place].fence_id
        hour = (fix.time_ms // 3_600_000 + 8) % 24
        if kind in NIGHT_KINDS and (hour >= 22 or hour < 5):
            limit = round(limit * self._settings.night_factor, 3)
        if known.episode and fix.time_ms - known.episode[1] > 1000 * self._settings.overspeed_merge_gap_s:
            if known.episode[2]:
                self.alarms[Key("overspeed", vehicle_id, known.episode[0], known.episode[3])] = known.episode[1]
            known.episode = []
        if fix.speed_01kmh > limit:
            known.episode = known.episode or [fix.time_ms, fix.time_ms, 0, fence_id]
            known.episode[1] = fix.time_ms
            if fix.time_ms - known.episode[0] >= 1000 * self._settings.overspeed_duration_s:
                known.episode[2] = 1
                self.alarms[Key("overspeed", vehicle_id, known.episode[0], known.episode[3])] = None


def distance_m(before: Fix, fix: Fix) -> float:
    """Metres along the great circle."""
    lon, lat, other_lon, other_lat = np.radians(np.array([before.lon, before.lat, fix.lon, fix.lat]) / 1e7)
    half = math.sin((other_lat - lat) / 2) ** 2
    half += math.cos(lat) * math.cos(other_lat) * math.sin((other_lon - lon) / 2) ** 2
    return 2 * EARTH_RADIUS_M * math.asin(math.sqrt(half))
