"""An alarm: the fact that a rule holds for a vehicle, from its raise time to its clear time."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

from services.vehicle_tracking.domain.fences import AlarmLevel

EVIDENCE_COUNT_MAX = 8  # the first and the worst are enough to judge by


@dataclass(frozen=True, slots=True)
class EvidencePosition:
    """A position that proves an alarm: milliseconds, 1e-7 degree, 0.1 km/h."""

    fix_time_ms: int
    longitude_e7: int
    latitude_e7: int
    speed_01kmh: int


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm as the engine knows it. `subject`: what else tells it apart (terminal alarm bit; 0 for none).
    `clear_time_ms`: None while it holds. `create_time_ms`: received time of the batch that raised it."""

    rule: str
    vehicle_id: int
    raise_time_ms: int
    level: AlarmLevel
    fence_id: int = 0
    subject: int = 0
    clear_time_ms: int | None = None
    evidence: tuple[EvidencePosition, ...] = ()
    late: bool = False
    measured_value: float = 0.0
    limit_value: float = 0.0
    create_time_ms: int = 0

    @property
    def alarm_id(self) -> str:
        """32 hex digits derived from rule, vehicle, raise time, fence and subject, so that replay makes the same id."""
        key = f"{self.rule}|{self.vehicle_id}|{self.raise_time_ms}|{self.fence_id}|{self.subject}"
        return blake2b(key.encode(), digest_size=16).hexdigest()
