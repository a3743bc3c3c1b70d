"""offline: nothing received for too long; the span depends on whether the vehicle was moving."""
# numba compiles the loops over rows: a tick looks at every vehicle once a second.

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from services.vehicle_tracking.domain.alarms.alarm import Alarm, EvidencePosition
from services.vehicle_tracking.domain.alarms.rule import NEVER_MS, Context, Fixes, Flags, Outcome, Rule, evidence_at
from services.vehicle_tracking.domain.engine_state import grown, packed, raw, table_of, unpacked
from services.vehicle_tracking.domain.fences import AlarmLevel
from services.vehicle_tracking.domain.positions import Int32s, Int64s

NAME = "offline"
VERSION = 1
SILENCE = np.dtype([("received_ms", "<i8"), ("raise_ms", "<i8")])  # last received time; 0 where nothing holds


@dataclass(slots=True)
class State:
    """`silences`: SILENCE by row."""

    silences: NDArray[Any]


def start() -> State:
    """Nobody heard of."""
    return State(np.zeros(0, SILENCE))


def step(state: State, _fixes: Fixes, context: Context) -> Outcome:
    """Alarms of vehicles that were silent for too long until this batch, raised (where no tick had) and cleared."""
    state.silences = grown(state.silences, context.row_count)
    heard, rows = context.heard, context.unheard_rows
    found = [
        alarm
        for fix, raise_ms, told in _ended(state, heard.rows, heard.before_times_ms, heard.before_speeds_01kmh, context)
        for alarm in _both_ends(context, int(heard.rows[fix]), raise_ms, told, heard.evidence_before(fix))
    ]
    if len(rows):  # of vehicles with no other position in the batch, so `latest` is what it was before
        latest = context.latest[rows]
        times_ms = np.where(latest["fix_ms"], latest["fix_ms"], NEVER_MS)
        found += [
            alarm
            for fix, raise_ms, told in _ended(state, rows, times_ms, latest["speed_01kmh"].copy(), context)
            for alarm in _both_ends(context, int(rows[fix]), raise_ms, told, evidence_at(latest[fix]))
        ]
    return Outcome(found)


def tick(state: State, now_ms: int, context: Context) -> Sequence[Alarm]:
    """Alarms of vehicles of the register that have become silent for too long by `now_ms`."""
    count = min(len(state.silences), len(context.latest))
    latest, silences = context.latest[:count], state.silences[:count]
    rows, spans_ms = np.empty(count, np.int64), _spans_ms(context)
    rows = rows[: _silent(silences, latest, context.registered, spans_ms, _moving_01kmh(context), now_ms, rows)]
    return [
        _alarm(context, row, raise_ms, now_ms, evidence_at(latest[row]))
        for row, raise_ms in zip(rows.tolist(), silences["raise_ms"][rows].tolist(), strict=True)
    ]


def saved(state: State) -> bytes:
    """Who was heard when."""
    return packed("OFFL", VERSION, raw(state.silences))


def loaded(wire: bytes) -> State:
    """A state as saved."""
    (body,) = unpacked("OFFL", VERSION, wire)
    return State(table_of(SILENCE, body))


def size(state: State) -> int:
    """Bytes of memory."""
    return state.silences.nbytes


OFFLINE = Rule((NAME,), start, step, saved, loaded, size, tick)


def _ended(
    state: State, rows: Int64s, before_times_ms: Int64s, before_speeds_01kmh: Int32s, context: Context
) -> list[list[int]]:
    """Silences that end with this batch: which of `rows`, raise time, whether a tick has told it. Of several of one
    vehicle the first ends it."""
    raises = np.empty((3, len(rows)), np.int64)
    count = _step(
        rows, before_times_ms, before_speeds_01kmh, context.received_time_ms, _spans_ms(context),
        _moving_01kmh(context), state.silences, raises,
    )  # fmt: skip
    ended: list[list[int]] = raises[:, :count].T.tolist()
    return ended


def _both_ends(
    context: Context, row: int, raise_ms: int, told: int, evidence: tuple[EvidencePosition, ...]
) -> list[Alarm]:
    raised = _alarm(context, row, raise_ms, context.received_time_ms, evidence)
    cleared = replace(raised, clear_time_ms=max(context.received_time_ms, raise_ms))
    return [cleared] if told else [raised, cleared]


def _alarm(context: Context, row: int, raise_ms: int, create_ms: int, evidence: tuple[EvidencePosition, ...]) -> Alarm:
    return Alarm(
        rule=NAME,
        vehicle_id=context.vehicle_id(row),
        raise_time_ms=raise_ms,
        level=AlarmLevel.LOW,
        evidence=evidence,
        create_time_ms=create_ms,
    )


def _spans_ms(context: Context) -> Int64s:
    """After how long a standing vehicle is offline, and a moving one."""
    return np.array([context.settings.offline_standing_s, context.settings.offline_moving_s], np.int64) * 1000


def _moving_01kmh(context: Context) -> float:
    return context.settings.moving_kmh * 10


@numba.njit(cache=True, nogil=True)
def _step(
    rows: Int64s,
    before_times_ms: Int64s,
    before_speeds_01kmh: Int32s,
    received_ms: int,
    spans_ms: Int64s,
    moving_01kmh: float,
    silences: Any,
    raises: Int64s,
) -> int:
    count = 0
    for i in range(len(rows)):
        silence = silences[rows[i]]
        told = silence.raise_ms != 0
        if not told and silence.received_ms:
            span_ms = spans_ms[int(before_times_ms[i] != NEVER_MS and before_speeds_01kmh[i] > moving_01kmh)]
            if received_ms - silence.received_ms >= span_ms:
                silence.raise_ms = silence.received_ms + span_ms
        if silence.raise_ms:
            raises[0, count], raises[1, count], raises[2, count] = i, silence.raise_ms, told
            count += 1
        silence.raise_ms, silence.received_ms = 0, max(silence.received_ms, received_ms)
    return count


@numba.njit(cache=True, nogil=True)
def _silent(
    silences: Any, latest: Any, registered: Flags, spans_ms: Int64s, moving_01kmh: float, now_ms: int, rows: Int64s
) -> int:
    """Note who has been silent for too long; how many, with their `rows`."""
    count = 0
    for row in range(len(silences)):
        silence = silences[row]
        if silence.received_ms and not silence.raise_ms and now_ms - silence.received_ms >= spans_ms[1]:
            moving = latest[row].fix_ms and latest[row].speed_01kmh > moving_01kmh
            span_ms = spans_ms[1] if moving else spans_ms[0]
            if now_ms - silence.received_ms >= span_ms and registered[row]:
                silence.raise_ms = silence.received_ms + span_ms
                rows[count] = row
                count += 1
    return count
