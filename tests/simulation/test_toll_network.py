"""The toll network: ids in their layouts, joined up, both ways, of the size asked for, the same from the same seed."""

from __future__ import annotations

import re
from itertools import pairwise

import networkx as nx  # type: ignore[import-untyped, unused-ignore]
import numpy as np
import pytest

from simulation.province import province
from simulation.toll_network import INTERVALS, STATIONS, toll_network
from tests.simulation.toll_world import world


def test_at_full_scale_it_has_about_as_many_gantries_and_stations_as_hunan() -> None:
    network = toll_network(province(1), 1)
    assert len(network.intervals) == INTERVALS == 1_100
    assert len(network.stations) == STATIONS == 450
    assert 6_000 < network.lengths_m.mean() < 10_000


def test_ids_fit_their_layouts_and_are_in_order() -> None:
    network = world().network
    for interval in network.intervals:
        assert re.fullmatch(r"[GS]\d{4}43\d{3}0\d{3}[12]0", interval.interval_id)
        assert interval.interval_id.startswith(interval.section)
        assert "示例" in interval.name and interval.length_m > 0
    for station in network.stations:
        assert re.fullmatch(r"[GS]\d{4}43\d{3}0\d{3}", station.station_id)
    for ids in ([i.interval_id for i in network.intervals], [s.station_id for s in network.stations]):
        assert ids == sorted(set(ids))


def test_every_interval_has_one_of_the_same_length_the_other_way() -> None:
    intervals = world().network.intervals
    for number, interval in enumerate(intervals):
        other = intervals[number ^ 1]
        assert (interval.start, interval.end, interval.length_m) == (other.end, other.start, other.length_m)
        assert {interval.interval_id[14], other.interval_id[14]} == {"1", "2"}


def test_owners_have_two_or_three_levels_and_every_interval_is_of_the_lowest() -> None:
    network = world().network
    parents = {owner.owner: owner.parent for owner in network.owners}

    def level(owner: str) -> int:
        return 1 if not parents[owner] else 1 + level(parents[owner])

    used = {interval.owner for interval in network.intervals}
    assert {level(owner) for owner in used} == {2, 3}
    assert not used & set(parents.values())
    assert all("示例" in owner.name for owner in network.owners)


def test_a_way_is_driven_from_its_origin_to_its_destination_and_none_is_shorter() -> None:
    network, between = world().network, world().ways
    graph = nx.Graph()
    for interval in network.intervals:
        graph.add_edge(interval.start, interval.end, length_m=interval.length_m)
    count = len(network.stations)
    for way in np.random.default_rng(1).integers(0, count * count, 60).tolist():
        origin, destination = (network.stations[n].node for n in divmod(way, count))
        driven = [network.intervals[n] for n in between.intervals[between.starts[way] : between.starts[way + 1]]]
        assert all(one.end == other.start for one, other in pairwise(driven))
        assert [driven[0].start, driven[-1].end] == [origin, destination] if driven else origin == destination
        shortest_m = nx.dijkstra_path_length(graph, origin, destination, weight="length_m")
        assert sum(interval.length_m for interval in driven) == shortest_m


def test_the_same_seed_makes_the_same_network() -> None:
    land = province(1)
    one, same, other = (toll_network(land, seed, intervals=200, stations=70) for seed in (3, 3, 4))
    assert one == same
    assert one != other


@pytest.mark.parametrize(("intervals", "stations"), [(100, 70), (200, 20), (200, 190)])
def test_a_size_that_the_province_does_not_fit_is_refused(intervals: int, stations: int) -> None:
    with pytest.raises(ValueError, match=r"intervals are too few|stations do not fit"):
        toll_network(province(1), 1, intervals=intervals, stations=stations)
