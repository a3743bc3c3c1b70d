"""A made-up toll network on the province's expressways: toll intervals both ways, stations, and the ways between them.

Where the roads run is the province's (schematic); sections, ids, owners and stations are synthetic and labelled 示例.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import networkx as nx  # type: ignore[import-untyped, unused-ignore]
import numpy as np
from numpy.typing import NDArray

from simulation.places import COUNTIES, EXPRESSWAYS, SEATS, Expressway
from simulation.province import Province, distances_m

Int64s = NDArray[np.int64]
Int32s = NDArray[np.int32]

INTERVALS, STATIONS = 1_100, 450  # about what Hunan has
PROVINCE = "43"
UP, DOWN = 1, 2  # along the road's order of places, and against it
COMPANIES = ("甲", "乙", "丙", "丁", "戊", "己")


class TollInterval(NamedTuple):
    """A stretch of road in one direction with one price a vehicle type. `start`, `end`: nodes of the graph."""

    interval_id: str
    name: str
    owner: str
    section: str
    length_m: int
    start: str
    end: str


class TollStation(NamedTuple):
    """Where vehicles enter and leave the network, at a node of the graph."""

    station_id: str
    name: str
    node: str


class Owner(NamedTuple):
    """Who gets what is paid for an interval. `parent`: the owner above, empty at the top."""

    owner: str
    name: str
    parent: str


@dataclass(frozen=True, slots=True)
class TollNetwork:
    """Intervals and stations in the order of their ids, so that number order is id order; the other way is `i ^ 1`."""

    intervals: tuple[TollInterval, ...]
    stations: tuple[TollStation, ...]
    owners: tuple[Owner, ...]

    @property
    def lengths_m(self) -> Int64s:
        """Of each interval, (i,)."""
        return np.array([interval.length_m for interval in self.intervals])


@dataclass(frozen=True, slots=True)
class Ways:
    """The shortest way from each station to each: `starts[w]:starts[w + 1]` for w = origin * stations + destination.

    `intervals`: numbers in the network, end to end. Empty from a station to itself.
    """

    starts: Int64s
    intervals: Int32s

    @property
    def counts(self) -> Int64s:
        """Intervals of each way, (stations²,)."""
        return np.diff(self.starts)


class _Road(NamedTuple):
    way: Expressway
    number: int  # of the road on its expressway
    start: str
    end: str
    length_m: float


def toll_network(land: Province, seed: int, *, intervals: int = INTERVALS, stations: int = STATIONS) -> TollNetwork:
    """About `intervals` toll intervals, both directions counted, and `stations` stations; the same for the same seed.

    No fewer intervals than the province has roads, twice.
    """
    rng = np.random.default_rng([seed, 20])
    roads = list(_roads(land))
    pieces = _pieces(np.array([road.length_m for road in roads]), intervals // 2)
    owners = _owners()
    made: list[TollInterval] = []
    for road, count in zip(roads, pieces, strict=True):
        made += _intervals(rng, road, int(count), owners)
    made.sort()
    assert all(one.start == other.end for one, other in zip(made[::2], made[1::2], strict=True))
    return TollNetwork(tuple(made), tuple(_stations(rng, made, stations)), owners)


def ways(network: TollNetwork) -> Ways:
    """The shortest ways between all stations, in metres, over the graph of the intervals."""
    graph = nx.DiGraph()
    for number, interval in enumerate(network.intervals):
        graph.add_edge(interval.start, interval.end, number=number, length_m=interval.length_m)
    nodes = [station.node for station in network.stations]
    found: list[list[int]] = []
    for origin in nodes:
        paths = nx.single_source_dijkstra_path(graph, origin, weight="length_m")
        found += [[graph.edges[step]["number"] for step in pairwise(paths[node])] for node in nodes]
    counts = np.array([len(way) for way in found])
    return Ways(np.r_[0, np.cumsum(counts)], np.concatenate([np.array(way, np.int32) for way in found]))


def _roads(land: Province) -> Iterator[_Road]:
    """Each road once: where two expressways share one it is the first's."""
    seen: set[frozenset[str]] = set()
    for way in EXPRESSWAYS:
        for number, (start, end) in enumerate(pairwise(way.places), 1):
            if frozenset((start, end)) not in seen:
                seen.add(frozenset((start, end)))
                yield _Road(way, number, start, end, float(distances_m(land.roads[start, end].points).sum()))


