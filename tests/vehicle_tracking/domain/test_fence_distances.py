"""Compiled distances are those of the common geodesy."""

from __future__ import annotations

import math

import numpy as np
import pytest

from common.geo import distance_m, polyline_distance_m
from services.vehicle_tracking.domain.fence_distances import (
    RADIANS_PER_E7,
    circle_distance_m,
    line_distance_m,
    passing_m,
    within_m,
)
from services.vehicle_tracking.domain.fence_shapes import CIRCLE, CORRIDOR, POLYGON, edges_of
from services.vehicle_tracking.domain.fences import Circle
from tests.vehicle_tracking.domain.fence_worlds import corridor, square

NEAR_M = 1e-6


def test_distances_are_those_of_the_common_geodesy() -> None:
    rng = np.random.default_rng(3)
    for _ in range(300):
        x, y, x1, y1, x2, y2 = rng.integers(-800_000_000, 800_000_000, 6).tolist()
        scale = math.cos(y * RADIANS_PER_E7)
        along = circle_distance_m(float(x), float(y), float(x1), float(y1))
        assert along == pytest.approx(distance_m(x / 1e7, y / 1e7, x1 / 1e7, y1 / 1e7), abs=NEAR_M)
        near_x1, near_x2 = x + x1 // 100, x + x2 // 100  # the common one would go around the earth
        to_line = line_distance_m(float(x), float(y), scale, float(near_x1), float(y1), float(near_x2), float(y2))
        line = np.array([near_x1, near_x2]) / 1e7, np.array([y1, y2]) / 1e7
        assert to_line == pytest.approx(polyline_distance_m(x / 1e7, y / 1e7, *line)[0], abs=NEAR_M)


def test_a_line_without_length_is_a_point() -> None:
    assert line_distance_m(0.0, 30.0, 1.0, 40.0, 0.0, 40.0, 0.0) == pytest.approx(50 * 0.0111195, rel=1e-5)


def test_within_counts_the_nearest_edge_and_the_bound_itself() -> None:
    edges = edges_of(square(0, 0, 1000))
    away_m = line_distance_m(500.0, 1400.0, math.cos(1400 * RADIANS_PER_E7), 0.0, 1000.0, 1000.0, 1000.0)
    assert away_m == pytest.approx(400 * 0.0111195, rel=1e-5)
    assert within_m(500.0, 1400.0, edges, POLYGON, away_m)
    assert not within_m(500.0, 1400.0, edges, POLYGON, away_m - 1e-9)


@pytest.mark.parametrize("kind", [CIRCLE, CORRIDOR])
def test_passing_is_the_least_distance_of_all_places_on_the_way(kind: int) -> None:
    rng = np.random.default_rng(kind)
    for _ in range(100):
        x, y, x1, y1, x2, y2, x3, y3 = (282_000_000 + rng.integers(-300_000, 300_000, 8)).tolist()
        edges = edges_of(Circle(x, y, 1) if kind == CIRCLE else corridor([(x, y), (x3, y3)], 1))
        shares = np.linspace(0, 1, 5001)
        xs, ys = (x1 + (x2 - x1) * shares) / 1e7, (y1 + (y2 - y1) * shares) / 1e7
        if kind == CIRCLE:
            expected = distance_m(xs, ys, x / 1e7, y / 1e7).min()
        else:
            expected = polyline_distance_m(xs, ys, np.array([x, x3]) / 1e7, np.array([y, y3]) / 1e7).min()
        passed = passing_m((float(x1), float(y1), float(x2), float(y2)), edges, 0, kind)
        assert passed == pytest.approx(expected, abs=1.5)  # the steps are up to 2 m
        assert passed <= expected + 1e-3
