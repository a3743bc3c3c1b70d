"""The compiled loop over fixes that changes sides. Side by side: a fix depends on all that its vehicle did before."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from services.vehicle_tracking.domain.fence_known import MAIN, OVERLAY, KnownFences, is_held, near
from services.vehicle_tracking.domain.fence_lines import Line, find_met, may_meet
from services.vehicle_tracking.domain.fence_rows import NOWHERE, find_slot
from services.vehicle_tracking.domain.fence_sides_rows import LATE, LEFT, ON_TIME, SIDE, Columns, Fix
from services.vehicle_tracking.domain.fence_windows import applies
from services.vehicle_tracking.domain.fences import FenceTrigger
from services.vehicle_tracking.domain.positions import Bytes, Int32s, Int64s

NO_SIDE = 0  # the first row of `sides` is never used
SIDES_MAX = 200  # of a vehicle, but for those that it is inside of: 13 kB, and each is looked at with each fix
_AT_ONCE, _LINKS = 32, 3  # vehicles whose sides are fetched together, and how many of each
LIVE, USED, FREE = range(3)  # counts: rows of sides in use, rows ever used, the first of the rows given back

_ENTER, _EXIT, _CROSS = int(FenceTrigger.ENTER), int(FenceTrigger.EXIT), int(FenceTrigger.CROSS)
_EVENTS, _TURNS = range(2)  # what `used` counts
_MET, _HELD, _DONE, _MARKS = 0, 1, 2, 3  # what a fence's mark says, on top of _MARKS times the fix


@numba.njit(cache=True, nogil=True)
def step(
    start: int, fixes: Columns, pairs: Any, known: KnownFences, heads: Int32s, sides: Any, counts: Int64s,
    marks: Int64s, met: Int32s, changes: Any, cross_gap_ms: int,
) -> tuple[int, int, int]:  # fmt: skip
    """Judge fixes from `start` on while there is room for what may come. Returns the next fix, and how many events and
    turns were written."""
    # Taking an array out of a tuple counts a reference, as slow as a wait for memory: so it is done here, once.
    vehicles, times_ms, longitudes, latitudes, speeds, kinds, lates = fixes[:7]
    before_times_ms, before_longitudes, before_latitudes, received_time_ms = fixes[7:]
    starts, slots = pairs
    fences, crossings, tiles = known.rows, known.main_crossings, known.main.tiles
    windows, layers, reaches_m = known.windows, known.layers, known.reaches_m
    place_ids, place_slots = known.place_ids, known.place_slots
    main_edges, overlay_edges, overlaid = known.main_edges, known.overlay_edges, known.overlay.pairs_max > 0
    events, turns, befores, afters = changes
    used, links, fetched = np.zeros(2, np.int64), np.empty(_AT_ONCE, np.int32), start
    for index in range(start, len(vehicles)):
        if index == fetched:
            fetched = _fetch(index, vehicles, heads, sides, links)
        row, mark = vehicles[index], _MARKS * (index + 1)
        first, last = starts[index], starts[index + 1]
        if first == last and heads[row] == NO_SIDE and cross_gap_ms < 0:
            continue
        length = _chain_length(heads[row], sides)
        more = (last - first) + length + len(met)
        if used[_EVENTS] + more > len(events) or used[_TURNS] + more > len(befores):
            return index, used[_EVENTS], used[_TURNS]
        if counts[LIVE] + (last - first) > len(sides):
            return index, used[_EVENTS], used[_TURNS]
        fix = Fix(
            index, row, times_ms[index], longitudes[index], latitudes[index], speeds[index], kinds[index],
            lates[index], received_time_ms,
        )  # fmt: skip
        for pair in range(first, last):
            marks[slots[pair]] = mark + _HELD
        before_ms = before_times_ms[index]
        if before_ms >= 0 and 0 <= fix.time_ms - before_ms <= cross_gap_ms:
            x1, y1 = np.int64(before_longitudes[index]), np.int64(before_latitudes[index])
            line = (x1, y1, np.int64(fix.longitude_e7), np.int64(fix.latitude_e7))
            if overlaid or may_meet(line, tiles, crossings):
                _crosses(
                    fix, before_ms, line, known, heads[row], sides, marks, mark, met, events, turns, befores, afters,
                    used,
                )  # fmt: skip
        if heads[row] != NO_SIDE:
            _known_sides(
                fix, fences, windows, place_ids, place_slots, layers, reaches_m, main_edges, overlay_edges, heads,
                sides, counts, marks, mark, events, turns, befores, afters, used,
            )  # fmt: skip
        if length > SIDES_MAX:
            _forget(row, heads, sides, counts)
        for pair in range(first, last):
            if marks[slots[pair]] == mark + _HELD:
                _new_side(fix, fences[slots[pair]], heads, sides, counts, events, turns, befores, afters, used)
    return len(vehicles), used[_EVENTS], used[_TURNS]


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
    fix: Fix, fences: Any, windows: Int32s, place_ids: Int64s, place_slots: Int32s, layers: Bytes,
    reaches_m: NDArray[np.float64], main_edges: Int32s, overlay_edges: Int32s, heads: Int32s, sides: Any,
    counts: Int64s, marks: Int64s, mark: int, events: Any, turns: Any, befores: Any, afters: Any, used: Int64s,
) -> None:  # fmt: skip
    """What a fix changes about the sides that its vehicle has."""
    previous, at = NO_SIDE, heads[fix.row]
    while at != NO_SIDE:
        side, following = sides[at], sides[at].following
        slot = find_slot(place_ids, place_slots, side.fence_id)
        if slot == NOWHERE or not applies(fences[slot], windows, fix.time_ms, fix.kind):
            if side.inside:
                _leave(fix, side, events, turns, befores, afters, used)
            side.pending = 0
            if slot == NOWHERE:
                side.raised = 0  # its exit alarm holds for good: there is no next enter
        else:
            held = marks[slot] == mark + _HELD
            if held:
                marks[slot] = mark + _DONE
            elif side.inside and fences[slot].hysteresis_m:
                edges = overlay_edges if layers[slot] == OVERLAY else main_edges
                held = near(fences[slot], reaches_m[slot], edges, fix.longitude_e7, fix.latitude_e7)
            if _turns(fix, fences[slot].dwell_ms, held, side):
                _change(fix, fences[slot], held, side, events, turns, befores, afters, used)
        if side.inside or side.pending or side.raised:
            previous = at
        else:
            _give_back(at, previous, fix.row, heads, sides, counts)
        at = following


@numba.njit(cache=True, nogil=True, inline="always")
def _new_side(
    fix: Fix,
    fence: Any,
    heads: Int32s,
    sides: Any,
    counts: Int64s,
    events: Any,
    turns: Any,
    befores: Any,
    afters: Any,
    used: Int64s,
) -> None:
    """A vehicle is held by a fence that it was plainly outside of."""
    if counts[FREE] != NO_SIDE:
        at = counts[FREE]
        counts[FREE] = sides[at].following
    else:
        at = counts[USED]
        counts[USED] += 1
    counts[LIVE] += 1
    side = sides[at]
    side.fence_id = fence.fence_id
    side.side_time_ms = 0
    side.inside, side.pending, side.raised = 0, 0, 0
    side.following = heads[fix.row]
    heads[fix.row] = at
    if _turns(fix, fence.dwell_ms, True, side):
        _change(fix, fence, True, side, events, turns, befores, afters, used)


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
def _turns(fix: Fix, dwell_ms: int, held: bool, side: Any) -> bool:
    """Whether a vehicle changes sides of a fence that applies, now that it has been on the other one long enough."""
    if held == (side.inside != 0):
        side.pending = 0
        return False
    if not side.pending:
        side.pending = 1
        side.pending_time_ms = fix.time_ms
        side.pending_longitude_e7 = fix.longitude_e7
        side.pending_latitude_e7 = fix.latitude_e7
        side.pending_speed_01kmh = fix.speed_01kmh
    return bool(fix.time_ms - side.pending_time_ms >= dwell_ms)


@numba.njit(cache=True, nogil=True, inline="always")
def _change(
    fix: Fix, fence: Any, held: bool, side: Any, events: Any, turns: Any, befores: Any, afters: Any, used: Int64s
) -> None:
    befores[used[_TURNS]] = side
    side.inside, side.pending = 1 if held else 0, 0
    side.side_time_ms = side.pending_time_ms
    side.side_longitude_e7 = side.pending_longitude_e7
    side.side_latitude_e7 = side.pending_latitude_e7
    side.side_speed_01kmh = side.pending_speed_01kmh
    _turn(fix, fence, _ENTER if held else _EXIT, side, events, turns, befores, afters, used)


@numba.njit(cache=True, nogil=True, inline="always")
def _turn(
    fix: Fix, fence: Any, kind: int, side: Any, events: Any, turns: Any, befores: Any, afters: Any, used: Int64s
) -> None:
    """Note an event, and the alarms that it raises and clears."""
    side.raised = 0
    if fence.trigger_bits >> kind & 1:
        side.raised = LATE if fix.late else ON_TIME
    side.level = fence.level
    side.create_time_ms = fix.received_time_ms
    _note(fix.number, kind, side, events, turns, befores, afters, used)


@numba.njit(cache=True, nogil=True, inline="always")
def _leave(fix: Fix, side: Any, events: Any, turns: Any, befores: Any, afters: Any, used: Int64s) -> None:
    """A fence that does not apply is one that the vehicle is outside of, without an exit."""
    befores[used[_TURNS]] = side
    side.inside, side.raised = 0, 0
    side.side_time_ms = fix.time_ms
    side.side_longitude_e7 = fix.longitude_e7
    side.side_latitude_e7 = fix.latitude_e7
    side.side_speed_01kmh = fix.speed_01kmh
    _note(fix.number, LEFT, side, events, turns, befores, afters, used)


@numba.njit(cache=True, nogil=True, inline="always")
def _note(index: int, kind: int, side: Any, events: Any, turns: Any, befores: Any, afters: Any, used: Int64s) -> None:
    """Write an event; where an alarm begins or ends, also the side after it: the one before stands there already."""
    event, turn = events[used[_EVENTS]], used[_TURNS]
    event.fix, event.kind, event.fence_id, event.time_ms = index, kind, side.fence_id, side.side_time_ms
    used[_EVENTS] += 1
    if side.raised or befores[turn].raised:
        afters[turn] = side
        turns[turn] = event
        used[_TURNS] += 1


@numba.njit(cache=True, nogil=True)
def _crosses(
    fix: Fix, before_ms: int, line: Line, known: KnownFences, head: Any, sides: Any, marks: Int64s, mark: int,
    met: Int32s, events: Any, turns: Any, befores: Any, afters: Any,
    used: Int64s,
) -> None:  # fmt: skip
    """Note the fences that a vehicle went through between two fixes outside. `head`: the first side of the vehicle."""
    found = find_met(line, MAIN, known, marks, mark + _MET, met, 0)
    if known.overlay.pairs_max:
        found = find_met(line, OVERLAY, known, marks, mark + _MET, met, found)
    for index in range(found):
        fence = known.rows[met[index]]
        if (
            applies(fence, known.windows, fix.time_ms, fix.kind)
            and applies(fence, known.windows, before_ms, fix.kind)
            and _is_plainly_outside(fence.fence_id, head, sides)
            and not is_held(known, met[index], line[0], line[1])
        ):
            side = afters[used[_TURNS]]
            side.fence_id, side.inside, side.pending, side.following = fence.fence_id, 0, 0, NO_SIDE
            side.side_time_ms = fix.time_ms
            befores[used[_TURNS]].raised = 0
            _turn(fix, fence, _CROSS, side, events, turns, befores, afters, used)


@numba.njit(cache=True, nogil=True)
def _is_plainly_outside(fence_id: Any, at: Any, sides: Any) -> bool:
    while at != NO_SIDE:
        if sides[at].fence_id == fence_id:
            return not sides[at].inside and not sides[at].pending
        at = sides[at].following
    return True
