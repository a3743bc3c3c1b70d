"""transitions: vehicles on the roads against 10,000 fences, enter and exit, against shapely's tree."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray

from bench.fence_province import Floats, Roads, coordinates, fences_of, outlines, roads_of
from bench.results import Result, repeated
from services.vehicle_tracking.domain.fence_set import FenceSet, fence_set
from services.vehicle_tracking.domain.fence_sides import Sides, changes
from services.vehicle_tracking.domain.fence_sides_rows import Columns
from services.vehicle_tracking.domain.fences import FenceTrigger
from services.vehicle_tracking.domain.positions import Int32s, Int64s

FENCE_COUNT, VEHICLE_COUNT, ROUNDS, COMPARED_ROUNDS = 10_000, 20_000, 30, 4
FIX_INTERVAL_S, CROSS_GAP_MS, START_MS = 30, 120_000, 1_700_000_000_000
TARGET_POSITIONS_S = 1_500_000
Keys = NDArray[np.int64]


class Round(NamedTuple):
    """One fix of every vehicle, in the order of vehicles."""

    longitudes_e7: Int32s
    latitudes_e7: Int32s


def run() -> Result:
    """Positions judged a second on one core: lookup, what applies, sides. Enters and exits are compared."""
    rng = np.random.default_rng(20240607)
    roads = roads_of(rng)
    listed = fences_of(rng, roads, FENCE_COUNT)
    fences, tree = fence_set(listed), shapely.STRtree(outlines(listed))
    rounds = _drives(rng, roads)
    _judged(Sides(), fences, rounds[:2])
    transition_count, per_vehicle = _equal_or_raise(fences, tree, rounds[:COMPARED_ROUNDS])
    position_count = VEHICLE_COUNT * ROUNDS
    figure, spread = repeated(lambda: position_count / _seconds(fences, rounds))
    baseline, _ = repeated(lambda: _tree_rate(tree, rounds[:2]), times=3)
    return Result(
        slug="transitions",
        figure=figure,
        unit="positions/s a core",
        target=f">= {TARGET_POSITIONS_S / 1e6:g} M/s, equal to shapely's",
        met=figure >= TARGET_POSITIONS_S,
        ratio=figure / baseline,
        baseline=f"STRtree.query of each round and differences of pairs, {baseline:,.0f} positions/s",
        note=f"{transition_count / VEHICLE_COUNT / COMPARED_ROUNDS:.2f} transitions a position;"
        f" {per_vehicle:.0f} bytes of state a vehicle; bounded by fetching cells and sides from memory",
        spread=spread,
    )


def _drives(rng: np.random.Generator, roads: Roads) -> list[Round]:
    """Vehicles go along their road and turn at its ends."""
    road = rng.choice(len(roads.lengths_m), VEHICLE_COUNT, p=roads.lengths_m / roads.lengths_m.sum())
    lengths, speeds_ms = roads.lengths_m[road], rng.uniform(5, 30, VEHICLE_COUNT)
    way = rng.uniform(0, 2 * lengths)
    rounds = []
    for _ in range(ROUNDS):
        way = (way + speeds_ms * FIX_INTERVAL_S) % (2 * lengths)
        places: Floats = roads.places(roads.starts_m[road] + np.where(way < lengths, way, 2 * lengths - way))
        rounds.append(Round(*coordinates(places + rng.normal(0, 5, places.shape))))
    return rounds


def _judged(state: Sides, fences: FenceSet, rounds: list[Round]) -> list[Any]:
    rows, zeros = np.arange(VEHICLE_COUNT, dtype=np.int64), np.zeros(VEHICLE_COUNT, np.int32)
    kinds, lates = np.full(VEHICLE_COUNT, 7, np.uint8), np.zeros(VEHICLE_COUNT, np.bool_)
    found, before = [], Round(zeros, zeros)
    for number, now in enumerate(rounds):
        times_ms: Int64s = np.full(VEHICLE_COUNT, START_MS + number * FIX_INTERVAL_S * 1000, np.int64)
        earlier_ms = times_ms - FIX_INTERVAL_S * 1000 if number else np.full_like(times_ms, -1)
        fixes = Columns(rows, times_ms, *now, zeros, kinds, lates, earlier_ms, *before, START_MS)
        pairs = fences.in_force(fences.containing(*now), times_ms, kinds)
        found.append(changes(state, fixes, pairs, fences, row_count=VEHICLE_COUNT, cross_gap_ms=CROSS_GAP_MS))
        before = now
    return found


def _seconds(fences: FenceSet, rounds: list[Round]) -> float:
    start = time.perf_counter()
    _judged(Sides(), fences, rounds)
    return time.perf_counter() - start


def _equal_or_raise(fences: FenceSet, tree: shapely.STRtree, rounds: list[Round]) -> tuple[int, float]:
    """How many transitions there were, and bytes of state a vehicle."""
    state, before, count = Sides(), np.empty(0, np.int64), 0
    for now, found in zip(rounds, _judged(state, fences, rounds), strict=True):
        held = _tree_keys(tree, now)
        keys = found.events["fix"] * np.int64(FENCE_COUNT) + found.events["fence_id"] - 1
        for kind, expected in (
            (FenceTrigger.ENTER, np.setdiff1d(held, before)),
            (FenceTrigger.EXIT, np.setdiff1d(before, held)),
        ):
            if not np.array_equal(np.sort(keys[found.events["kind"] == kind]), expected):
                raise AssertionError(f"{kind.name} transitions differ from shapely's")
        before, count = held, count + len(keys)
    return count, state.nbytes / VEHICLE_COUNT


def _tree_keys(tree: shapely.STRtree, now: Round) -> Keys:
    points, held = tree.query(shapely.points(*(column.astype(np.float64) for column in now)), "intersects")
    return np.sort(points * np.int64(FENCE_COUNT) + held)


def _tree_rate(tree: shapely.STRtree, rounds: list[Round]) -> float:
    start, before = time.perf_counter(), np.empty(0, np.int64)
    for now in rounds:
        held = _tree_keys(tree, now)
        np.setdiff1d(held, before)
        np.setdiff1d(before, held)
        before = held
    return len(rounds) * VEHICLE_COUNT / (time.perf_counter() - start)
