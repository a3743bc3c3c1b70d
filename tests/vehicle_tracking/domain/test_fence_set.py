"""All fences: over an index and its overlay they say what one index of all says."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.vehicle_tracking.domain.fence_known import MAIN
from services.vehicle_tracking.domain.fence_set import FenceSet, fence_set, index_work
from services.vehicle_tracking.domain.fences import Circle, Fence, FenceTrigger, Shape, TimeWindow
from services.vehicle_tracking.domain.positions import Int32s
from tests.vehicle_tracking.domain.fence_worlds import CHANGSHA, Found, corridor, found, holds, square, star

POINT_COUNT = 300
NO_POINTS = np.zeros(0, np.int32)


def random_fence(rng: np.random.Generator, fence_id: int) -> Fence:
    x, y = (int(place + rng.integers(-300_000, 300_000)) for place in CHANGSHA)
    shapes: list[Shape] = [
        star(rng, (x, y), 200_000),
        Circle(x, y, int(rng.integers(1, 3000))),
        corridor([(x, y), (x + 90_000, y), (x, y + 90_000)], 200),
    ]
    windows = (TimeWindow((), 0, int(rng.integers(1, 1440))),) * int(rng.integers(0, 3))
    return Fence(fence_id, "", shapes[rng.integers(3)], time_windows=windows, speed_kmh_max=int(rng.integers(0, 100)))


def points_of(rng: np.random.Generator) -> tuple[Int32s, Int32s]:
    xs, ys = rng.integers(-400_000, 400_000, (2, POINT_COUNT))
    return (CHANGSHA[0] + xs).astype(np.int32), (CHANGSHA[1] + ys).astype(np.int32)


def pairs_by_id(fences: FenceSet, xs: Int32s, ys: Int32s) -> Found:
    return found(fences.containing(xs, ys), fences.fence_ids)


def in_force_by_id(fences: FenceSet, xs: Int32s, ys: Int32s) -> Found:
    times_ms, kinds = np.arange(POINT_COUNT) * 7_000_000, np.ones(POINT_COUNT, np.uint8)
    return found(fences.in_force(fences.containing(xs, ys), times_ms, kinds), fences.fence_ids)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 100_000), rebuilds=st.sets(st.integers(0, 7)))
def test_changes_over_an_index_say_what_one_index_of_all_says(seed: int, rebuilds: set[int]) -> None:
    rng = np.random.default_rng(seed)
    xs, ys = points_of(rng)
    now = {n: random_fence(rng, n) for n in range(1, int(rng.integers(1, 15)))}
    fences = fence_set(now.values())
    for round_number in range(8):
        removed = set(rng.choice(20, 2).tolist())
        changed = {n: random_fence(rng, n) for n in set(rng.choice(20, 3).tolist()) - (removed if seed % 2 else set())}
        now = {key: fence for key, fence in now.items() if key not in removed} | changed
        fences = fences.with_changes(changed, removed)
        fences = fences.rebuilt() if round_number in rebuilds else fences
        anew = fence_set(now.values())
        assert len(fences) == len(now)
        assert pairs_by_id(fences, xs, ys) == pairs_by_id(anew, xs, ys)
        assert in_force_by_id(fences, xs, ys) == in_force_by_id(anew, xs, ys)
        assert limits(fences) == {n: fence.speed_kmh_max for n, fence in now.items()}
    assert pairs_by_id(fences, xs, ys) == {
        (int(point), n) for n, fence in now.items() for point in np.flatnonzero(holds(fence.shape, xs, ys))
    }


def limits(fences: FenceSet) -> dict[int, int]:
    listed = fences.layers != 2
    return dict(zip(fences.fence_ids[listed].tolist(), fences.speeds_kmh_max[listed].tolist(), strict=True))


def test_the_set_before_a_change_stays_as_it_was() -> None:
    rng = np.random.default_rng(1)
    xs, ys = points_of(rng)
    before = fence_set(random_fence(rng, n) for n in range(10))
    said = in_force_by_id(before, xs, ys)
    before.with_changes({n: random_fence(rng, n) for n in range(5, 15)}, {1, 2}).rebuilt()
    assert in_force_by_id(before, xs, ys) == said


def test_a_fence_keeps_its_slot_while_others_come_and_go() -> None:
    rng = np.random.default_rng(2)
    fences = fence_set(random_fence(rng, n) for n in range(10))
    slot = fences.fence_ids.tolist().index(7)
    for n in range(10, 20):
        fences = fences.with_changes({n: random_fence(rng, n), 7: random_fence(rng, 7)}, {n - 9 if n != 16 else 0})
        fences = fences.rebuilt() if n % 3 == 0 else fences
        assert fences.fence_ids[slot] == 7


def test_points_one_by_one_say_what_many_at_once_say_in_any_order() -> None:
    rng = np.random.default_rng(3)
    xs, ys = points_of(rng)
    fences = fence_set(random_fence(rng, n) for n in range(30)).with_changes({40: random_fence(rng, 40)})
    together = pairs_by_id(fences, xs, ys)
    alone = {
        (n, fence_id) for n in range(POINT_COUNT) for _, fence_id in pairs_by_id(fences, xs[n : n + 1], ys[n : n + 1])
    }
    assert alone == together
    order = rng.permutation(POINT_COUNT)
    assert {(int(order[n]), fence_id) for n, fence_id in pairs_by_id(fences, xs[order], ys[order])} == together


def test_no_points_and_no_fences_are_no_pairs() -> None:
    some = fence_set([Fence(1, "", square(0, 0, 9))])
    for fences in (some, fence_set(), some.with_changes({}, {1}), fence_set().rebuilt()):
        pairs = fences.containing(NO_POINTS, NO_POINTS)
        assert pairs.starts.tolist() == [0]
        in_force = fences.in_force(pairs, np.zeros(0, np.int64), np.zeros(0, np.uint8))
        assert in_force.starts.tolist() == [0]
    assert fence_set().containing(np.zeros(3, np.int32), np.zeros(3, np.int32)).starts.tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("place", [-(2**31), 2**31 - 1, 0])
def test_places_off_the_earth_are_in_no_fence_and_do_no_harm(place: int) -> None:
    far = np.full(2, place, np.int32)
    assert len(fence_set([Fence(1, "", square(5, 5, 9))]).containing(far, far).slots) == 0


def test_what_is_not_known_can_be_removed() -> None:
    fences = fence_set([Fence(1, "", square(0, 0, 9))]).with_changes({}, {5, 1})
    assert len(fences) == 0


def test_it_counts_the_overlay_and_what_is_crossed() -> None:
    crossed = Fence(2, "", square(0, 0, 9), triggers=(FenceTrigger.CROSS,))
    fences = fence_set([Fence(1, "", square(0, 0, 9))]).with_changes({2: crossed})
    assert (fences.overlay_count, fences.crossed_count, len(fences)) == (1, 1, 2)
    assert fences.overlay_work == index_work([crossed]) > 0
    assert fences.rebuilt().overlay_count == 0
    assert (fences.rebuilt().layers == MAIN).all()


def test_threads_may_ask_one_set_at_once() -> None:
    rng = np.random.default_rng(4)
    xs, ys = points_of(rng)
    fences = fence_set(random_fence(rng, n) for n in range(30))
    expected, answers = pairs_by_id(fences, xs, ys), list[Found]()
    threads = [threading.Thread(target=lambda: answers.append(pairs_by_id(fences, xs, ys))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [expected] * 8
