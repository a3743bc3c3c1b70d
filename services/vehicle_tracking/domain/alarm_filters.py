"""Which alarms somebody wants to see."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AlarmFilter:
    """Every given part must match; times are raise times, start inclusive, end exclusive. `state`: 0 any, 1 open,
    2 acknowledged."""

    vehicle_id: int = 0
    rules: frozenset[str] = frozenset()
    start_time_ms: int | None = None
    end_time_ms: int | None = None
    state: int = 0
    fence_id: int = 0

    def concerns(self, *, vehicle_id: int, rule: str, raise_time_ms: int, fence_id: int) -> bool:
        """Whether an alarm matches but for its state: whoever watches open alarms must learn that one no longer is."""
        return (
            self.vehicle_id in (0, vehicle_id)
            and self.fence_id in (0, fence_id)
            and (not self.rules or rule in self.rules)
            and (self.start_time_ms is None or raise_time_ms >= self.start_time_ms)
            and (self.end_time_ms is None or raise_time_ms < self.end_time_ms)
        )
