"""A province made from a seed: roads between public places, city streets, and the closed routes that vehicles drive."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from simulation.places import COUNTIES, EXPRESSWAYS, INDUSTRY, SEATS, SIGHTS, Place

Floats = NDArray[np.float64]
Points = NDArray[np.float64]  # (n, 2) longitude, latitude in degrees
EARTH_RADIUS_M = 6_371_008.8
BEND_SPACING_M = 2_000.0
APPROACH_M = 5_000.0  # of every road end is town, limit 60
KMH = 1 / 3.6


class Kind(IntEnum):
    """What a vehicle is used for; the numbers are those of registry_service.proto."""

    COACH = 1
    TOUR_COACH = 2
    CHARTER = 3
    HAZMAT = 4
    BUS = 5
    TAXI = 6
    FREIGHT = 7
    OTHER = 8


class Signal(IntEnum):
    """What a stretch of road lets through."""

    FULL = 0
    NO_NETWORK = 1  # fixes are stored and uploaded later
    NO_FIX = 2  # a tunnel: reports go out, the position does not move


@dataclass(frozen=True, slots=True)
class Stretch:
    """An open line. `points` (n, 2); `limits_kmh`, `signals` (n - 1,) a segment; `stops_s` (n,) seconds."""

    points: Points
    limits_kmh: Floats
    signals: NDArray[np.int8]
    stops_s: Floats

    def backwards(self) -> Stretch:
        """The same road the other way."""
        return Stretch(self.points[::-1], self.limits_kmh[::-1], self.signals[::-1], self.stops_s[::-1])


@dataclass(frozen=True, slots=True)
class Route:
    """A closed line that vehicles of one kind drive round and round."""

    name: str
    kind: Kind
    region_code: str
    stretch: Stretch


@dataclass(frozen=True, slots=True)
class Province:
    """Places, roads between neighbours by their names, and routes."""

    places: dict[str, Place]
    roads: dict[tuple[str, str], Stretch]
    routes: tuple[Route, ...]


def distances_m(points: Points) -> Floats:
    """Length of each segment of (n, 2) points in metres, (n - 1,)."""
    lon, lat = np.radians(points[:, 0]), np.radians(points[:, 1])
    east = np.diff(lon) * np.cos((lat[:-1] + lat[1:]) / 2)
    return np.asarray(np.hypot(east, np.diff(lat)) * EARTH_RADIUS_M)


def province(seed: int) -> Province:
    """The province of a seed: always the same for the same seed."""
    rng = np.random.default_rng(seed)
    places = {place.name: place for place in (*SEATS, *COUNTIES)}
    roads: dict[tuple[str, str], Stretch] = {}
    for way in EXPRESSWAYS:
        for start, end in pairwise(way.places):
            road = _road(rng, places[start], places[end], mountainous=way.mountainous)
            roads[start, end], roads[end, start] = road, road.backwards()
    routes = (*_coach_lines(rng, places, roads), *_tours(rng, roads), *_freights(rng, roads), *_city_routes(rng))
    return Province(places, roads, routes)


def path(roads: dict[tuple[str, str], Stretch], start: str, end: str) -> list[str]:
    """Places on the shortest way between two places."""
    lengths = {pair: float(distances_m(road.points).sum()) for pair, road in roads.items()}
    queue: list[tuple[float, str, list[str]]] = [(0.0, start, [start])]
    seen: set[str] = set()
    while queue:
        length, here, way = heapq.heappop(queue)
        if here == end:
            return way
        if here in seen:
            continue
        seen.add(here)
        for (one, other), metres in lengths.items():
            if one == here and other not in seen:
                heapq.heappush(queue, (length + metres, other, [*way, other]))
    raise ValueError(f"no road joins {start} and {end}")


def _coach_lines(
    rng: np.random.Generator, places: dict[str, Place], roads: dict[tuple[str, str], Stretch]
) -> Iterable[Route]:
    names = sorted({name for pair in roads for name in pair})
    weights = np.array([places[name].weight for name in names])
    for _ in range(70):
        start, end = rng.choice(names, 2, replace=False, p=weights / weights.sum())
        yield _there_and_back(roads, (start, end), Kind.COACH, stop_s=240.0)
    for _ in range(20):
        start, end = rng.choice(names, 2, replace=False)
        yield _there_and_back(roads, (start, end), Kind.CHARTER, stop_s=300.0)


def _tours(rng: np.random.Generator, roads: dict[tuple[str, str], Stretch]) -> Iterable[Route]:
    seats = [seat.name for seat in SEATS]
    for _ in range(24):
        sights = [str(sight) for sight in rng.choice(SIGHTS, 2, replace=False)]
        home = str(rng.choice([seat for seat in seats if seat not in sights]))
        yield _there_and_back(roads, (home, *sights), Kind.TOUR_COACH, stop_s=1500.0)


def _freights(rng: np.random.Generator, roads: dict[tuple[str, str], Stretch]) -> Iterable[Route]:
    for kind, count in ((Kind.HAZMAT, 40), (Kind.FREIGHT, 24)):
        for _ in range(count):
            start, end = rng.choice(INDUSTRY, 2, replace=False)
            yield _there_and_back(roads, (start, end), kind, stop_s=1200.0)


def _city_routes(rng: np.random.Generator) -> Iterable[Route]:
    for seat in SEATS:
        for number in range(round(3 + seat.weight)):
            yield Route(f"{seat.name}出租{number}", Kind.TAXI, seat.region_code, _taxi_loop(rng, seat))
            line = _bus_line(rng, seat)
            yield Route(f"{seat.name}{number + 1}路", Kind.BUS, seat.region_code, _closed([line, line.backwards()]))


def _there_and_back(roads: dict[tuple[str, str], Stretch], ends: Sequence[str], kind: Kind, *, stop_s: float) -> Route:
    """Through `ends` in order on the shortest ways and back, with a stop at every place of `ends`."""
    legs: list[Stretch] = []
    for start, end in pairwise(ends):
        way = path(roads, start, end)
        legs.append(_joined([roads[pair] for pair in pairwise(way)]))
    stops = [np.r_[stop_s, np.zeros(len(leg.points) - 2), stop_s] for leg in legs]
    legs = [Stretch(leg.points, leg.limits_kmh, leg.signals, s) for leg, s in zip(legs, stops, strict=True)]
    region = next(place.region_code for place in (*SEATS, *COUNTIES) if place.name == ends[0])
    return Route("—".join(ends), kind, region, _closed([*legs, *(leg.backwards() for leg in reversed(legs))]))


def _road(rng: np.random.Generator, start: Place, end: Place, *, mountainous: bool) -> Stretch:
    ends = np.array([[start.longitude, start.latitude], [end.longitude, end.latitude]])
    length_m = float(distances_m(ends)[0])
    count = max(int(length_m / BEND_SPACING_M), 4)
    along = np.linspace(0.0, 1.0, count + 1)
    across = ends[1] - ends[0]
    amplitude = 0.035 if mountainous else 0.02
    sway = sum(rng.normal(0, amplitude / k) * np.sin(math.pi * k * along) for k in (1, 2, 3, 5, 8))
    points = ends[0] + along[:, None] * across + np.outer(sway, [-across[1], across[0]])
    near_end_m = np.minimum(along[:-1], 1 - along[1:]) * length_m
    limits = np.where(near_end_m < APPROACH_M, 60.0, 100.0 if mountainous else 120.0)
    signals = np.zeros(count, np.int8)
    if mountainous:
        for signal, share in ((Signal.NO_NETWORK, 0.06), (Signal.NO_FIX, 0.04)):
            for at in rng.choice(count, max(1, round(share * count / 2)), replace=False):
                signals[at : at + 2] = signal
    return Stretch(points, limits, signals, np.zeros(count + 1))


def _taxi_loop(rng: np.random.Generator, seat: Place) -> Stretch:
    """A walk over a grid of streets that comes home, with a fare every few blocks."""
    moves = np.array([[1, 0], [0, 1], [-1, 0], [0, -1]])[rng.choice(4, 60)] * rng.choice([1, 2, 3], (60, 1))
    walk = np.clip(np.cumsum(np.r_[[[0, 0]], moves], axis=0), -14, 14)
    corners = np.r_[walk, [[0, walk[-1, 1]], [0, 0]]]
    corners = corners[np.r_[True, (np.diff(corners, axis=0) != 0).any(axis=1)]]
    stops = np.where(rng.random(len(corners)) < 0.12, rng.uniform(30, 240, len(corners)), 0.0)
    stops[0] = 300.0
    return _streets(seat, corners * 450.0, stops, limit_kmh=rng.choice([40.0, 50.0, 60.0], len(corners) - 1))


def _bus_line(rng: np.random.Generator, seat: Place) -> Stretch:
    """A line of 8 to 14 km through the centre with a stop every 600 m."""
    bearing = rng.uniform(0, 2 * math.pi)
    count = int(rng.integers(14, 24))
    along = (np.arange(count) - count / 2) * 600.0
    drift = np.cumsum(rng.normal(0, 90, count))
    east, north = math.cos(bearing), math.sin(bearing)
    corners = np.stack([along * east - drift * north, along * north + drift * east], axis=1)
    stops = np.full(count, 25.0)
    stops[[0, -1]] = 420.0
    return _streets(seat, corners, stops, limit_kmh=np.full(count - 1, 50.0))


def _streets(seat: Place, metres: Floats, stops_s: Floats, *, limit_kmh: Floats) -> Stretch:
    degrees = np.degrees(metres / EARTH_RADIUS_M) / [math.cos(math.radians(seat.latitude)), 1.0]
    points = degrees + np.array([seat.longitude, seat.latitude])
    return Stretch(points, limit_kmh, np.zeros(len(metres) - 1, np.int8), stops_s)


def _joined(stretches: Sequence[Stretch]) -> Stretch:
    """One line of stretches that meet end to start; where two vertices become one, the longer stop stays."""
    points = np.concatenate([stretches[0].points, *(s.points[1:] for s in stretches[1:])])
    stops = stretches[0].stops_s
    for stretch in stretches[1:]:
        stops = np.r_[stops[:-1], max(stops[-1], stretch.stops_s[0]), stretch.stops_s[1:]]
    limits = np.concatenate([s.limits_kmh for s in stretches])
    return Stretch(points, limits, np.concatenate([s.signals for s in stretches]), stops)


def _closed(stretches: Sequence[Stretch]) -> Stretch:
    stretch = _joined(stretches)
    assert np.allclose(stretch.points[0], stretch.points[-1])
    return stretch
