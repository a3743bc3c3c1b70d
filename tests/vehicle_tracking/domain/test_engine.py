"""The engine: however its input is cut, shuffled or repeated, it comes to the same alarms."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import NotAllowedNow
from services.vehicle_tracking.domain import engine
from services.vehicle_tracking.domain.alarms.alarm import Alarm
from services.vehicle_tracking.domain.alarms.offline import OFFLINE
from services.vehicle_tracking.domain.alarms.overspeed import OVERSPEED
from services.vehicle_tracking.domain.judgement import Judgement
from services.vehicle_tracking.domain.positions import PositionBatch, batch, joined
from tests.vehicle_tracking.engine_tables import START_MS, Run, fixes, limits

FENCES = limits((7, 111.95, 27.95, 112.0, 28.05, 50), (8, 112.05, 27.0, 112.1, 29.0, 90))
VEHICLES = 5


def drive(seed: int, count: int = 400) -> PositionBatch:
    """Fixes of five vehicles in order of time, with speeding, gaps, jumps, flaws and alarm words."""
    chance = np.random.default_rng(seed)
    vehicles = chance.integers(1, VEHICLES + 1, count)
    steps_ms = chance.choice(
        [0, 1000, 10_000, 30_000, 61_000, 400_000, 2_000_000], count, p=[0.1, 0.3, 0.3, 0.2, 0.06, 0.03, 0.01]
    )
    words = chance.choice([0, 0, 0, 1, 5, 1 << 31], count)
    return batch(
        START_MS + 10**9,
        vehicle_ids=vehicles,
        fix_times_ms=START_MS + np.cumsum(steps_ms),
        longitudes_e7=1_120_000_000
        + np.cumsum(chance.integers(-90_000, 100_000, count) + 4_000_000 * (steps_ms == 2_000_000)),
        latitudes_e7=280_000_000 + np.cumsum(chance.integers(-90_000, 90_000, count)),
        speeds_01kmh=chance.choice([0, 400, 950, 1250, 1400, 1700], count),
        alarm_words=words.astype(np.uint32).view(np.int32),
        status_words=chance.choice([2, 2, 2, 2, 0, 34], count),
    )


def received(positions: PositionBatch) -> PositionBatch:
    """As if it had come just after its newest fix."""
    return replace(positions, received_time_ms=int(positions.fix_times_ms.max()) + 500)


def parts(positions: PositionBatch, cuts: Iterable[int]) -> list[PositionBatch]:
    return [positions.take(chunk) for chunk in np.split(np.arange(len(positions)), sorted(cuts)) if len(chunk)]


def facts(run: Run) -> dict[str, Alarm]:
    """The alarms as they ended up."""
    return {key: replace(alarm, create_time_ms=0) for key, alarm in run.alarms.items()}


def outcome(batches: Iterable[PositionBatch], *, reload: bool = False) -> dict[str, Alarm]:
    run = Run(fences=FENCES)
    for positions in batches:
        run.take(positions)
        if reload:
            run.reload()
    return facts(run)


def test_the_drive_raises_alarms_of_most_rules() -> None:
    assert {alarm.rule for alarm in outcome([drive(1)]).values()} >= {"overspeed", "terminal", "offline_displacement"}


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), cuts=st.sets(st.integers(1, 399), max_size=30), reload=st.booleans())
def test_batches_cut_anywhere_and_states_stored_between_give_the_same_alarms(
    seed: int, cuts: set[int], reload: bool
) -> None:
    positions = drive(seed)
    assert outcome(parts(positions, cuts), reload=reload) == outcome([positions])


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), shuffle=st.integers(0, 10_000))
def test_vehicles_may_come_in_any_order_within_a_batch(seed: int, shuffle: int) -> None:
    positions = drive(seed)
    lanes = [list(np.flatnonzero(positions.vehicle_ids == vehicle)) for vehicle in range(1, VEHICLES + 1)]
    chance, order = random.Random(shuffle), []
    while any(lanes):
        order.append(chance.choice([lane for lane in lanes if lane]).pop(0))
    assert outcome([positions.take(np.array(order))]) == outcome([positions])


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), shuffle=st.integers(0, 10_000))
def test_fixes_of_different_times_may_come_in_any_order_within_a_batch(seed: int, shuffle: int) -> None:
    positions = drive(seed)
    _, first = np.unique(np.column_stack([positions.vehicle_ids, positions.fix_times_ms]), axis=0, return_index=True)
    positions = positions.take(np.sort(first))
    order = np.random.default_rng(shuffle).permutation(len(positions))
    assert outcome([positions.take(order)]) == outcome([positions])


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), cuts=st.sets(st.integers(1, 399), min_size=5, max_size=30))
def test_a_replay_of_the_same_batches_changes_nothing(seed: int, cuts: set[int]) -> None:
    run, replayed = Run(fences=FENCES), Run(fences=FENCES)
    for positions in map(received, parts(drive(seed), cuts)):
        run.take(positions)
        for _ in range(2):
            replayed.take(positions)
    assert facts(replayed) == facts(run)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), ticks=st.lists(st.integers(0, 30_000), max_size=20))
def test_ticks_at_any_moment_change_no_final_alarm(seed: int, ticks: list[int]) -> None:
    quiet, ticked = Run(fences=FENCES), Run(fences=FENCES)
    for positions in map(received, parts(drive(seed), range(1, 400))):
        for tick in ticks:
            if START_MS + tick * 1000 < positions.received_time_ms:
                ticked.tick(tick)
        quiet.take(positions)
        ticked.take(positions)
    for run in (quiet, ticked):
        run.tick(10**7)  # who has fallen silent by the last batch is told of by a tick alone
    assert facts(ticked) == facts(quiet)


def test_a_rule_that_was_not_there_starts_anew_and_one_that_is_no_more_is_left_out() -> None:
    run = Run(OVERSPEED)
    run.fixes("second kmh\n0 130\n30 130")
    wire = engine.saved(run.state, run.known, rules=(OVERSPEED,))
    state = engine.loaded(wire, run.known, rules=(OFFLINE,))
    assert list(state.rules) == ["offline"]


def test_a_state_of_another_count_of_partitions_or_version_is_refused() -> None:
    run = Run()
    wire = engine.saved(run.state, run.known)
    with pytest.raises(NotAllowedNow, match="1 partitions, there are 2"):
        engine.loaded(wire, replace(run.known, partition_count=2))
    with pytest.raises(ValueError, match="version"):
        engine.loaded(b"ENGN" + (99).to_bytes(4, "little") + wire[8:], run.known)


def test_an_empty_batch_is_nothing() -> None:
    nothing: Judgement = Run().take(fixes("second\n0").take(np.zeros(1, np.bool_)))
    assert (len(nothing.alarms), len(nothing.quality_flags), len(nothing.usable), len(nothing.transitions)) == (0,) * 4


def test_vehicles_of_a_partition_are_told_by_their_own_ids() -> None:
    run = Run(OVERSPEED)
    known = replace(run.known, partition_count=4, vehicles=type(run.known.vehicles)(4))
    state = engine.start(3, rules=(OVERSPEED,))
    judged = engine.step(state, fixes("vehicle second kmh\n4003 0 130\n4003 30 130"), known, rules=(OVERSPEED,))
    assert [alarm.vehicle_id for alarm in judged.alarms] == [4003]
    assert state.row_count == 1001


def test_a_vehicle_takes_less_than_300_bytes() -> None:
    run = Run()
    count = 100_000
    for second in (0, 40, 80):
        run.take(
            batch(
                START_MS + 10**6,
                vehicle_ids=np.arange(count),
                fix_times_ms=np.full(count, START_MS + second * 1000),
                longitudes_e7=np.full(count, 1_120_000_000),
                latitudes_e7=np.full(count, 280_000_000),
                speeds_01kmh=np.where(np.arange(count) % 20 == 0, 1300, 500),
                alarm_words=np.where(np.arange(count) % 20 == 0, 1, 0),
                status_words=np.full(count, 2),
            )
        )
    assert len(run.alarms) == 2 * count // 20
    assert engine.size(run.state) / count < 300


def test_joined_batches_are_judged_as_one() -> None:
    positions = drive(3)
    assert outcome([joined(parts(positions, {100, 200}))]) == outcome([positions])
