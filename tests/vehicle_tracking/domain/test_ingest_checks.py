"""Which positions of programs are refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from services.vehicle_tracking.domain.ingest_checks import REASONS, refusals
from services.vehicle_tracking.domain.positions import batch

KNOWN = np.array([False, True, True, False])
GOOD: dict[str, Any] = {
    "vehicle_ids": [1],
    "fix_times_ms": [1],
    "longitudes_e7": [1129000000],
    "latitudes_e7": [282000000],
}


@pytest.mark.parametrize(
    ("reason", "columns"),
    [
        ("UNKNOWN_VEHICLE", {"vehicle_ids": [3]}),
        ("UNKNOWN_VEHICLE", {"vehicle_ids": [4]}),
        ("UNKNOWN_VEHICLE", {"vehicle_ids": [-1]}),
        ("TIME_NOT_POSITIVE", {"fix_times_ms": [0]}),
        ("COORDINATE_OUT_OF_RANGE", {"longitudes_e7": [1_800_000_001]}),
        ("COORDINATE_OUT_OF_RANGE", {"latitudes_e7": [-(2**31)]}),
        ("SPEED_OUT_OF_RANGE", {"speeds_01kmh": [-1]}),
        ("HEADING_OUT_OF_RANGE", {"headings_deg": [360]}),
        ("", {"headings_deg": [359], "speeds_01kmh": [65535], "longitudes_e7": [-1_800_000_000]}),
    ],
)
def test_each_reason(reason: str, columns: dict[str, list[int]]) -> None:
    assert REASONS[refusals(batch(1, **(GOOD | columns)), KNOWN)[0]] == reason


def test_the_first_reason_is_told_and_nothing_has_none() -> None:
    wrong = batch(1, vehicle_ids=[9, 1], fix_times_ms=[0, 0], headings_deg=[999, 999])
    assert refusals(wrong, KNOWN).tolist() == [1, 2]
    assert refusals(batch(1, vehicle_ids=[]), KNOWN).tolist() == []
