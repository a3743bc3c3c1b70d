"""Drift: out of reach of the last good fix; flagged, kept, and believed once it goes on."""

from __future__ import annotations

import pytest

from common.geo import distance_m as exact_distance_m
from services.vehicle_tracking.domain.drift import distance_m, within_reach
from services.vehicle_tracking.domain.quality import Quality
from tests.vehicle_tracking.engine_tables import Run


def drifting(table: str) -> list[bool]:
    run = Run()
    return [bool(flag & Quality.DRIFT) for flag in run.fixes(table).quality_flags.tolist()]


def test_a_fix_that_cannot_be_reached_drifts_and_the_next_good_one_does_not() -> None:
    assert drifting("second lon\n0 112\n10 112.1\n20 112.001\n30 112.002") == [False, True, False, False]


def test_a_place_that_three_fixes_in_a_row_agree_on_is_believed() -> None:
    table = "second lon\n0 110\n10 112\n20 112.001\n30 112.002\n40 112.003"
    assert drifting(table) == [False, True, True, False, False]


def test_fixes_that_do_not_agree_are_never_believed() -> None:
    table = "second lon\n0 110\n10 112\n20 113\n30 112\n40 113\n50 110.001"
    assert drifting(table) == [False, True, True, True, True, False]


def test_scatter_within_a_second_is_no_drift() -> None:
    assert drifting("second lat\n0 28\n1 28.00044\n2 28\n3 28.00046") == [False, False, False, True]


def test_a_drifting_fix_takes_part() -> None:
    run = Run(speed_kmh_max=100)
    assert run.fixes("second lon kmh\n0 112 0\n10 115 120\n40 116 120").usable.all()
    assert run.only().rule == "overspeed"


@pytest.mark.parametrize("other", [(112.0, 28.0), (112.001, 28.0), (112.5, 27.3), (113.9, 29.9)])
def test_distances_are_those_of_the_vectorised_geodesy(other: tuple[float, float]) -> None:
    found = distance_m(1_120_000_000, 280_000_000, round(other[0] * 1e7), round(other[1] * 1e7))
    assert found == pytest.approx(float(exact_distance_m(112, 28, *other)), rel=1e-9, abs=1e-3)


def test_reach_is_160_kmh_along_the_great_circle() -> None:
    # 88.9 m a second for two seconds; a degree of longitude has 98,180 m at 28° north
    assert within_reach(2000, 1_120_000_000, 280_000_000, 1_120_009_040, 280_000_000)
    assert not within_reach(2000, 1_120_000_000, 280_000_000, 1_120_009_070, 280_000_000)
