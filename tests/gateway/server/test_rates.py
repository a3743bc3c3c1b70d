"""Buckets of requests."""

from __future__ import annotations

import pytest

from common.clock import ManualClock
from common.errors import TooMuch
from services.gateway.server import rates


def test_a_burst_is_allowed_and_then_as_many_as_the_rate() -> None:
    clock = ManualClock()
    limit = rates.Rates(clock, per_s=2.0)
    for _ in range(20):
        limit.take("a")
    with pytest.raises(TooMuch) as refusal:
        limit.take("a")
    assert refusal.value.retry_after_ms == 500
    clock.advance(500)
    limit.take("a")
    limit.take("b")


def test_buckets_do_not_grow_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "BUCKETS_MAX", 2)
    limit = rates.Rates(ManualClock(), per_s=0.1)
    for key in ("a", "b", "c", "a"):
        limit.take(key)
    with pytest.raises(TooMuch):
        limit.take("c")
