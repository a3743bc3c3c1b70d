"""Fences: named areas with a rule about being inside them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

from services.vehicle_tracking.domain.positions import Int32s
from services.vehicle_tracking.domain.vehicles import VehicleKind


class FenceTrigger(IntEnum):
    """Which transitions raise alarms; the numbers are those of fences.proto."""

    ENTER = 1
    EXIT = 2
    CROSS = 3


class AlarmLevel(IntEnum):
    """How grave an alarm is; the numbers are those of fences.proto."""

    LOW = 1
    MEDIUM = 2
    HIGH = 3


@dataclass(frozen=True, slots=True)
class Ring:
    """A closed ring in 1e-7 degree, WGS-84; (n,) each, n >= 3; the last point need not repeat the first."""

    longitudes_e7: Int32s
    latitudes_e7: Int32s


@dataclass(frozen=True, slots=True)
class Polygon:
    """Outer and inner rings, even-odd over all of them."""

    rings: tuple[Ring, ...]


@dataclass(frozen=True, slots=True)
class Circle:
    """A circle on the ground: centre in 1e-7 degree, radius in metres."""

    longitude_e7: int
    latitude_e7: int
    radius_m: int


@dataclass(frozen=True, slots=True)
class Corridor:
    """A line in 1e-7 degree with its whole width in metres; (n,) each, n >= 2."""

    longitudes_e7: Int32s
    latitudes_e7: Int32s
    width_m: int


Shape: TypeAlias = Polygon | Circle | Corridor


@dataclass(frozen=True, slots=True)
class TimeWindow:
    """A stretch of the day, Asia/Shanghai. `weekdays`: 1 Monday to 7 Sunday, empty for every day; minutes of the day;
    an end not after the start runs over midnight and belongs to the day it starts on."""

    weekdays: tuple[int, ...]
    start_minute: int
    end_minute: int


@dataclass(frozen=True, slots=True)
class Fence:
    """A fence as stored. Empty `vehicle_kinds`: all kinds; empty `time_windows`: always; `speed_kmh_max` 0: none."""

    fence_id: int
    name: str
    shape: Shape
    vehicle_kinds: tuple[VehicleKind, ...] = ()
    time_windows: tuple[TimeWindow, ...] = ()
    triggers: tuple[FenceTrigger, ...] = ()
    speed_kmh_max: int = 0
    dwell_ms: int = 0
    hysteresis_m: int = 0
    level: AlarmLevel = AlarmLevel.MEDIUM
    source_datum: str = "WGS84"
    enabled: bool = True
    etag: str = ""
    update_time_ms: int = 0