def _pieces(lengths_m: NDArray[np.float64], count: int) -> Int64s:
    """Into how many intervals each road is cut, in proportion to its length and at least one, `count` in all."""
    if count < len(lengths_m):
        raise ValueError(f"{2 * count} intervals are too few for {len(lengths_m)} roads both ways")
    pieces = np.ones(len(lengths_m), np.int64)
    for _ in range(count - len(lengths_m)):  # a few hundred: the longest piece is cut again
        pieces[np.argmax(lengths_m / pieces)] += 1
    return pieces


def _intervals(rng: np.random.Generator, road: _Road, count: int, owners: tuple[Owner, ...]) -> Iterator[TollInterval]:
    section = f"{_route_code(road.way)}{PROVINCE}{road.number:03d}0"
    cuts = np.r_[0, np.sort((np.arange(1, count) + rng.uniform(-0.3, 0.3, count - 1)) / count), 1] * road.length_m
    nodes = [road.start, *(f"{road.start}—{road.end}{n}" for n in range(1, count)), road.end]
    leaves = [owner.owner for owner in owners if owner.owner not in {other.parent for other in owners}]
    owner = leaves[(EXPRESSWAYS.index(road.way) + road.number // 4) % len(leaves)]
    for n, metres in enumerate(np.rint(np.diff(cuts)).astype(int).tolist()):
        for direction, start, end in ((UP, nodes[n], nodes[n + 1]), (DOWN, nodes[n + 1], nodes[n])):
            name = f"{road.way.name} {start}至{end}（示例）"
            yield TollInterval(f"{section}{n + 1:03d}{direction}0", name, owner, section, metres, start, end)


def _route_code(way: Expressway) -> str:
    """Five characters: `G0004` of `G4 京港澳`; made up (S9…) where the expressway has no number here."""
    code = way.name.split()[0]
    if not code.isascii():
        return f"S90{EXPRESSWAYS.index(way):02d}"
    return f"{code[0]}{int(code[1:]):04d}"


def _owners() -> tuple[Owner, ...]:
    """A group, companies below it, and below some of the companies two branches: two and three levels."""
    group = Owner("示例集团", "示例高速公路集团（示例）", "")
    companies = [Owner(f"示例{name}公司", f"示例{name}高速公路公司（示例）", group.owner) for name in COMPANIES]
    branches = [
        Owner(f"{company.owner}{side}段", f"{company.name}{side}段", company.owner)
        for company in companies[::2]
        for side in ("东", "西")
    ]
    return (group, *companies, *branches)


def _stations(rng: np.random.Generator, made: list[TollInterval], count: int) -> Iterator[TollStation]:
    """At every place, and at as many nodes between as are wanted; the id is that of a section that begins there."""
    sections: dict[str, str] = {}
    for interval in made:
        sections.setdefault(interval.start, interval.section)
    places = [place.name for place in (*SEATS, *COUNTIES) if place.name in sections]
    between = [node for node in sections if node not in set(places)]
    if not len(places) <= count <= len(sections):
        raise ValueError(f"{count} stations do not fit: {len(places)} to {len(sections)} do")
    chosen = rng.choice(len(between), count - len(places), replace=False)
    nodes = [*places, *(between[n] for n in sorted(chosen.tolist()))]
    numbered: dict[str, int] = {}
    stations = []
    for node in nodes:
        numbered[sections[node]] = number = numbered.get(sections[node], 0) + 1
        stations.append(TollStation(f"{sections[node]}{number:03d}", f"{node}站（示例）", node))
    yield from sorted(stations)
