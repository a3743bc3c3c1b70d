"""Map datums: known places, both directions, the edge of the box."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common import datums
from common.datums import Datum

CHINA_LON, CHINA_LAT = st.floats(73.0, 135.0), st.floats(3.9, 53.5)
HUNAN = np.meshgrid(np.linspace(108.7, 114.3, 300), np.linspace(24.6, 30.2, 300))
ERROR_DEG_MAX = 1e-7


@given(CHINA_LON, CHINA_LAT)
def test_there_and_back_is_where_it_began(lon: float, lat: float) -> None:
    for datum in Datum:
        back = datums.to_wgs84(*datums.from_wgs84(lon, lat, datum), datum)
        assert np.allclose(back, (lon, lat), rtol=0, atol=ERROR_DEG_MAX)


@pytest.mark.parametrize("datum", Datum)
def test_there_and_back_all_over_hunan(datum: Datum) -> None:
    lon, lat = datums.to_wgs84(*datums.from_wgs84(*HUNAN, datum), datum)
    assert max(np.abs(lon - HUNAN[0]).max(), np.abs(lat - HUNAN[1]).max()) < 1e-9


def test_back_and_there_is_where_it_was_drawn() -> None:
    lon, lat = datums.from_wgs84(*datums.to_wgs84(*HUNAN, Datum.BD09), Datum.BD09)
    assert max(np.abs(lon - HUNAN[0]).max(), np.abs(lat - HUNAN[1]).max()) < 1e-9


@given(CHINA_LON, CHINA_LAT)
def test_gcj02_is_the_shift_worked_out_point_by_point(lon: float, lat: float) -> None:
    assert np.allclose(datums.wgs84_to_gcj02(lon, lat), plain_gcj02(lon, lat), rtol=0, atol=1e-10)


def test_in_changsha_the_shift_is_of_the_size_that_maps_show() -> None:
    lon, lat = datums.wgs84_to_gcj02(112.9388, 28.2282)
    assert 0.004 < lon - 112.9388 < 0.007
    assert -0.005 < lat - 28.2282 < -0.002
    lon, lat = datums.gcj02_to_bd09(112.9388, 28.2282)
    assert np.allclose((lon - 112.9388, lat - 28.2282), (0.0065, 0.006), rtol=0, atol=6e-4)


@pytest.mark.parametrize(("lon", "lat"), [(2.35, 48.86), (-74.0, 40.7), (151.2, -33.9), (71.9, 35.0), (139.7, 35.7)])
def test_outside_of_china_gcj02_is_wgs84(lon: float, lat: float) -> None:
    assert np.array_equal(datums.wgs84_to_gcj02(lon, lat), (lon, lat))
    assert np.array_equal(datums.gcj02_to_wgs84(lon, lat), (lon, lat))


def test_near_the_edge_of_the_box_nothing_is_lost() -> None:
    lat = np.linspace(20, 50, 61)
    for lon in (72.0041, 72.02, 137.8, 137.83):
        back = datums.gcj02_to_wgs84(*datums.wgs84_to_gcj02(np.full(61, lon), lat))
        assert np.abs(back[0] - lon).max() < ERROR_DEG_MAX


def test_empty_one_and_nan_keep_their_shape() -> None:
    assert datums.to_wgs84([], [], Datum.BD09)[0].shape == (0,)
    lon, lat = datums.to_wgs84([113.0, np.nan], [28.0, 28.0], Datum.BD09)
    assert (math.isnan(lon[1]), math.isnan(lon[0]), math.isnan(lat[0])) == (True, False, False)
    alone = datums.to_wgs84(113.0, 28.0, Datum.BD09)
    assert np.allclose((lon[0], lat[0]), alone, rtol=0, atol=1e-12)


def plain_gcj02(lon: float, lat: float) -> tuple[float, float]:
    """The published formula, term by term, for one point."""
    x, y = lon - 105.0, lat - 35.0
    d_lat = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * math.sqrt(abs(x))
    d_lon = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * math.sqrt(abs(x))
    for factor, period in ((20.0, 1 / 6), (20.0, 1 / 2)):
        d_lat += factor * math.sin(x * math.pi / period) * 2.0 / 3.0
        d_lon += factor * math.sin(x * math.pi / period) * 2.0 / 3.0
    for factor, period in ((20.0, 1.0), (40.0, 3.0), (160.0, 12.0), (320.0, 30.0)):
        d_lat += factor * math.sin(y * math.pi / period) * 2.0 / 3.0
    for factor, period in ((20.0, 1.0), (40.0, 3.0), (150.0, 12.0), (300.0, 30.0)):
        d_lon += factor * math.sin(x * math.pi / period) * 2.0 / 3.0
    a, ee = 6378245.0, 0.00669342162296594323
    magic = 1 - ee * math.sin(lat / 180.0 * math.pi) ** 2
    d_lat = d_lat * 180.0 / (a * (1 - ee) / (magic * math.sqrt(magic)) * math.pi)
    d_lon = d_lon * 180.0 / (a / math.sqrt(magic) * math.cos(lat / 180.0 * math.pi) * math.pi)
    return lon + d_lon, lat + d_lat
