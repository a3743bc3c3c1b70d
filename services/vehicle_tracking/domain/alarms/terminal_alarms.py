"""terminal: what the terminal itself says, one alarm for each bit of its alarm word while the bit is set."""
# numba compiles the loop over fixes: most change nothing, and a bit is known only from one fix to the next.

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from services.vehicle_tracking.domain.alarms.alarm import Alarm, EvidencePosition
from services.vehicle_tracking.domain.alarms.rule import NOTHING, Context, Fixes, Outcome, Rule
from services.vehicle_tracking.domain.engine_state import grown, packed, raw, table_of, unpacked
from services.vehicle_tracking.domain.fences import AlarmLevel
from services.vehicle_tracking.domain.positions import Int32s, Int64s

NAME = "terminal"
VERSION = 1
BITS = 32
HIGH_BITS = frozenset((0, 2, 3, 29, 30))  # emergency, fatigue, danger, collision, rollover
LOW_BITS = frozenset((*range(4, 13), 24))  # the terminal's own modules, and the VSS
EVENTS_MIN = 1024

# An alarm that holds. `key`: row and bit; `fix_ms` 0: no place known.
OPEN = np.dtype(
    [
        ("key", "<i8"),
        ("raise_ms", "<i8"),
        ("create_ms", "<i8"),
        ("fix_ms", "<i8"),
        ("longitude_e7", "<i4"),
        ("latitude_e7", "<i4"),
        ("speed_01kmh", "<i4"),
        ("late", "<i4"),
    ]
)


@dataclass(slots=True)
class State:
    """`words`: the last alarm word, by row. `opens`: OPEN by rising key, an alarm for each set bit of `words`."""

    words: Int32s
    opens: NDArray[Any]


def start() -> State:
    """No bit set."""
    return State(np.zeros(0, np.int32), np.zeros(0, OPEN))


def step(state: State, _fixes: Fixes, context: Context) -> Outcome:
    """Alarms of bits that were set and that were cleared."""
    state.words = grown(state.words, context.row_count)
    fixes, bits, on = _changes(state.words, context.heard)
    if not len(fixes):
        return NOTHING
    keys = context.heard.rows[fixes] * BITS + bits
    order = np.argsort(keys, kind="stable")
    fixes, keys, on = fixes[order], keys[order], on[order]
    opens = _opened(context, fixes, keys)  # what a bit opens, or in the place of one that it closes
    first, last = np.ones(len(keys), np.bool_), np.ones(len(keys), np.bool_)
    first[1:] = last[:-1] = keys[1:] != keys[:-1]
    opens[~on & ~first] = opens[np.flatnonzero(~on & ~first) - 1]
    known = np.searchsorted(state.opens["key"], keys[~on & first])
    opens[~on & first] = state.opens[known]
    kept = np.delete(state.opens, known)
    begun = opens[on & last]
    state.opens = np.insert(kept, np.searchsorted(kept["key"], begun["key"]), begun)
    times_ms = context.heard.times_ms[fixes].tolist()
    return Outcome(
        [
            _alarm(opened, None if begins else time_ms, context)
            for opened, begins, time_ms in zip(opens.tolist(), on.tolist(), times_ms, strict=True)
        ]
    )


def saved(state: State) -> bytes:
    """The alarms that hold."""
    return packed("TERM", VERSION, raw(state.opens))


def loaded(wire: bytes) -> State:
    """A state as saved."""
    (body,) = unpacked("TERM", VERSION, wire)
    opens = table_of(OPEN, body)
    words = np.zeros(int(opens["key"].max(initial=-1)) // BITS + 1, np.int64)
    np.bitwise_or.at(words, opens["key"] // BITS, 1 << opens["key"] % BITS)
    return State(words.astype(np.uint32).view(np.int32), opens)


def size(state: State) -> int:
    """Bytes of memory."""
    return state.words.nbytes + state.opens.nbytes


TERMINAL_ALARMS = Rule((NAME,), start, step, saved, loaded, size)


def level_of(bit: int) -> AlarmLevel:
    """How grave a bit is."""
    return AlarmLevel.HIGH if bit in HIGH_BITS else AlarmLevel.LOW if bit in LOW_BITS else AlarmLevel.MEDIUM


_LEVELS = tuple(map(level_of, range(BITS)))


def _changes(words: Int32s, heard: Fixes) -> tuple[Int64s, Int64s, NDArray[np.bool_]]:
    """Fix, bit and whether it is set now, for each bit that changes."""
    parts, done = [np.empty((3, 0), np.int64)], 0
    while done < len(heard):
        events = np.empty((3, EVENTS_MIN), np.int64)
        done, count = _step(done, heard.rows, heard.alarm_words, words, events)
        if count:
            parts.append(events[:, :count])
    fixes, bits, on = np.concatenate(parts, axis=1) if len(parts) > 1 else parts[0]
    return fixes, bits, on != 0


def _opened(context: Context, fixes: Int64s, keys: Int64s) -> NDArray[Any]:
    """What would be open if each fix had set its bit; a sign of life tells of the place before it."""
    heard, opens = context.heard, np.zeros(len(fixes), OPEN)
    positioned = heard.positioned[fixes]
    opens["key"], opens["raise_ms"], opens["create_ms"] = keys, heard.times_ms[fixes], context.received_time_ms
    opens["late"] = heard.lates[fixes]
    for name, at, before in (
        ("fix_ms", heard.times_ms, np.maximum(heard.before_times_ms, 0)),
        ("longitude_e7", heard.longitudes_e7, heard.before_longitudes_e7),
        ("latitude_e7", heard.latitudes_e7, heard.before_latitudes_e7),
        ("speed_01kmh", heard.speeds_01kmh, heard.before_speeds_01kmh),
    ):
        opens[name] = np.where(positioned, at[fixes], before[fixes])
    return opens


def _alarm(opened: tuple[int, ...], clear_ms: int | None, context: Context) -> Alarm:
    key, raise_ms, create_ms, fix_ms, longitude_e7, latitude_e7, speed_01kmh, late = opened
    row, bit = divmod(key, BITS)
    return Alarm(
        rule=NAME,
        vehicle_id=context.vehicle_id(row),
        raise_time_ms=raise_ms,
        level=_LEVELS[bit],
        subject=bit,
        clear_time_ms=clear_ms,
        evidence=(EvidencePosition(fix_ms, longitude_e7, latitude_e7, speed_01kmh),) if fix_ms else (),
        late=bool(late),
        measured_value=float(bit),
        create_time_ms=create_ms,
    )


@numba.njit(cache=True, nogil=True)
def _step(done: int, rows: Int64s, alarm_words: Int32s, words: Int32s, events: Int64s) -> tuple[int, int]:
    """Changes of bits from the fix `done` on until room is used up; how far it came, and how many."""
    count = 0
    for i in range(done, len(rows)):
        if alarm_words[i] == words[rows[i]]:
            continue
        if count + BITS > events.shape[1]:
            return i, count
        changed = alarm_words[i] ^ words[rows[i]]
        for bit in range(BITS):
            if changed >> bit & 1:
                events[0, count], events[1, count], events[2, count] = i, bit, alarm_words[i] >> bit & 1
                count += 1
        words[rows[i]] = alarm_words[i]
    return len(rows), count
