"""Checks before a write."""

from __future__ import annotations

import pytest

from common.errors import InvalidInput, Violation
from services.vehicle_tracking.server.writes import check, etag_violations


def test_violations_are_named_from_the_request_down() -> None:
    with pytest.raises(InvalidInput) as refusal:
        check("fence", [Violation("name", "give one"), *etag_violations("")])
    assert [v.field for v in refusal.value.violations] == ["fence.name", "fence.etag"]
    check("fence", etag_violations("7"))
