"""The engine: takes the state of one partition and positions, changes the state, returns alarms and transitions."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.errors import NotAllowedNow
from services.vehicle_tracking.domain.alarms.alarm import Alarm
from services.vehicle_tracking.domain.alarms.rule import Context, Fixes, Rule
from services.vehicle_tracking.domain.alarms.rules import RULES
from services.vehicle_tracking.domain.engine_state import grown, packed, raw, table_of, unpacked
from services.vehicle_tracking.domain.fence_set import FenceSet, Pairs
from services.vehicle_tracking.domain.fixes import LATEST, NO_FIXES, Sifted, sifted
from services.vehicle_tracking.domain.judgement import Judgement
from services.vehicle_tracking.domain.positions import PositionBatch
from services.vehicle_tracking.domain.rule_settings import RuleSettings
from services.vehicle_tracking.domain.vehicle_columns import VehicleColumns

VERSION = 1
_HEAD = struct.Struct("<II")  # partition, partition count


@dataclass(slots=True)
class EngineState:
    """One partition: its vehicles by row (`latest`: LATEST), and what each rule remembers."""

    partition: int
    row_count: int = 0
    latest: NDArray[Any] = field(default_factory=lambda: np.zeros(0, LATEST))
    rules: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Known:
    """What the engine judges by."""

    settings: RuleSettings
    partition_count: int
    fences: FenceSet
    vehicles: VehicleColumns


def start(partition: int, *, rules: Sequence[Rule] = RULES) -> EngineState:
    """A partition that nothing is known of."""
    return EngineState(partition, rules={_key(rule): rule.start() for rule in rules})


def step(state: EngineState, positions: PositionBatch, known: Known, *, rules: Sequence[Rule] = RULES) -> Judgement:
    """Judge positions, all of them of the state's partition."""
    if not len(positions):
        return Judgement((), np.zeros(0, np.int32), np.zeros(0, np.bool_))
    rows = positions.vehicle_ids // known.partition_count
    _reserve(state, int(rows.max()) + 1)
    kinds, _ = known.vehicles.of(state.partition, state.row_count)
    late_ms, future_ms = known.settings.late_s * 1000, known.settings.future_s * 1000
    sift = sifted(positions, rows, latest=state.latest, kinds=kinds, late_ms=late_ms, future_ms=future_ms)
    context = _context(state, known, positions.received_time_ms, sift)
    outcomes = [rule.step(state.rules[_key(rule)], sift.fixes, context) for rule in rules]
    return Judgement(
        [alarm for outcome in outcomes for alarm in outcome.alarms],
        sift.quality_flags,
        sift.usable,
        [outcome.transitions for outcome in outcomes if outcome.transitions is not None],
    )


def tick(state: EngineState, now_ms: int, known: Known, *, rules: Sequence[Rule] = RULES) -> list[Alarm]:
    """Judge silence up to `now_ms`."""
    context = _context(state, known, now_ms, None)
    return [alarm for rule in rules for alarm in rule.tick(state.rules[_key(rule)], now_ms, context)]


def saved(state: EngineState, known: Known, *, rules: Sequence[Rule] = RULES) -> bytes:
    """The state as bytes."""
    parts = [(key.encode(), rule.saved(state.rules[key])) for rule in rules for key in [_key(rule)]]
    head = _HEAD.pack(state.partition, known.partition_count)
    return packed("ENGN", VERSION, head, raw(state.latest[: state.row_count]), *(body for p in parts for body in p))


def loaded(wire: bytes, known: Known, *, rules: Sequence[Rule] = RULES) -> EngineState:
    """A state as saved; a rule that was not there then starts anew, one that is no more is left out. Raises ValueError
    for bytes of another version, NotAllowedNow for another count of partitions: it is the setting that is wrong."""
    head, latest, *parts = unpacked("ENGN", VERSION, wire)
    partition, partition_count = _HEAD.unpack(head)
    if partition_count != known.partition_count:
        message = f"the state is of {partition_count} partitions, there are {known.partition_count}"
        raise NotAllowedNow("PARTITION_COUNT_FIXED", message)
    state = start(partition, rules=rules)
    state.latest = table_of(LATEST, latest)
    state.row_count = len(state.latest)
    bodies = {key.decode(): body for key, body in zip(parts[::2], parts[1::2], strict=True)}
    for rule in rules:
        if _key(rule) in bodies:
            state.rules[_key(rule)] = rule.loaded(bodies[_key(rule)])
    return state


def size(state: EngineState, *, rules: Sequence[Rule] = RULES) -> int:
    """Bytes of memory that the state takes."""
    return state.latest.nbytes + sum(rule.size(state.rules[_key(rule)]) for rule in rules)


def _key(rule: Rule) -> str:
    return rule.names[0]


def _reserve(state: EngineState, row_count: int) -> None:
    state.row_count = max(state.row_count, row_count)
    state.latest = grown(state.latest, row_count)


def _context(state: EngineState, known: Known, received_time_ms: int, sift: Sifted | None) -> Context:
    kinds, speeds_kmh_max = known.vehicles.of(state.partition, state.row_count)
    fixes = NO_FIXES if sift is None else sift.fixes
    return Context(
        settings=known.settings,
        partition=state.partition,
        partition_count=known.partition_count,
        row_count=state.row_count,
        received_time_ms=received_time_ms,
        kinds=kinds,
        speeds_kmh_max=speeds_kmh_max,
        registered=known.vehicles.registered(state.partition, state.row_count),
        latest=state.latest,
        fences=known.fences,
        pairs=_pairs(known.fences, fixes),
        heard=NO_FIXES if sift is None else sift.heard,
        unheard_rows=NO_FIXES.rows if sift is None else sift.unheard_rows,
    )


def _pairs(fences: FenceSet, fixes: Fixes) -> Pairs:
    return fences.in_force(fences.containing(fixes.longitudes_e7, fixes.latitudes_e7), fixes.times_ms, fixes.kinds)
