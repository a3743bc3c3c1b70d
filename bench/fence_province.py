"""A province for the fence benchmarks: roads, fences beside and along them, vehicles on them. Made from a seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from services.vehicle_tracking.domain.fences import Fence, Polygon, Ring
from services.vehicle_tracking.domain.positions import Int32s

WEST, EAST, SOUTH, NORTH = 108.8, 114.3, 24.6, 30.1  # around Hunan
METRES_NORTH = 111_195.0  # of a degree
METRES_EAST = METRES_NORTH * float(np.cos(np.radians((SOUTH + NORTH) / 2)))
TOWN_COUNT, LINKS_OF_A_TOWN = 300, 3
SMALL_SHARE, ALONG_SHARE = 0.6, 0.3  # the rest are large
SCATTER_M = 15.0  # of satellite fixes
Floats = NDArray[np.float64]
Rng = np.random.Generator


@dataclass(frozen=True)
class Roads:
    """Polylines in metres, one after the other. `marks_m`: (v,) way to each vertex `places_m`, (v, 2), over all roads.
    `starts_m`, `lengths_m`: of each road."""

    marks_m: Floats
    places_m: Floats
    starts_m: Floats
    lengths_m: Floats

    def places(self, marks_m: Floats) -> Floats:
        """(n, 2) metres: the places at those ways."""
        return np.column_stack([np.interp(marks_m, self.marks_m, self.places_m[:, axis]) for axis in (0, 1)])


def roads_of(rng: Rng) -> Roads:
    """Towns, each joined to its neighbours by a winding road."""
    width, height = (EAST - WEST) * METRES_EAST, (NORTH - SOUTH) * METRES_NORTH
    towns = rng.uniform([0.01 * width, 0.01 * height], [0.99 * width, 0.99 * height], (TOWN_COUNT, 2))
    away = np.hypot(*(towns[:, None] - towns[None]).transpose(2, 0, 1))
    near = np.argsort(away, axis=1)[:, 1 : LINKS_OF_A_TOWN + 1]
    links = {(min(a, b), max(a, b)) for a, row in enumerate(near.tolist()) for b in row}
    lines = [_winding(rng, towns[list(link)]) for link in sorted(links)]
    steps = [np.hypot(*np.diff(line, axis=0).T) for line in lines]
    marks = np.cumsum(np.concatenate([np.concatenate([[1.0], step]) for step in steps]))  # a metre between roads
    lengths = np.array([step.sum() for step in steps])
    starts = marks[np.cumsum([0, *(len(line) for line in lines[:-1])])]
    return Roads(marks, np.concatenate(lines), starts, lengths)


def fences_of(rng: Rng, roads: Roads, count: int) -> list[Fence]:
    """Small ones of 6 to 20 corners beside roads, ones of 50 corners along 5 km of road, and large ones of 500 corners
    and 20 km."""
    small, along = int(count * SMALL_SHARE), int(count * ALONG_SHARE)
    rings = [_small(rng, roads) for _ in range(small)] + [_along(rng, roads) for _ in range(along)]
    rings += [_large(rng) for _ in range(count - small - along)]
    order = rng.permutation(count)
    return [_fence(fence_id, rings[index]) for fence_id, index in enumerate(order.tolist(), start=1)]


def outlines(fences: list[Fence]) -> NDArray[Any]:
    """(n,) shapely polygons in units of 1e-7 degree: what both sides compute with is the same."""
    rings = [fence.shape.rings[0] for fence in fences if isinstance(fence.shape, Polygon)]
    return np.array([shapely.Polygon(np.column_stack([r.longitudes_e7, r.latitudes_e7])) for r in rings], object)


def fixes_of(rng: Rng, roads: Roads, count: int) -> tuple[Int32s, Int32s]:
    """Fixes of vehicles anywhere on the roads; some roads are much busier."""
    busy = roads.lengths_m * rng.lognormal(0, 1, len(roads.lengths_m))
    road = rng.choice(len(busy), count, p=busy / busy.sum())
    places = roads.places(roads.starts_m[road] + rng.uniform(0, roads.lengths_m[road]))
    return coordinates(places + rng.normal(0, SCATTER_M, (count, 2)))


def coordinates(places_m: Floats) -> tuple[Int32s, Int32s]:
    """Longitudes and latitudes in 1e-7 degree."""
    degrees = places_m / [METRES_EAST, METRES_NORTH] + [WEST, SOUTH]
    longitudes, latitudes = np.rint(degrees * 1e7).astype(np.int32).T
    return np.ascontiguousarray(longitudes), np.ascontiguousarray(latitudes)


def _winding(rng: Rng, line: Floats) -> Floats:
    """The line with its parts bent in their middles until they are short."""
    bend = 0.12
    while np.hypot(*(line[1] - line[0])) > 400:
        step = np.diff(line, axis=0)
        middles = (line[1:] + line[:-1]) / 2 + np.column_stack([-step[:, 1], step[:, 0]]) * rng.normal(
            0, bend, (len(step), 1)
        )
        bent = np.empty((len(line) + len(middles), 2))
        bent[0::2], bent[1::2] = line, middles
        line, bend = bent, bend * 0.85
    return line


def _small(rng: Rng, roads: Roads) -> Floats:
    centre = roads.places(np.array([rng.uniform(0, roads.marks_m[-1])]))[0] + rng.normal(0, 150, 2)
    if rng.random() < 0.3:
        centre = rng.uniform(0, [(EAST - WEST) * METRES_EAST, (NORTH - SOUTH) * METRES_NORTH])
    angles = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(6, 21)))
    turn = rng.uniform(0, np.pi)
    axes = 250 * rng.uniform(0.7, 1.3, 2)
    ring = np.column_stack([axes[0] * np.cos(angles), axes[1] * np.sin(angles)])
    small: Floats = centre + ring @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    return small


def _along(rng: Rng, roads: Roads) -> Floats:
    while True:
        road = rng.choice(np.flatnonzero(roads.lengths_m > 6000))
        start = roads.starts_m[road] + rng.uniform(0, roads.lengths_m[road] - 5000)
        line = roads.places(start + np.linspace(0, 5000, 25))
        along = np.gradient(line, axis=0)
        aside = np.column_stack([-along[:, 1], along[:, 0]]) / np.hypot(*along.T)[:, None] * rng.uniform(30, 100)
        ring = np.vstack([line + aside, (line - aside)[::-1]])
        if shapely.Polygon(ring).is_valid:
            return ring


def _large(rng: Rng) -> Floats:
    centre = rng.uniform(0, [(EAST - WEST) * METRES_EAST, (NORTH - SOUTH) * METRES_NORTH])
    angles = np.sort(rng.uniform(0, 2 * np.pi, 500))
    waves = np.arange(2, 40)
    shape = np.cos(waves[:, None] * angles + rng.uniform(0, 2 * np.pi, (38, 1))) * rng.normal(0, 0.35 / waves)[:, None]
    radii = 10_000 * np.clip(1 + shape.sum(axis=0) + rng.normal(0, 0.01, 500), 0.25, None)
    large: Floats = centre + np.column_stack([np.cos(angles), np.sin(angles)]) * radii[:, None]
    return large


def _fence(fence_id: int, ring_m: Floats) -> Fence:
    return Fence(fence_id, f"fence {fence_id}", Polygon((Ring(*coordinates(ring_m)),)))
