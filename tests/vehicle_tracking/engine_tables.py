"""The engine over small text tables: a fix a line, an alarm a line."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.vehicle_tracking.adapters.rules import rule_settings
from services.vehicle_tracking.domain import engine
from services.vehicle_tracking.domain.alarms.alarm import Alarm
from services.vehicle_tracking.domain.alarms.rule import Rule
from services.vehicle_tracking.domain.alarms.rules import RULES
from services.vehicle_tracking.domain.fence_set import FenceSet, fence_set
from services.vehicle_tracking.domain.fences import Fence, Polygon, Ring
from services.vehicle_tracking.domain.judgement import Judgement
from services.vehicle_tracking.domain.positions import PositionBatch, PositionSource, batch
from services.vehicle_tracking.domain.quality import STATUS_POSITIONED
from services.vehicle_tracking.domain.vehicle_columns import VehicleColumns
from services.vehicle_tracking.domain.vehicles import Vehicle, VehicleKind
from services.vehicle_tracking.settings import TrackingSettings

START_MS = 1_767_240_000_000  # 2026-01-01 12:00 in Shanghai
COLUMNS: dict[str, float] = {
    "vehicle": 3,
    "second": 0,
    "lon": 112.0,
    "lat": 28.0,
    "kmh": 0.0,
    "heading": 0,
    "altitude": 50,
    "alarm": 0,
    "status": STATUS_POSITIONED,
    "source": int(PositionSource.TERMINAL),
    "received": 0,
}


def box(fence_id: int, west: float, south: float, east: float, north: float, **options: Any) -> Fence:
    """A fence whose sides are in degrees."""
    longitudes = np.rint(np.array([west, east, east, west]) * 1e7).astype(np.int32)
    latitudes = np.rint(np.array([south, south, north, north]) * 1e7).astype(np.int32)
    return Fence(fence_id, f"box {fence_id}", Polygon((Ring(longitudes, latitudes),)), **options)


def limits(*rows: tuple[int, float, float, float, float, int]) -> FenceSet:
    """Fences of fence id, west, south, east, north, km/h."""
    return fence_set(box(*row[:5], speed_kmh_max=row[5]) for row in rows)


def fixes(table: str, *, received_after_s: float = 1.0) -> PositionBatch:
    """A batch of a table whose first line names some of COLUMNS; seconds count from START_MS."""
    header, *lines = [line.split() for line in table.strip().splitlines()]
    assert set(header) <= set(COLUMNS), header
    rows = [COLUMNS | dict(zip(header, map(float, line), strict=True)) for line in lines]
    columns: dict[str, NDArray[Any]] = {name: np.array([row[name] for row in rows]) for name in COLUMNS}
    received_s = columns["received"] if "received" in header else columns["second"] + received_after_s
    return batch(
        START_MS + round(received_s.max() * 1000),
        vehicle_ids=columns["vehicle"],
        fix_times_ms=START_MS + np.rint(columns["second"] * 1000).astype(np.int64),
        longitudes_e7=np.rint(columns["lon"] * 1e7),
        latitudes_e7=np.rint(columns["lat"] * 1e7),
        speeds_01kmh=np.rint(columns["kmh"] * 10),
        headings_deg=columns["heading"],
        altitudes_m=columns["altitude"],
        alarm_words=columns["alarm"].astype(np.int64).astype(np.uint32).view(np.int32),
        status_words=columns["status"],
        sources=columns["source"],
    )


class Run:
    """One partition's engine. `kind` and `speed_kmh_max`: of every vehicle below 10."""

    def __init__(
        self,
        *rules: Rule,
        kind: VehicleKind = VehicleKind.OTHER,
        speed_kmh_max: int = 0,
        fences: FenceSet | None = None,
        **settings: Any,
    ) -> None:
        self.rules = rules or RULES
        vehicles = VehicleColumns(1)
        vehicles.change([Vehicle(n, f"湘A{n}", 2, kind, speed_kmh_max=speed_kmh_max) for n in range(10)])
        self.known = engine.Known(rule_settings(TrackingSettings(**settings)), 1, fences or fence_set(), vehicles)
        self.state = engine.start(0, rules=self.rules)
        self.alarms: dict[str, Alarm] = {}
        self.told: list[Alarm] = []

    def take(self, positions: PositionBatch) -> Judgement:
        """Judge a batch."""
        judged = engine.step(self.state, positions, self.known, rules=self.rules)
        self._tell(judged.alarms)
        return judged

    def fixes(self, table: str, **options: Any) -> Judgement:
        """Judge a table as one batch."""
        return self.take(fixes(table, **options))

    def each(self, table: str) -> None:
        """Judge a table, a batch a line."""
        header, *lines = table.strip().splitlines()
        for line in lines:
            self.fixes(f"{header}\n{line}")

    def tick(self, second: float) -> None:
        """Judge silence."""
        self._tell(engine.tick(self.state, START_MS + round(second * 1000), self.known, rules=self.rules))

    def reload(self) -> None:
        """Go on from the bytes of the state."""
        wire = engine.saved(self.state, self.known, rules=self.rules)
        self.state = engine.loaded(wire, self.known, rules=self.rules)

    def spans(self) -> list[tuple[float, float | None]]:
        """Raise and clear second of each alarm, in order."""
        return sorted((second(a.raise_time_ms), second(a.clear_time_ms)) for a in self.alarms.values())  # type: ignore[misc]  # raise times are never None

    def only(self) -> Alarm:
        """The one alarm there is."""
        (alarm,) = self.alarms.values()
        return alarm

    def _tell(self, alarms: Iterable[Alarm]) -> None:
        for alarm in alarms:
            self.told.append(alarm)
            self.alarms[alarm.alarm_id] = alarm


def second(time_ms: int | None) -> float | None:
    """Seconds since START_MS."""
    return None if time_ms is None else (time_ms - START_MS) / 1000
