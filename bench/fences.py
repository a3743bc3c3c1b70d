"""fences: which of 10,000 fences hold each fix, against shapely's tree."""

from __future__ import annotations

import time

import numpy as np
import shapely
from numpy.typing import NDArray

from bench.fence_province import fences_of, fixes_of, outlines, roads_of
from bench.results import Result, repeated
from services.vehicle_tracking.domain.fence_set import FenceSet, fence_set
from services.vehicle_tracking.domain.positions import Int32s

FENCE_COUNT, POINT_COUNT, BATCH_POINTS, TREE_POINTS = 10_000, 1_000_000, 10_000, 100_000
TARGET_POINTS_S, TARGET_RATIO = 5_000_000, 40


def run() -> Result:
    """Points looked up a second on one core; all pairs are compared with the tree's in the same run."""
    rng = np.random.default_rng(20240607)
    roads = roads_of(rng)
    listed = fences_of(rng, roads, FENCE_COUNT)
    longitudes, latitudes = fixes_of(rng, roads, POINT_COUNT)
    fences, tree = fence_set(listed), shapely.STRtree(outlines(listed))
    pair_count = _equal_or_raise(fences, tree, longitudes, latitudes)
    figure, spread = repeated(lambda: POINT_COUNT / _seconds(fences, longitudes, latitudes), times=7)
    baseline, _ = repeated(lambda: TREE_POINTS / _tree_seconds(tree, longitudes, latitudes), times=3)
    index = fences.indexes[0]
    megabytes = (index.cells.nbytes + index.records.nbytes) / 1e6
    return Result(
        slug="fences",
        figure=figure,
        unit="points/s a core",
        target=f">= {TARGET_POINTS_S / 1e6:g} M/s, ratio >= {TARGET_RATIO}",
        met=figure >= TARGET_POINTS_S and figure / baseline >= TARGET_RATIO,
        ratio=figure / baseline,
        baseline=f"STRtree.query(points, 'intersects'), {baseline:,.0f} points/s",
        note=f"{pair_count / POINT_COUNT:.2f} pairs a point, identical; bounded by fetching from {megabytes:.0f} MB"
        " of cells and records",
        spread=spread,
    )


def _seconds(fences: FenceSet, longitudes: Int32s, latitudes: Int32s) -> float:
    start = time.perf_counter()
    for at in range(0, POINT_COUNT, BATCH_POINTS):
        fences.containing(longitudes[at : at + BATCH_POINTS], latitudes[at : at + BATCH_POINTS])
    return time.perf_counter() - start


def _tree_seconds(tree: shapely.STRtree, longitudes: Int32s, latitudes: Int32s) -> float:
    start = time.perf_counter()
    for at in range(0, TREE_POINTS, BATCH_POINTS):
        points = shapely.points(longitudes[at : at + BATCH_POINTS], latitudes[at : at + BATCH_POINTS])
        tree.query(points, "intersects")
    return time.perf_counter() - start


def _equal_or_raise(fences: FenceSet, tree: shapely.STRtree, longitudes: Int32s, latitudes: Int32s) -> int:
    """How many pairs there are."""
    count = 0
    for at in range(0, POINT_COUNT, TREE_POINTS):
        part = slice(at, at + TREE_POINTS)
        points, held = tree.query(shapely.points(longitudes[part], latitudes[part]), "intersects")
        pairs = fences.containing(longitudes[part], latitudes[part])
        found = np.repeat(np.arange(TREE_POINTS), np.diff(pairs.starts))
        keys = _keys(found, fences.fence_ids[pairs.slots] - 1)
        if not np.array_equal(keys, _keys(points, held)):
            raise AssertionError("pairs differ from shapely's")
        count += len(keys)
    return count


def _keys(points: NDArray[np.int64], places: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.sort(points * FENCE_COUNT + places)
