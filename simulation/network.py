"""All routes as flat columns, with the speed that each vertex allows, so that a tick is a few array operations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulation.province import KMH, Floats, Kind, Route, distances_m

BRAKE_MS2 = 1.1  # what a calm driver uses
CORNER_KMH = 25.0  # through a right angle
Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Network:
    """Segments of all routes one after the other, (s,) each; segment i ends at vertex i.

    `firsts`: (r + 1,) first segment of each route. `end_speeds_ms`: what the end vertex allows. `stops_s`: stay there.
    """

    kinds: NDArray[np.int8]
    firsts: Rows
    lengths_m: Floats
    limits_ms: Floats
    end_speeds_ms: Floats
    stops_s: Floats
    signals: NDArray[np.int8]
    longitudes: Floats
    latitudes: Floats
    longitude_steps: Floats
    latitude_steps: Floats
    headings_deg: Floats

    def next_segments(self, segments: Rows) -> Rows:
        """The segment after each, round the end of its route."""
        route_ends = np.searchsorted(self.firsts, segments, side="right")
        return np.where(segments + 1 == self.firsts[route_ends], self.firsts[route_ends - 1], segments + 1)


def network(routes: Sequence[Route]) -> Network:
    """The columns of `routes`, in their order."""
    columns = [_columns(route) for route in routes]
    counts = [len(column["lengths_m"]) for column in columns]
    joined = {name: np.concatenate([column[name] for column in columns]) for name in columns[0]}
    kinds = np.array([route.kind for route in routes], np.int8)
    return Network(kinds=kinds, firsts=np.cumsum([0, *counts]), **joined)


def _columns(route: Route) -> dict[str, NDArray[Any]]:
    stretch = route.stretch
    steps = np.diff(stretch.points, axis=0)
    lengths = distances_m(stretch.points)
    assert (lengths > 1).all(), route.name
    headings = np.degrees(np.arctan2(steps[:, 0] * np.cos(np.radians(stretch.points[:-1, 1])), steps[:, 1])) % 360
    limits = stretch.limits_kmh * KMH
    return {
        "lengths_m": lengths,
        "limits_ms": limits,
        "end_speeds_ms": _end_speeds(lengths, limits, headings, stretch.stops_s[1:]),
        "stops_s": stretch.stops_s[1:],
        "signals": stretch.signals,
        "longitudes": stretch.points[:-1, 0],
        "latitudes": stretch.points[:-1, 1],
        "longitude_steps": steps[:, 0],
        "latitude_steps": steps[:, 1],
        "headings_deg": headings,
    }


def _end_speeds(lengths: Floats, limits: Floats, headings: Floats, stops: Floats) -> Floats:
    """Fastest speed at each segment's end from which every later bound can still be met by calm braking."""
    turns = np.abs((np.roll(headings, -1) - headings + 180) % 360 - 180)
    speeds = np.minimum(np.roll(limits, -1), np.where(turns > 45, CORNER_KMH * KMH, np.inf))
    speeds[stops > 0] = 0.0
    for _ in range(2):  # twice round the closed line, so that the first vertices bind the last
        for i in range(len(speeds) - 1, -1, -1):  # each depends on the one behind it: a loop, once per route
            following = (i + 1) % len(speeds)
            reachable = (speeds[following] ** 2 + 2 * BRAKE_MS2 * lengths[following]) ** 0.5
            speeds[i] = min(speeds[i], reachable)
    return speeds


LIMITS_KMH = {
    Kind.COACH: 100.0,
    Kind.TOUR_COACH: 100.0,
    Kind.CHARTER: 100.0,
    Kind.HAZMAT: 80.0,
    Kind.BUS: 60.0,
    Kind.TAXI: 120.0,
    Kind.FREIGHT: 100.0,
    Kind.OTHER: 120.0,
}
