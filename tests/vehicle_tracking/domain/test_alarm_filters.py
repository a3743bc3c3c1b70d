"""Which alarms a filter concerns."""

from __future__ import annotations

import pytest

from services.vehicle_tracking.domain.alarm_filters import AlarmFilter


@pytest.mark.parametrize(
    ("wanted", "concerned"),
    [
        (AlarmFilter(), True),
        (AlarmFilter(state=2), True),
        (AlarmFilter(vehicle_id=1, fence_id=2, rules=frozenset(["overspeed"])), True),
        (AlarmFilter(start_time_ms=1000, end_time_ms=1001), True),
        (AlarmFilter(vehicle_id=9), False),
        (AlarmFilter(fence_id=9), False),
        (AlarmFilter(rules=frozenset(["offline"])), False),
        (AlarmFilter(start_time_ms=1001), False),
        (AlarmFilter(end_time_ms=1000), False),
    ],
)
def test_every_part_but_the_state_must_match(wanted: AlarmFilter, concerned: bool) -> None:
    assert wanted.concerns(vehicle_id=1, rule="overspeed", raise_time_ms=1000, fence_id=2) is concerned
