"""What every alarm rule is: functions over its own state, the fixes of one batch, and what is known around them.

To add a rule: write `start`, `step`, `saved` and `loaded` (and `tick`, when silence matters) in one file, join them in
a `Rule`, and list it in RULES.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from services.vehicle_tracking.domain.alarms.alarm import Alarm, EvidencePosition
from services.vehicle_tracking.domain.fence_set import FenceSet, Pairs
from services.vehicle_tracking.domain.judgement import Transitions
from services.vehicle_tracking.domain.positions import Bytes, Int32s, Int64s
from services.vehicle_tracking.domain.rule_settings import RuleSettings

Flags: TypeAlias = NDArray[np.bool_]
Floats: TypeAlias = NDArray[np.float64]

NEVER_MS = -1  # the time of a fix that there has not been


@dataclass(frozen=True, slots=True)
class Fixes:
    """Fixes that take part, (n,) each: every vehicle's in order of strictly rising fix time, vehicles in any order.

    `rows`: of the vehicle in the state's columns; `batch_rows`: in the batch; `kinds`: VehicleKind; `positioned`: false
    for what is only a sign of life and a carrier of the alarm word; `before_…`: the vehicle's latest positioned fix
    before this one, NEVER_MS where there was none.
    """

    rows: Int64s
    batch_rows: Int64s
    times_ms: Int64s
    longitudes_e7: Int32s
    latitudes_e7: Int32s
    speeds_01kmh: Int32s
    alarm_words: Int32s
    kinds: Bytes
    lates: Flags
    positioned: Flags
    before_times_ms: Int64s
    before_longitudes_e7: Int32s
    before_latitudes_e7: Int32s
    before_speeds_01kmh: Int32s

    def __len__(self) -> int:
        return len(self.rows)

    def evidence(self, fix: int) -> EvidencePosition:
        """One fix."""
        return EvidencePosition(
            int(self.times_ms[fix]),
            int(self.longitudes_e7[fix]),
            int(self.latitudes_e7[fix]),
            int(self.speeds_01kmh[fix]),
        )

    def evidence_before(self, fix: int) -> tuple[EvidencePosition, ...]:
        """The vehicle's latest positioned fix before one, if there was one."""
        if self.before_times_ms[fix] == NEVER_MS:
            return ()
        place = (self.before_longitudes_e7, self.before_latitudes_e7, self.before_speeds_01kmh)
        return (EvidencePosition(int(self.before_times_ms[fix]), *(int(column[fix]) for column in place)),)


@dataclass(frozen=True, slots=True)
class Context:
    """What is known around the fixes of one batch.

    A vehicle's id is row * partition_count + partition; `row_count` bounds every row, so that states know how far to
    grow. By row: `kinds`, `speeds_kmh_max` (own limit, 0 for none), `registered` (whether the vehicle is in the
    register), `latest` (LATEST of fixes.py, after the batch).
    `heard`: also the fixes that are only a sign of life. `unheard_rows`: of the vehicles of positions that take no part
    at all (repeated, older, from the future). `pairs`: the fences in force that hold each of the step's fixes.
    """

    settings: RuleSettings
    partition: int
    partition_count: int
    row_count: int
    received_time_ms: int
    kinds: Bytes
    speeds_kmh_max: Int32s
    registered: Flags
    latest: NDArray[Any]
    fences: FenceSet
    pairs: Pairs
    heard: Fixes
    unheard_rows: Int64s

    def vehicle_id(self, row: int) -> int:
        """The vehicle of a row."""
        return int(row) * self.partition_count + self.partition


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a rule found: alarms raised and cleared, in order for each vehicle, and transitions if it is about those."""

    alarms: Sequence[Alarm] = ()
    transitions: Transitions | None = None


NOTHING = Outcome()


def evidence_at(known: Any) -> tuple[EvidencePosition, ...]:
    """The place in a row of LATEST, if there is one."""
    if not known["fix_ms"]:
        return ()
    names = ("fix_ms", "longitude_e7", "latitude_e7", "speed_01kmh")
    return (EvidencePosition(*(int(known[name]) for name in names)),)


def _no_silence(_state: Any, _now_ms: int, _context: Context) -> Sequence[Alarm]:
    return ()


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule. `names`: of its alarms (rules that share their work are one). States change in place.

    `step`: judges fixes that are positioned and qualified. `tick`: judges silence up to `now_ms` (with a context whose
    fixes are none). `saved` and `loaded`: the state as bytes and back, for any number of rows; `loaded` raises
    ValueError for bytes of another version. `size`: bytes of memory that the state takes.
    """

    names: tuple[str, ...]
    start: Callable[[], Any]
    step: Callable[[Any, Fixes, Context], Outcome]
    saved: Callable[[Any], bytes]
    loaded: Callable[[bytes], Any]
    size: Callable[[Any], int]
    tick: Callable[[Any, int, Context], Sequence[Alarm]] = field(default=_no_silence)
