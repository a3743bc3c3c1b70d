"""The compiled loop over fixes that changes sides. Side by side: a fix depends on all that its vehicle did before."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from services.vehicle_tracking.domain.fence_known import MAIN, OVERLAY, KnownFences, is_held, near
from services.vehicle_tracking.domain.fence_lines import Line, find_met, may_meet
from services.vehicle_tracking.domain.fence_rows import NOWHERE, find_slot
from services.vehicle_tracking.domain.fence_sides_rows import LATE, LEFT, ON_TIME, SIDE, Columns
from services.vehicle_tracking.domain.fence_windows import applies
from services.vehicle_tracking.domain.fences import FenceTrigger
from services.vehicle_tracking.domain.positions import Int32s, Int64s

NO_SIDE = 0  # the first row of `sides` is never used
SIDES_MAX = 200  # of a vehicle, but for those that it is inside of: 13 kB, and each is looked at with each fix
_AT_ONCE, _LINKS = 32, 3  # vehicles whose sides are fetched together, and how many of each
LIVE, USED, FREE = range(3)  # counts: rows of sides in use, rows ever used, the first of the rows given back

_ENTER, _EXIT, _CROSS = int(FenceTrigger.ENTER), int(FenceTrigger.EXIT), int(FenceTrigger.CROSS)
_EVENTS, _TURNS = range(2)  # what `used` counts
_MET, _HELD, _DONE, _MARKS = 0, 1, 2, 3  # what a fence's mark says, on top of _MARKS times the fix


@numba.njit(cache=True, nogil=True)
def step(
    start: int,
    fixes: Columns,
    pairs: Any,
    known: KnownFences,
    heads: Int32s,
    sides: Any,
    counts: Int64s,
    marks: Int64s,
    met: Int32s,
    changes: Any,
    cross_gap_ms: int,
) -> tuple[int, int, int]:
    """Judge fixes from `start` on while there is room for what may come. Returns the next fix, and how many events and
    turns were written."""
    used, links, fetched = np.zeros(2, np.int64), np.empty(_AT_ONCE, np.int32), start
    for fix in range(start, len(fixes.rows)):
        if fix == fetched:
            fetched = _fetch(fix, fixes.rows, heads, sides, links)
        row, mark = fixes.rows[fix], _MARKS * (fix + 1)
        first, last = pairs.starts[fix], pairs.starts[fix + 1]
        if first == last and heads[row] == NO_SIDE and cross_gap_ms < 0:
            continue
        length = _chain_length(heads[row], sides)
        more = (last - first) + length + len(met)
        if used[_EVENTS] + more > len(changes.events) or used[_TURNS] + more > len(changes.before):
            return fix, used[_EVENTS], used[_TURNS]
        if counts[LIVE] + (last - first) > len(sides):
            return fix, used[_EVENTS], used[_TURNS]
        for pair in range(first, last):
            marks[pairs.slots[pair]] = mark + _HELD
        gap_ms = fixes.times_ms[fix] - fixes.before_times_ms[fix]
        if 0 <= gap_ms <= cross_gap_ms and fixes.before_times_ms[fix] >= 0:
            line = _line(fix, fixes)
            if known.overlay.pairs_max or may_meet(line, known.main.tiles, known.main_crossings):
                _crosses(fix, line, fixes, known, heads, sides, marks, mark, met, changes, used)
        if heads[row] != NO_SIDE:
            _known_sides(fix, fixes, known, heads, sides, counts, marks, mark, changes, used)
        if length > SIDES_MAX:
            _forget(row, heads, sides, counts)
        for pair in range(first, last):
            if marks[pairs.slots[pair]] == mark + _HELD:
                _new_side(fix, fixes, known, pairs.slots[pair], heads, sides, counts, changes, used)
    return len(fixes.rows), used[_EVENTS], used[_TURNS]


@numba.njit(cache=True, nogil=True)
def chained(rows: Int64s, sides: Any, row_count: int) -> Int32s:
    """The heads of chains through sides[1:], which belong to `rows`."""
    heads = np.zeros(row_count, np.int32)
    for index in range(len(rows) - 1, -1, -1):
        sides[index + 1].following = heads[rows[index]]
        heads[rows[index]] = index + 1
    return heads


@numba.njit(cache=True, nogil=True)
def unchained(heads: Int32s, sides: Any, count: int) -> Any:
    """The row of every side, and the sides, by row."""
    rows, result, used = np.empty(count, np.int64), np.empty(count, SIDE), 0
    for row in range(len(heads)):
        side = heads[row]
        while side != NO_SIDE:
            rows[used], result[used] = row, sides[side]
            result[used].following = NO_SIDE
            side, used = sides[side].following, used + 1
    return rows, result


@numba.njit(cache=True, nogil=True, inline="always")
def _fetch(start: int, rows: Int64s, heads: Int32s, sides: Any, links: Int32s) -> int:
    """Read the first sides of the next few vehicles, so that they are near when their turn comes: one after the other,
    each would wait for memory alone. Returns the fix after those."""
    some = min(_AT_ONCE, len(rows) - start)
    for index in range(some):
        links[index] = heads[rows[start + index]]
    for _ in range(_LINKS):
        for index in range(some):
            links[index] = sides[links[index]].following  # the end of a chain leads to the row that is never used
    return start + some


@numba.njit(cache=True, nogil=True, inline="always")
def _chain_length(side: Any, sides: Any) -> int:
    length = 0
    while side != NO_SIDE:
        side, length = sides[side].following, length + 1
    return length


@numba.njit(cache=True, nogil=True, inline="always")
def _known_sides(
    fix: int, fixes: Columns, known: KnownFences, heads: Int32s, sides: Any, counts: Int64s, marks: Int64s, mark: int,
    changes: Any, used: Int64s,
) -> None:  # fmt: skip
    """What a fix changes about the sides that its vehicle has."""
    previous, at = NO_SIDE, heads[fixes.rows[fix]]
    while at != NO_SIDE:
        side, following = sides[at], sides[at].following
        slot = find_slot(known.place_ids, known.place_slots, side.fence_id)
        if slot == NOWHERE or not applies(known.rows[slot], known.windows, fixes.times_ms[fix], fixes.kinds[fix]):
            if side.inside:
                _leave(fix, fixes, side, changes, used)
            side.pending = 0
            if slot == NOWHERE:
                side.raised = 0  # its exit alarm holds for good: there is no next enter
        else:
            held = marks[slot] == mark + _HELD
            if held:
                marks[slot] = mark + _DONE
            elif side.inside and known.rows[slot].hysteresis_m:
                held = near(known, slot, fixes.longitudes_e7[fix], fixes.latitudes_e7[fix])
            _judge(fix, fixes, known.rows[slot], held, side, changes, used)
        if side.inside or side.pending or side.raised:
            previous = at
        else:
            _give_back(at, previous, fixes.rows[fix], heads, sides, counts)
        at = following


@numba.njit(cache=True, nogil=True, inline="always")
def _new_side(
    fix: int, fixes: Columns, known: KnownFences, slot: Any, heads: Int32s, sides: Any, counts: Int64s, changes: Any,
    used: Int64s,
) -> None:  # fmt: skip
    """A vehicle is held by a fence that it was plainly outside of."""
    if counts[FREE] != NO_SIDE:
        at = counts[FREE]
        counts[FREE] = sides[at].following
    else:
        at = counts[USED]
        counts[USED] += 1
    counts[LIVE] += 1
    side, row = sides[at], fixes.rows[fix]
    side.fence_id = known.rows[slot].fence_id
    side.side_time_ms = 0
    side.inside, side.pending, side.raised = 0, 0, 0
    side.following = heads[row]
    heads[row] = at
    _judge(fix, fixes, known.rows[slot], True, side, changes, used)


@numba.njit(cache=True, nogil=True)
def _forget(row: Any, heads: Int32s, sides: Any, counts: Int64s) -> None:
    """Give back the sides of all but the newest exit alarms: those hold on, until people acknowledge them."""
    previous, at, kept = NO_SIDE, heads[row], 0
    while at != NO_SIDE:
        following = sides[at].following
        if kept >= SIDES_MAX and not sides[at].inside and not sides[at].pending:
            _give_back(at, previous, row, heads, sides, counts)
        else:
            previous, kept = at, kept + 1
        at = following


@numba.njit(cache=True, nogil=True, inline="always")
def _give_back(at: Any, previous: Any, row: Any, heads: Int32s, sides: Any, counts: Int64s) -> None:
    if previous == NO_SIDE:
        heads[row] = sides[at].following
    else:
        sides[previous].following = sides[at].following
    sides[at].following = counts[FREE]
    counts[FREE] = at
    counts[LIVE] -= 1


@numba.njit(cache=True, nogil=True, inline="always")
def _judge(fix: int, fixes: Columns, fence: Any, held: bool, side: Any, changes: Any, used: Int64s) -> None:
    """One fix against a fence that applies."""
    if held == (side.inside != 0):
        side.pending = 0
        return
    if not side.pending:
        side.pending = 1
        side.pending_time_ms = fixes.times_ms[fix]
        side.pending_longitude_e7 = fixes.longitudes_e7[fix]
        side.pending_latitude_e7 = fixes.latitudes_e7[fix]
        side.pending_speed_01kmh = fixes.speeds_01kmh[fix]
    if fixes.times_ms[fix] - side.pending_time_ms < fence.dwell_ms:
        return
    changes.before[used[_TURNS]] = side
    side.inside, side.pending = 1 if held else 0, 0
    side.side_time_ms = side.pending_time_ms
    side.side_longitude_e7 = side.pending_longitude_e7
    side.side_latitude_e7 = side.pending_latitude_e7
    side.side_speed_01kmh = side.pending_speed_01kmh
    _turn(fix, fixes, fence, _ENTER if held else _EXIT, side, changes, used)


@numba.njit(cache=True, nogil=True, inline="always")
def _turn(fix: int, fixes: Columns, fence: Any, kind: int, side: Any, changes: Any, used: Int64s) -> None:
    """Note an event, and the alarms that it raises and clears."""
    side.raised = 0
    if fence.trigger_bits >> kind & 1:
        side.raised = LATE if fixes.lates[fix] else ON_TIME
    side.level = fence.level
    side.create_time_ms = fixes.received_time_ms
    _note(fix, kind, side, changes, used)


@numba.njit(cache=True, nogil=True, inline="always")
def _leave(fix: int, fixes: Columns, side: Any, changes: Any, used: Int64s) -> None:
    """A fence that does not apply is one that the vehicle is outside of, without an exit."""
    changes.before[used[_TURNS]] = side
    side.inside, side.raised = 0, 0
    side.side_time_ms = fixes.times_ms[fix]
    side.side_longitude_e7 = fixes.longitudes_e7[fix]
    side.side_latitude_e7 = fixes.latitudes_e7[fix]
    side.side_speed_01kmh = fixes.speeds_01kmh[fix]
    _note(fix, LEFT, side, changes, used)


@numba.njit(cache=True, nogil=True, inline="always")
def _note(fix: int, kind: int, side: Any, changes: Any, used: Int64s) -> None:
    """Write an event; where an alarm begins or ends, also the side after it: the one before stands there already."""
    event, turn = changes.events[used[_EVENTS]], used[_TURNS]
    event.fix, event.kind, event.fence_id, event.time_ms = fix, kind, side.fence_id, side.side_time_ms
    used[_EVENTS] += 1
    if side.raised or changes.before[turn].raised:
        changes.after[turn] = side
        changes.turns[turn] = event
        used[_TURNS] += 1


@numba.njit(cache=True, nogil=True, inline="always")
def _line(fix: int, fixes: Columns) -> Line:
    """From the fix before to this one."""
    x1, y1 = np.int64(fixes.before_longitudes_e7[fix]), np.int64(fixes.before_latitudes_e7[fix])
    return x1, y1, np.int64(fixes.longitudes_e7[fix]), np.int64(fixes.latitudes_e7[fix])


@numba.njit(cache=True, nogil=True)
def _crosses(
    fix: int, line: Line, fixes: Columns, known: KnownFences, heads: Int32s, sides: Any, marks: Int64s, mark: int,
    met: Int32s, changes: Any, used: Int64s,
) -> None:  # fmt: skip
    """Note the fences that a vehicle went through between two fixes outside."""
    found = find_met(line, MAIN, known, marks, mark + _MET, met, 0)
    if known.overlay.pairs_max:
        found = find_met(line, OVERLAY, known, marks, mark + _MET, met, found)
    for index in range(found):
        fence, kind = known.rows[met[index]], fixes.kinds[fix]
        if (
            applies(fence, known.windows, fixes.times_ms[fix], kind)
            and applies(fence, known.windows, fixes.before_times_ms[fix], kind)
            and _is_plainly_outside(fence.fence_id, heads[fixes.rows[fix]], sides)
            and not is_held(known, met[index], line[0], line[1])
        ):
            side = changes.after[used[_TURNS]]
            side.fence_id, side.inside, side.pending, side.following = fence.fence_id, 0, 0, NO_SIDE
            side.side_time_ms = fixes.times_ms[fix]
            changes.before[used[_TURNS]].raised = 0
            _turn(fix, fixes, fence, _CROSS, side, changes, used)


@numba.njit(cache=True, nogil=True)
def _is_plainly_outside(fence_id: Any, at: Any, sides: Any) -> bool:
    while at != NO_SIDE:
        if sides[at].fence_id == fence_id:
            return not sides[at].inside and not sides[at].pending
        at = sides[at].following
    return True
