"""The only place that asks what time it is."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta, timezone
from typing import Protocol

SHANGHAI = timezone(timedelta(hours=8), "Asia/Shanghai")  # no daylight saving since 1991


class Clock(Protocol):
    """What time it is."""

    def now_ms(self) -> int:
        """Milliseconds since 1970-01-01T00:00Z."""

    def monotonic_s(self) -> float:
        """Seconds that never run backwards, for spans only."""


class SystemClock:
    """The machine's clock."""

    def now_ms(self) -> int:
        """Milliseconds since 1970-01-01T00:00Z."""
        return time.time_ns() // 1_000_000

    def monotonic_s(self) -> float:
        """Seconds that never run backwards."""
        return time.monotonic()


class ManualClock:
    """A clock that moves only when told, for tests and simulation."""

    def __init__(self, now_ms: int = 0) -> None:
        self._now_ms = now_ms

    def now_ms(self) -> int:
        """Milliseconds since 1970-01-01T00:00Z."""
        return self._now_ms

    def monotonic_s(self) -> float:
        """Seconds since the same origin."""
        return self._now_ms / 1000

    def advance(self, duration_ms: int) -> None:
        """Move forward by `duration_ms`."""
        assert duration_ms >= 0
        self._now_ms += duration_ms


def utc(instant_ms: int) -> datetime:
    """The aware UTC instant of milliseconds since 1970."""
    return datetime.fromtimestamp(instant_ms / 1000, UTC)


def milliseconds(instant: datetime) -> int:
    """Milliseconds since 1970 of an aware instant."""
    assert instant.tzinfo is not None
    return round(instant.timestamp() * 1000)
