"""All fences of now: which of them hold a point, and which of those apply.

Most fences are in the main index. Those added or changed since it was built are in a small one of their own, the
overlay, and hide what the main index says of them. So a change takes milliseconds; `rebuilt` makes one index again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from services.vehicle_tracking.domain.fence_cells import works_of
from services.vehicle_tracking.domain.fence_index import Index, index_of
from services.vehicle_tracking.domain.fence_known import MAIN, OVERLAY, REMOVED, KnownFences
from services.vehicle_tracking.domain.fence_lines import crossings_of
from services.vehicle_tracking.domain.fence_lookup import find_pairs
from services.vehicle_tracking.domain.fence_rows import NO_FENCE_ID, NOWHERE, ROW, Rows, find_slot, places_of, row_of
from services.vehicle_tracking.domain.fence_shapes import Shapes, shapes_of
from services.vehicle_tracking.domain.fence_windows import kept_in_force, window_rows
from services.vehicle_tracking.domain.fences import Fence, FenceTrigger
from services.vehicle_tracking.domain.positions import Bytes, Int32s, Int64s

_POINTS_AT_ONCE = 64  # there is room for at least so many points with the most fences that one can have


class Pairs(NamedTuple):
    """Which fences hold each of n points: those of point i are slots[starts[i] : starts[i + 1]], in no order."""

    starts: Int64s
    slots: Int32s


@dataclass(frozen=True, slots=True)
class FenceSet:
    """All fences, immutable. A fence keeps its slot as long as it is there. `rows`: fence_rows.ROW by slot. `layers`:
    by slot MAIN, OVERLAY or REMOVED. `places`: table for fence_rows.find_slot. `edges`, `indexes`, `crossings` (see
    fence_lines.crossings_of): main and overlay."""

    rows: Rows
    layers: Bytes
    reaches_m: NDArray[np.float64]
    windows: Int32s
    places: tuple[Int64s, Int32s]
    edges: tuple[Int32s, Int32s]
    indexes: tuple[Index, Index]
    crossings: tuple[Bytes, Bytes]
    _known: KnownFences = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        crossed = np.where(_crossed(self.rows), self.layers, np.uint8(REMOVED))
        columns = (self.rows, self.layers, crossed, self.reaches_m, self.windows)
        known = KnownFences(*columns, *self.places, *self.edges, *self.indexes, *self.crossings)
        object.__setattr__(self, "_known", known)  # asked for with every step

    def __len__(self) -> int:
        return int((self.layers != REMOVED).sum())

    @property
    def fence_ids(self) -> Int64s:
        """By slot."""
        ids: Int64s = self.rows["fence_id"]
        return ids

    @property
    def speeds_kmh_max(self) -> Int32s:
        """By slot; 0 for none."""
        speeds: Int32s = self.rows["speed_kmh_max"]
        return speeds

    @property
    def overlay_count(self) -> int:
        """How many fences the next change has to index again."""
        return int((self.layers == OVERLAY).sum())

    @property
    def overlay_work(self) -> int:
        """About how long that will take, see index_work."""
        return int(self.rows["work"][self.layers == OVERLAY].sum())

    @property
    def crossed_count(self) -> int:
        """How many fences trigger when they are crossed."""
        return int(np.count_nonzero(_crossed(self.rows)))

    def for_kernels(self) -> KnownFences:
        """All that kernels read."""
        return self._known

    def containing(self, longitudes_e7: Int32s, latitudes_e7: Int32s) -> Pairs:
        """The fences that hold each point, edge included, whether they are in force or not. (n,) each."""
        main = self._pairs(MAIN, longitudes_e7, latitudes_e7)
        if not self.indexes[OVERLAY].pairs_max:
            return main
        overlay = self._pairs(OVERLAY, longitudes_e7, latitudes_e7)
        return Pairs(*_merged(*main, *overlay)) if len(overlay.slots) else main

    def in_force(self, pairs: Pairs, times_ms: Int64s, kinds: Bytes) -> Pairs:
        """Those of `pairs` whose fence applies to a vehicle of that kind at that time; (n,) each."""
        return Pairs(*kept_in_force(*pairs, times_ms, kinds, self.rows, self.windows))

    def with_changes(self, changed: Mapping[int, Fence], removed: Collection[int] = ()) -> FenceSet:
        """The fences with those of `changed`, by id, added or replaced, and without those of `removed`. It takes time
        by what has changed since `rebuilt`, mostly compiled: other threads run on."""
        rows, layers, reaches_m = self._with_room(changed)
        slots = {fence_id: find_slot(*self.places, fence_id) for fence_id in (*changed, *removed)}
        for slot in {slots[fence_id] for fence_id in removed} - {NOWHERE}:
            rows[slot] = np.zeros((), ROW)
            rows["fence_id"][slot] = NO_FENCE_ID
            layers[slot] = REMOVED
        free = iter(np.flatnonzero(layers == REMOVED).tolist())
        windows = [self.windows]
        window_first = len(self.windows)
        given = []
        for fence_id, fence in changed.items():
            slot = next(free) if slots[fence_id] == NOWHERE or fence_id in removed else slots[fence_id]
            rows[slot] = row_of(fence, window_first=window_first)
            windows.append(window_rows(fence.time_windows))
            window_first += len(windows[-1])
            layers[slot] = MAIN  # not to be kept from the overlay before
            given.append(slot)
        kept = self._shapes(np.flatnonzero(layers == OVERLAY), rows)
        fresh = shapes_of(given, [fence.shape for fence in changed.values()])
        reaches_m[given] = fresh.reaches_m
        rows["work"][given] = works_of(fresh)
        layers[given] = OVERLAY
        overlay = _together(kept, fresh)
        _place_edges(rows, overlay)
        index = index_of(overlay)
        return FenceSet(
            rows,
            layers,
            reaches_m,
            np.concatenate(windows),
            places_of(np.ascontiguousarray(rows["fence_id"])),
            (self.edges[MAIN], overlay.edges),
            (self.indexes[MAIN], index),
            (self.crossings[MAIN], crossings_of(index, _crossed(rows))),
        )

    def rebuilt(self) -> FenceSet:
        """The same fences in one index. It takes about a second, which other threads can use: changes meanwhile are to
        be repeated on the result."""
        rows, windows = self.rows.copy(), [np.empty((0, 3), np.int32)]
        kept = np.flatnonzero(self.layers != REMOVED)
        windowed = kept[rows["window_count"][kept] > 0]
        count = 0
        for slot in windowed.tolist():
            first = rows["window_first"][slot]
            windows.append(self.windows[first : first + rows["window_count"][slot]])
            rows["window_first"][slot] = count
            count += len(windows[-1])
        shapes = self._shapes(kept, rows)
        _place_edges(rows, shapes)
        index, nothing = index_of(shapes), _empty()
        return replace(
            self,
            rows=rows,
            layers=np.where(self.layers == REMOVED, REMOVED, MAIN).astype(np.uint8),
            windows=np.concatenate(windows),
            edges=(shapes.edges, nothing.edges[OVERLAY]),
            indexes=(index, nothing.indexes[OVERLAY]),
            crossings=(crossings_of(index, _crossed(rows)), nothing.crossings[OVERLAY]),
        )

    def _pairs(self, layer: int, longitudes_e7: Int32s, latitudes_e7: Int32s) -> Pairs:
        index, count = self.indexes[layer], len(longitudes_e7)
        starts = np.zeros(count + 1, np.int64)
        slots = np.empty(2 * count + _POINTS_AT_ONCE * index.pairs_max, np.int32)
        point, used = 0, 0
        while True:
            point, used = find_pairs(
                longitudes_e7, latitudes_e7, point, index, layer, self.layers, self.reaches_m, starts, slots, used
            )
            if point == count:
                break
            slots = np.concatenate([slots[:used], np.empty(len(slots) + used, np.int32)])
        starts[count] = used
        return Pairs(starts, slots[:used])

    def _with_room(self, changed: Mapping[int, Fence]) -> tuple[Rows, Bytes, NDArray[np.float64]]:
        """Copies of the columns with free slots for all that is new."""
        known = np.isin(np.fromiter(changed, np.int64, len(changed)), self.rows["fence_id"])
        more = max(0, int((~known).sum()) - int((self.layers == REMOVED).sum()))
        rows = np.concatenate([self.rows, np.zeros(more, ROW)])
        rows["fence_id"][len(self.rows) :] = NO_FENCE_ID
        layers = np.concatenate([self.layers, np.full(more, REMOVED, np.uint8)])
        return rows, layers, np.concatenate([self.reaches_m, np.zeros(more)])

    def _shapes(self, slots: NDArray[np.intp], rows: Rows) -> Shapes:
        chosen = rows[slots]
        starts = np.zeros(len(slots) + 1, np.int64)
        np.cumsum(chosen["end_edge"] - chosen["first_edge"], out=starts[1:])
        edges = _gathered(*self.edges, self.layers[slots], np.ascontiguousarray(chosen["first_edge"]), starts)
        kinds = np.ascontiguousarray(chosen["shape_kind"])
        return Shapes(slots.astype(np.int32), kinds, self.reaches_m[slots], starts, edges)


def fence_set(fences: Iterable[Fence] = ()) -> FenceSet:
    """A set of those fences, in one index."""
    built = _empty().with_changes({fence.fence_id: fence for fence in fences})
    return replace(
        built,
        layers=np.full_like(built.layers, MAIN),
        edges=built.edges[::-1],
        indexes=built.indexes[::-1],
        crossings=built.crossings[::-1],
    )


def index_work(fences: Iterable[Fence]) -> int:
    """About how long it takes to index some fences, in steps of 40 ns."""
    shapes = [fence.shape for fence in fences]
    return int(works_of(shapes_of(range(len(shapes)), shapes)).sum())


NO_SHAPES = shapes_of((), ())


def _empty() -> FenceSet:
    nothing = np.zeros(0, ROW)
    index = index_of(NO_SHAPES)
    return FenceSet(
        nothing,
        np.zeros(0, np.uint8),
        np.zeros(0),
        np.empty((0, 3), np.int32),
        places_of(np.zeros(0, np.int64)),
        (NO_SHAPES.edges, NO_SHAPES.edges),
        (index, index),
        (np.zeros(len(index.cells), np.uint8),) * 2,
    )


def _crossed(rows: Rows) -> NDArray[np.bool_]:
    """By slot, whether a fence triggers when it is crossed."""
    crossed: NDArray[np.bool_] = rows["trigger_bits"] & (1 << FenceTrigger.CROSS) != 0
    return crossed


def _together(some: Shapes, more: Shapes) -> Shapes:
    return Shapes(
        np.concatenate([some.slots, more.slots]),
        np.concatenate([some.kinds, more.kinds]),
        np.concatenate([some.reaches_m, more.reaches_m]),
        np.concatenate([some.starts, some.starts[-1] + more.starts[1:]]),
        np.concatenate([some.edges, more.edges]),
    )


def _place_edges(rows: Rows, shapes: Shapes) -> None:
    rows["first_edge"][shapes.slots] = shapes.starts[:-1]
    rows["end_edge"][shapes.slots] = shapes.starts[1:]


@numba.njit(cache=True, nogil=True)
def _gathered(main: Int32s, overlay: Int32s, layers: Bytes, firsts: Int64s, starts: Int64s) -> Int32s:
    edges = np.empty((starts[-1], 4), np.int32)
    for index in range(len(firsts)):
        source = overlay if layers[index] == OVERLAY else main
        count = starts[index + 1] - starts[index]
        edges[starts[index] : starts[index + 1]] = source[firsts[index] : firsts[index] + count]
    return edges


@numba.njit(cache=True, nogil=True)
def _merged(starts: Int64s, slots: Int32s, more_starts: Int64s, more: Int32s) -> tuple[Int64s, Int32s]:
    merged, used = np.empty(len(slots) + len(more), np.int32), 0
    for point in range(len(starts) - 1):
        for pair in range(starts[point], starts[point + 1]):
            merged[used] = slots[pair]
            used += 1
        for pair in range(more_starts[point], more_starts[point + 1]):
            merged[used] = more[pair]
            used += 1
    return starts + more_starts, merged
