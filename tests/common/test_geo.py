"""Geodesy against the ellipsoid of PROJ and against plain formulas."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Geod

from common import geo

SPHERE = Geod(a=geo.EARTH_RADIUS_M, b=geo.EARTH_RADIUS_M)
ELLIPSOID = Geod(ellps="WGS84")
LON = st.floats(-179.999, 179.999)
LAT = st.floats(-89.9, 89.9)
HUNAN_LON, HUNAN_LAT = st.floats(108.7, 114.3), st.floats(24.6, 30.2)


@given(LON, LAT, LON, LAT)
def test_distance_is_that_of_the_sphere(lon: float, lat: float, other_lon: float, other_lat: float) -> None:
    _, _, expected = SPHERE.inv(lon, lat, other_lon, other_lat)
    assert geo.distance_m(lon, lat, other_lon, other_lat) == pytest.approx(expected, rel=1e-6, abs=1e-3)


@given(HUNAN_LON, HUNAN_LAT, HUNAN_LON, HUNAN_LAT)
def test_distance_is_near_that_of_the_ellipsoid(lon: float, lat: float, other_lon: float, other_lat: float) -> None:
    _, _, expected = ELLIPSOID.inv(lon, lat, other_lon, other_lat)
    assert geo.distance_m(lon, lat, other_lon, other_lat) == pytest.approx(expected, rel=6e-3, abs=1e-3)


def test_distance_takes_empty_one_many_and_nan() -> None:
    assert geo.distance_m([], [], [], []).shape == (0,)
    assert geo.distance_m(113.0, 28.2, 113.0, 28.2) == 0
    lengths = geo.distance_m([113.0, np.nan], [28.0, 28.0], 113.0, [29.0, 29.0])
    assert lengths[0] == pytest.approx(geo.METRES_PER_DEGREE)
    assert math.isnan(lengths[1])


@given(HUNAN_LON, HUNAN_LAT, st.floats(0, 359.99), st.floats(1, 500_000))
def test_bearing_and_destination_are_those_of_the_sphere(lon: float, lat: float, bearing: float, length: float) -> None:
    expected_lon, expected_lat, _ = SPHERE.fwd(lon, lat, bearing, length)
    reached = geo.destination(lon, lat, bearing_deg=bearing, distance_m=length)
    assert np.allclose(reached, (expected_lon, expected_lat), rtol=0, atol=1e-8)
    turned = abs(float(geo.bearing_deg(lon, lat, *reached)) - bearing)
    assert min(turned, 360 - turned) < 1e-3
    assert geo.distance_m(lon, lat, *reached) == pytest.approx(length, rel=1e-6, abs=1e-3)


@pytest.mark.parametrize(
    ("lon", "lat", "bearing"), [(0, 1, 0), (1, 0, 90), (0, -1, 180), (-1, 0, 270), (0, 0, 0), (-1e-18, 1, 0)]
)
def test_bearings_go_clockwise_from_north(lon: float, lat: float, bearing: float) -> None:
    assert geo.bearing_deg(0, 0, lon, lat) == pytest.approx(bearing)
    assert geo.bearing_deg(0, 0, lon, lat) < 360


def test_going_east_over_the_date_line_comes_out_in_the_west() -> None:
    lon, lat = geo.destination(179.9, 0, bearing_deg=90, distance_m=geo.METRES_PER_DEGREE)
    assert np.allclose((lon, lat), (-179.1, 0))


@given(
    st.lists(st.tuples(st.floats(112.8, 113.2), st.floats(28.0, 28.4)), min_size=2, max_size=6),
    st.floats(112.8, 113.2),
    st.floats(28.0, 28.4),
)
def test_distance_to_a_line_is_that_to_its_nearest_place(
    line: list[tuple[float, float]], lon: float, lat: float
) -> None:
    vertices = np.array(line)
    share = np.linspace(0, 1, 2001)[:, None]
    places = np.concatenate([start + share * (end - start) for start, end in pairwise(vertices)])
    _, _, lengths = SPHERE.inv(np.full(len(places), lon), np.full(len(places), lat), places[:, 0], places[:, 1])
    found = geo.polyline_distance_m(lon, lat, vertices[:, 0], vertices[:, 1])
    assert found[0] == pytest.approx(np.min(lengths), rel=2e-3, abs=20)  # places are up to 20 m apart


def test_distance_to_a_line_beyond_its_end_beside_it_and_to_a_single_vertex() -> None:
    degree = geo.METRES_PER_DEGREE
    found = geo.polyline_distance_m([-0.1, 0.5, 1.1], [0, 0.1, 0], [0, 1], [0, 0])
    assert found == pytest.approx([0.1 * degree] * 3)
    assert geo.polyline_distance_m(0.1, 0, [0], [0]) == pytest.approx([0.1 * degree])
    assert geo.polyline_distance_m([], [], [0, 1], [0, 0]).shape == (0,)


def test_a_line_with_a_repeated_vertex_and_one_over_the_date_line() -> None:
    assert geo.polyline_distance_m(0, 0.1, [0, 0, 1], [0, 0, 0]) == pytest.approx([0.1 * geo.METRES_PER_DEGREE])
    over = geo.polyline_distance_m([180, -179.95, 179.95], [0.1] * 3, [179.9, -179.9], [0, 0])
    assert over == pytest.approx([0.1 * geo.METRES_PER_DEGREE] * 3)


def test_many_points_are_measured_in_slices_with_the_same_result(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(3)
    lon, lat = random.uniform(112, 114, 101), random.uniform(27, 29, 101)
    line = random.uniform(112, 114, 7), random.uniform(27, 29, 7)
    whole = geo.polyline_distance_m(lon, lat, *line)
    monkeypatch.setattr(geo, "_PAIRS_AT_ONCE", 70)
    assert np.array_equal(geo.polyline_distance_m(lon, lat, *line), whole)


def test_nan_is_at_no_distance_from_a_line() -> None:
    assert np.isnan(geo.polyline_distance_m([np.nan, 0], [0, 0], [0, 1], [0, 0])).tolist() == [True, False]
