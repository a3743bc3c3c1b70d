"""Which vehicles somebody wants to see; what matches is shown with the table (adapters/test_live_table.py)."""

from __future__ import annotations

from services.vehicle_tracking.domain.live_filters import Filter


def test_equal_wishes_are_one() -> None:
    assert len({Filter(kinds=frozenset([1])), Filter(kinds=frozenset([1])), Filter()}) == 2
