"""Instants."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from common.clock import SHANGHAI, ManualClock, SystemClock, milliseconds, utc


def test_a_manual_clock_moves_only_when_told() -> None:
    clock = ManualClock(1000)
    assert (clock.now_ms(), clock.monotonic_s()) == (1000, 1.0)
    clock.advance(500)
    assert (clock.now_ms(), clock.monotonic_s()) == (1500, 1.5)
    with pytest.raises(AssertionError):
        clock.advance(-1)


def test_the_system_clock_runs_forward() -> None:
    clock = SystemClock()
    first, second = clock.monotonic_s(), clock.monotonic_s()
    assert first <= second
    assert utc(clock.now_ms()).year >= 2026


def test_milliseconds_and_instants_are_the_same_thing() -> None:
    noon = datetime(2026, 10, 1, 12, 0, 0, 123000, SHANGHAI)
    assert milliseconds(noon) == 1_790_827_200_123
    assert utc(milliseconds(noon)) == noon
    assert utc(0) == datetime(1970, 1, 1, tzinfo=UTC)


def test_an_instant_without_a_zone_is_a_mistake() -> None:
    with pytest.raises(AssertionError):
        milliseconds(datetime(2026, 10, 1))  # noqa: DTZ001 – the point of the test
