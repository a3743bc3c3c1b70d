"""Sides as a state: what is kept, for how long, and as which bytes."""

from __future__ import annotations

import numpy as np
import pytest

from services.vehicle_tracking.domain.fence_set import FenceSet, fence_set
from services.vehicle_tracking.domain.fence_sides import Changes, Sides, changes, loaded, saved
from services.vehicle_tracking.domain.fence_sides_rows import SIDE, Columns
from services.vehicle_tracking.domain.fences import Fence, FenceTrigger
from tests.vehicle_tracking.domain.fence_worlds import square

ENTER, EXIT = FenceTrigger.ENTER, FenceTrigger.EXIT
HERE, THERE = 5, 5000
Row = tuple[int, int, int]  # row, second, longitude


def fences(*triggers: FenceTrigger, count: int = 1, dwell_ms: int = 0) -> FenceSet:
    return fence_set([Fence(n, "", square(0, 0, 9), triggers=triggers, dwell_ms=dwell_ms) for n in range(1, count + 1)])


def take(state: Sides, known: FenceSet, *fixes: Row) -> Changes:
    rows, seconds, xs = (np.array(column, np.int64) for column in zip(*fixes, strict=True))
    longitudes, zeros = xs.astype(np.int32), np.zeros(len(rows), np.int32)
    times_ms, kinds = seconds * 1000, np.ones(len(rows), np.uint8)
    columns = Columns(
        rows, times_ms, longitudes, zeros, zeros, kinds, np.zeros(len(rows), np.bool_), times_ms, zeros, zeros, 77
    )
    pairs = known.in_force(known.containing(longitudes, zeros), times_ms, kinds)
    return changes(state, columns, pairs, known, row_count=int(rows.max()) + 1, cross_gap_ms=120_000)


def told(found: Changes) -> list[tuple[int, int]]:
    """Fix and kind of each event."""
    return list(zip(found.events["fix"].tolist(), found.events["kind"].tolist(), strict=True))


def test_who_is_outside_needs_no_side() -> None:
    state = Sides()
    take(state, fences(), (0, 1, HERE), (1, 1, THERE), (2, 1, HERE))
    assert len(state) == 2
    take(state, fences(), (0, 2, THERE), (2, 2, THERE))
    assert len(state) == 0


def test_an_exit_alarm_that_holds_is_remembered() -> None:
    state = Sides()
    take(state, fences(EXIT), (0, 1, HERE), (0, 2, THERE))
    assert len(state) == 1
    found = take(state, fences(EXIT), (0, 3, HERE))
    assert found.before["side_time_ms"].tolist() == [2000]
    assert found.after["create_time_ms"].tolist() == [77]


def test_rows_given_back_are_used_again() -> None:
    state, known = Sides(), fences(count=20)
    take(state, known, *((row, 1, HERE) for row in range(50)))
    size = state.nbytes
    for second in range(2, 200):
        take(state, known, *((row, second, THERE if second % 2 else HERE) for row in range(50)))
    assert state.nbytes == size


def test_vehicles_may_come_in_any_order() -> None:
    together = take(Sides(), fences(), (4, 1, HERE), (0, 1, HERE), (4, 2, THERE), (2, 1, THERE), (0, 3, THERE))
    assert told(together) == [(0, ENTER), (1, ENTER), (2, EXIT), (4, EXIT)]


def test_no_fixes_change_nothing() -> None:
    state, nothing = Sides(), np.zeros(0, np.int64)
    none, no_bytes = np.zeros(0, np.int32), np.zeros(0, np.uint8)
    columns = Columns(nothing, nothing, none, none, none, no_bytes, np.zeros(0, np.bool_), nothing, none, none, 0)
    found = changes(state, columns, fences().containing(none, none), fences(), row_count=0, cross_gap_ms=1)
    assert [len(column) for column in found] == [0, 0, 0, 0]


def test_a_state_is_the_same_after_it_was_stored_and_says_the_same_afterwards() -> None:
    state, known = Sides(), fences(ENTER, EXIT, count=3, dwell_ms=1500)
    take(
        state, known, (7, 1, HERE), (3, 1, HERE), (3, 3, HERE), (3, 4, THERE), (9, 1, HERE), (9, 3, HERE), (9, 4, HERE)
    )
    again = loaded(saved(state))
    assert saved(again) == saved(state)
    assert len(again) == len(state) == 9
    later = ((7, 4, HERE), (3, 6, THERE), (9, 5, THERE), (9, 9, THERE), (12, 9, HERE))
    one, other = take(state, known, *later), take(again, known, *later)
    assert one.events.tolist() == other.events.tolist() != []
    for name in set(SIDE.names or ()) - {"following"}:  # where a side is stored may differ
        assert one.before[name].tolist() == other.before[name].tolist()
        assert one.after[name].tolist() == other.after[name].tolist()


def test_nothing_is_stored_and_loaded_too() -> None:
    assert len(loaded(saved(Sides()))) == 0


@pytest.mark.parametrize("wire", [b"", b"SIDE\x09\x00\x00\x00" + bytes(16), saved(Sides())[:-1]])
def test_bytes_of_another_version_are_refused(wire: bytes) -> None:
    with pytest.raises(ValueError, match="SIDE"):
        loaded(wire)


def test_a_side_is_a_line_of_the_cache() -> None:
    assert SIDE.itemsize == 64
