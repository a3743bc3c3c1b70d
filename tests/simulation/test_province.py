"""The province, its places and its network: the same from the same seed, joined up, and drivable."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from simulation.network import BRAKE_MS2, network
from simulation.places import COUNTIES, EXPRESSWAYS, INDUSTRY, SEATS, SIGHTS
from simulation.province import KMH, Kind, Signal, distances_m, path, province


def test_hunan_has_fourteen_prefectures_and_every_road_joins_known_places() -> None:
    names = {place.name for place in (*SEATS, *COUNTIES)}
    assert len({seat.region_code for seat in SEATS}) == 14
    assert {name for way in EXPRESSWAYS for name in way.places} <= names
    assert {*INDUSTRY, *SIGHTS} <= names


def test_the_same_seed_makes_the_same_province() -> None:
    one, same, other = province(7), province(7), province(8)
    assert [route.name for route in one.routes] == [route.name for route in same.routes]
    assert all(np.array_equal(a.stretch.points, b.stretch.points) for a, b in zip(one.routes, same.routes, strict=True))
    assert [route.name for route in one.routes] != [route.name for route in other.routes]


def test_every_route_is_closed_lies_in_hunan_and_has_a_known_kind() -> None:
    for route in province(1).routes:
        points = route.stretch.points
        assert np.allclose(points[0], points[-1]), route.name
        assert (points >= [108, 24]).all() and (points <= [115, 31]).all(), route.name
        assert route.kind in Kind
        assert len(route.stretch.limits_kmh) == len(route.stretch.signals) == len(points) - 1


def test_mountain_roads_have_tunnels_and_stretches_without_network() -> None:
    signals = np.concatenate([road.signals for road in province(1).roads.values()])
    assert {int(signal) for signal in signals} == {Signal.FULL, Signal.NO_NETWORK, Signal.NO_FIX}


def test_a_path_follows_roads_and_there_is_none_to_nowhere() -> None:
    roads = province(1).roads
    way = path(roads, "长沙", "郴州")
    assert way[0] == "长沙" and way[-1] == "郴州"
    assert all(pair in roads for pair in pairwise(way))
    with pytest.raises(ValueError, match="no road joins"):
        path(roads, "长沙", "桃花源")


def test_a_degree_of_latitude_is_111_km() -> None:
    assert distances_m(np.array([[112.0, 27.0], [112.0, 28.0]]))[0] == pytest.approx(111_195, abs=5)


def test_the_speed_at_each_vertex_lets_a_calm_driver_keep_the_next_one() -> None:
    net = network(province(1).routes)
    following = net.next_segments(np.arange(len(net.lengths_m)))
    reachable = np.sqrt(net.end_speeds_ms[following] ** 2 + 2 * BRAKE_MS2 * net.lengths_m[following])
    assert (net.end_speeds_ms <= reachable + 1e-9).all()
    assert (net.end_speeds_ms[net.stops_s > 0] == 0).all()
    assert net.end_speeds_ms.max() <= 120 * KMH + 1e-9


def test_the_segment_after_the_last_of_a_route_is_its_first() -> None:
    net = network(province(1).routes)
    assert net.next_segments(net.firsts[1:] - 1).tolist() == net.firsts[:-1].tolist()
