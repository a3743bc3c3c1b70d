"""On which side of fences vehicles are, and the transitions when they change sides.

Only what is not plain "outside since ever" has a SIDE: being inside, a change of side that has not lasted long enough,
an exit alarm that holds. Those of one vehicle are chained from its row in `heads`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from services.vehicle_tracking.domain.engine_state import grown, packed, raw, table_of, unpacked
from services.vehicle_tracking.domain.fence_set import FenceSet, Pairs
from services.vehicle_tracking.domain.fence_sides_kernel import LIVE, NO_SIDE, chained, step, unchained
from services.vehicle_tracking.domain.fence_sides_rows import EVENT, SIDE, Columns
from services.vehicle_tracking.domain.positions import Int32s, Int64s

VERSION = 1
SIDES_MORE_MIN = 256
TURNS_MIN = 1024  # more come in several parts
Table: TypeAlias = NDArray[Any]


@dataclass(slots=True)
class Sides:
    """State. `heads`: by row the first SIDE of a vehicle in `sides`, NO_SIDE for none. `counts`: see the kernel."""

    heads: Int32s = field(default_factory=lambda: np.zeros(0, np.int32))
    sides: Table = field(default_factory=lambda: np.zeros(1, SIDE))
    counts: Int64s = field(default_factory=lambda: np.array([1, 1, NO_SIDE], np.int64))

    def __len__(self) -> int:
        """How many sides are known."""
        return int(self.counts[LIVE]) - 1

    @property
    def nbytes(self) -> int:
        """Bytes of memory."""
        return self.heads.nbytes + self.sides.nbytes


class Changes(NamedTuple):
    """What happened, in order of fixes. `events`: (n,) EVENT. `turns`: (m,) those of them that begin or end an alarm;
    `before` and `after`: (m,) the SIDE at each."""

    events: Table
    turns: Table
    before: Table
    after: Table


def changes(
    state: Sides, fixes: Columns, pairs: Pairs, fences: FenceSet, *, row_count: int, cross_gap_ms: int
) -> Changes:
    """What fixes change, each vehicle's in order of time; `pairs`: the fences in force that hold each. Changes the
    state."""
    state.heads = grown(state.heads, row_count)
    known, marks = fences.for_kernels(), np.zeros(len(fences.rows), np.int64)
    met = np.empty(fences.crossed_count, np.int32)
    cross_gap_ms = cross_gap_ms if len(met) else -1
    parts, done = [], 0
    room, turn_room = len(fixes.rows) + TURNS_MIN + len(met), TURNS_MIN + len(met)
    while True:
        part = Changes(np.empty(room, EVENT), *(np.empty(turn_room, dtype) for dtype in (EVENT, SIDE, SIDE)))
        done, used, turned = step(
            done, fixes, pairs, known, state.heads, state.sides, state.counts, marks, met, part, cross_gap_ms
        )
        parts.append(Changes(part.events[:used], *(column[:turned] for column in part[1:])))
        if done == len(fixes.rows):
            break
        if used == 0:  # one fix needs more
            room, turn_room = 2 * room, 2 * turn_room
        needed = int(state.counts[LIVE] + pairs.starts[done + 1] - pairs.starts[done])
        if needed > len(state.sides):
            _widen(state, needed + max(SIDES_MORE_MIN, needed >> 3))
    return parts[0] if len(parts) == 1 else Changes(*map(np.concatenate, zip(*parts, strict=True)))


def saved(state: Sides) -> bytes:
    """The state as bytes, whatever fences there are."""
    rows, sides = unchained(state.heads, state.sides, len(state))
    return packed("SIDE", VERSION, raw(rows), raw(sides))


def loaded(wire: bytes) -> Sides:
    """A state as saved. Raises ValueError for bytes of another version."""
    rows_body, sides_body = unpacked("SIDE", VERSION, wire)
    rows = table_of(np.int64, rows_body)
    sides = np.concatenate([np.zeros(1, SIDE), table_of(SIDE, sides_body)])
    heads = chained(rows, sides, int(rows.max(initial=-1)) + 1)
    return Sides(heads, sides, np.array([len(sides), len(sides), NO_SIDE], np.int64))


def _widen(state: Sides, count: int) -> None:
    """Make room for `count` sides where they are: copies of this table took a quarter of the engine's time while eight
    million vehicles sent their first fixes. Nobody else holds a view of it."""
    state.sides.resize(count, refcheck=False)
