"""fence_enter, fence_exit, fence_cross: against the words of docs/decisions/rule-semantics.md, fix by fix."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.vehicle_tracking.domain.alarms.alarm import Alarm
from services.vehicle_tracking.domain.alarms.fence_transitions import FENCE_TRANSITIONS
from services.vehicle_tracking.domain.fence_set import FenceSet, fence_set
from services.vehicle_tracking.domain.fence_sides_kernel import SIDES_MAX
from services.vehicle_tracking.domain.fences import AlarmLevel, Circle, Fence, FenceTrigger, Shape, TimeWindow
from services.vehicle_tracking.domain.positions import PositionBatch, batch
from services.vehicle_tracking.domain.quality import STATUS_POSITIONED
from services.vehicle_tracking.domain.vehicles import Vehicle, VehicleKind
from tests.vehicle_tracking.domain.fence_oracle import AlarmKey, Fix, Oracle, Transition
from tests.vehicle_tracking.domain.fence_worlds import CHANGSHA, corridor, star
from tests.vehicle_tracking.engine_tables import START_MS, Run, box, second

ENTER, EXIT, CROSS = FenceTrigger.ENTER, FenceTrigger.EXIT, FenceTrigger.CROSS
KINDS = {1: VehicleKind.COACH, 2: VehicleKind.TAXI, 3: VehicleKind.HAZMAT}
FIX_COUNT = 150
Edit = tuple[dict[int, Fence], set[int]]


def random_fence(rng: np.random.Generator, fence_id: int) -> Fence:
    x, y = (int(place + rng.integers(-40_000, 40_000)) for place in CHANGSHA)
    shapes: list[Shape] = [
        star(rng, (x, y), 50_000),
        Circle(x, y, int(rng.integers(50, 500))),
        corridor([(x - 50_000, y), (x, y), (x + 9_000, y + 60_000)], int(rng.integers(20, 300))),
    ]
    windows = (TimeWindow((), 22 * 60, 6 * 60),), (TimeWindow((1, 3), 480, 1080), TimeWindow((4,), 700, 100))
    return Fence(
        fence_id,
        "",
        shapes[rng.integers(3)],
        vehicle_kinds=((), (), (VehicleKind.TAXI, VehicleKind.COACH))[rng.integers(3)],
        time_windows=((), (), *windows)[rng.integers(4)],
        triggers=tuple(trigger for trigger in FenceTrigger if rng.random() < 0.7),
        dwell_ms=int(rng.choice([0, 0, 45_000])),
        hysteresis_m=int(rng.choice([0, 0, 60, 300])),
        level=AlarmLevel(int(rng.integers(1, 4))),
        enabled=bool(rng.random() < 0.9),
    )


def drive(rng: np.random.Generator) -> list[Fix]:
    """Three vehicles that wander about; steps from seconds to hours."""
    now, places, found = START_MS, {n: np.array(CHANGSHA) for n in KINDS}, []
    for _ in range(FIX_COUNT):
        now += int(rng.choice([5_000, 15_000, 30_000, 130_000, 5_400_000], p=[0.4, 0.3, 0.2, 0.08, 0.02]))
        vehicle = int(rng.integers(1, 4))
        home = (np.array(CHANGSHA) - places[vehicle]) * 0.05
        places[vehicle] = places[vehicle] + (rng.normal(0, 12_000, 2) + home).astype(np.int64)
        x, y = places[vehicle].tolist()
        found.append(Fix(vehicle, KINDS[vehicle], now, x, y))
    return found


def edits_of(rng: np.random.Generator) -> dict[int, Edit]:
    """Fences added, changed and removed before some fixes."""
    edits: dict[int, Edit] = {0: ({n: random_fence(rng, n) for n in range(1, 7)}, set())}
    for at in rng.choice(np.arange(1, FIX_COUNT), 6, replace=False).tolist():
        changed = {int(n): random_fence(rng, int(n)) for n in rng.integers(1, 9, 2)}
        edits[at] = changed, {int(rng.integers(1, 9))} - set(changed)
    return edits


def judged_by_oracle(fixes: list[Fix], edits: dict[int, Edit]) -> Oracle:
    oracle, fences = Oracle(), dict[int, Fence]()
    for number, fix in enumerate(fixes):
        changed, removed = edits.get(number, ({}, set()))
        fences = {key: fence for key, fence in fences.items() if key not in removed} | changed
        oracle.take(fix, fences)
    return oracle


def positions_of(fixes: list[Fix]) -> PositionBatch:
    return batch(
        max(fix.time_ms for fix in fixes) + 1000,
        vehicle_ids=[fix.vehicle_id for fix in fixes],
        fix_times_ms=[fix.time_ms for fix in fixes],
        longitudes_e7=[fix.x for fix in fixes],
        latitudes_e7=[fix.y for fix in fixes],
        status_words=np.full(len(fixes), STATUS_POSITIONED),
    )


def judged_by_rule(
    fixes: list[Fix], edits: dict[int, Edit], cuts: Iterable[int], *, reload: bool, rebuild: bool
) -> tuple[list[Transition], dict[AlarmKey, tuple[int | None, int]]]:
    run, transitions, fences = Run(FENCE_TRANSITIONS), list[Transition](), fence_set()
    run.known.vehicles.change([Vehicle(n, f"湘A{n}", 2, kind) for n, kind in KINDS.items()])
    marks = sorted({0, len(fixes), *cuts, *edits})
    for start, end in pairwise(marks):
        fences = fences.with_changes(*edits.get(start, ({}, set())))
        fences = fences.rebuilt() if rebuild else fences
        run.known = replace(run.known, fences=fences)
        for some in run.take(positions_of(fixes[start:end])).transitions:
            columns = (some.vehicle_ids, some.fence_ids, some.kinds, some.times_ms)
            transitions += zip(*(column.tolist() for column in columns), strict=True)
        if reload:
            run.reload()
    return transitions, {
        (a.rule, a.vehicle_id, a.fence_id, a.raise_time_ms): (a.clear_time_ms, a.level) for a in run.alarms.values()
    }


def area(**options: Any) -> FenceSet:
    """One fence between 111.99 and 112.01 degrees east; a hundredth of a degree is 980 m."""
    return fence_set([box(7, 111.99, 27.99, 112.01, 28.01, **{"triggers": (ENTER, EXIT), **options})])


def spans(run: Run) -> list[tuple[str, float, float | None]]:
    """Rule, raise and clear second of each alarm, in order."""
    found = [(alarm.rule, second(alarm.raise_time_ms), second(alarm.clear_time_ms)) for alarm in run.alarms.values()]
    return sorted(found, key=lambda span: (span[1], span[0]))  # type: ignore[arg-type]  # no raise time is None


def test_an_enter_holds_until_the_exit_and_an_exit_until_the_next_enter() -> None:
    run = Run(FENCE_TRANSITIONS, fences=area())
    run.each("second lon\n0 111.9\n30 112\n60 112.005\n90 112.1\n120 112.2\n150 112")
    assert spans(run) == [("fence_enter", 30, 90), ("fence_exit", 90, 150), ("fence_enter", 150, None)]


def test_the_first_fix_inside_enters_and_on_the_edge_is_inside() -> None:
    run = Run(FENCE_TRANSITIONS, fences=area())
    run.fixes("second lon lat\n0 112.01 28.01\n30 112.0100001 28.01")
    assert spans(run) == [("fence_enter", 0, 30), ("fence_exit", 30, None)]


def test_without_a_trigger_there_is_a_transition_and_no_alarm() -> None:
    run = Run(FENCE_TRANSITIONS, fences=area(triggers=(EXIT,)))
    judged = run.fixes("second lon\n0 112\n30 112.1\n60 112")
    assert [some.kinds.tolist() for some in judged.transitions] == [[ENTER, EXIT, ENTER]]
    assert spans(run) == [("fence_exit", 30, 60)]


def test_a_change_of_side_counts_once_it_has_lasted_and_from_its_first_fix_on() -> None:
    run = Run(FENCE_TRANSITIONS, fences=area(dwell_ms=60_000))
    run.each("second lon\n0 112\n30 112\n50 112.1\n70 112\n129.9 112")
    assert spans(run) == []
    run.fixes("second lon\n130 112")
    assert spans(run) == [("fence_enter", 70, None)]
    run.each("second lon\n140 112.1\n199 112.1\n200 112.1")
    assert spans(run) == [("fence_enter", 70, 140), ("fence_exit", 140, None)]


def test_out_by_no_more_than_the_hysteresis_is_inside_only_for_who_is_inside() -> None:
    run = Run(FENCE_TRANSITIONS, fences=area(hysteresis_m=100))
    run.fixes("second lon\n0 112.0109\n30 112.01\n60 112.01099\n90 112.0111")  # 88 m, 0 m, 97 m, 108 m
    assert spans(run) == [("fence_enter", 30, 90), ("fence_exit", 90, None)]


@pytest.mark.parametrize(
    ("table", "crossed"),
    [
        ("second lon\n0 111.9\n120 112.1", [120]),
        ("second lon\n0 111.9\n120.001 112.1", []),  # too long ago
        ("second lon lat\n0 111.98 28\n60 112 28.02", [60]),  # through the corner itself
        ("second lon lat\n0 111.98 28\n60 112 28.0200001", []),
        ("second lon\n0 112\n60 112.1", []),  # an exit
        ("second lon\n0 111.9\n60 112\n120 112.1", []),
    ],
)
def test_a_cross_is_a_straight_line_between_two_fixes_outside(table: str, crossed: list[float]) -> None:
    run = Run(FENCE_TRANSITIONS, fences=area(triggers=(CROSS,)))
    run.each(table)
    assert spans(run) == [("fence_cross", time, time) for time in crossed]


def test_a_cross_needs_the_fence_in_force_at_both_fixes() -> None:
    run = Run(FENCE_TRANSITIONS, fences=area(triggers=(CROSS,), time_windows=(TimeWindow((), 12 * 60 + 1, 13 * 60),)))
    run.each("second lon\n30 111.9\n90 112.1\n150 111.9")
    assert spans(run) == [("fence_cross", 150, 150)]


def test_when_a_window_closes_the_enter_clears_without_an_exit_and_when_it_opens_one_enters() -> None:
    run = Run(FENCE_TRANSITIONS, fences=area(time_windows=(TimeWindow((), 12 * 60, 12 * 60 + 1),)))
    judged = run.fixes(f"second lon\n0 112\n59 112\n60 112\n{24 * 3600 + 5} 112")
    assert [some.kinds.tolist() for some in judged.transitions] == [[ENTER, ENTER]]
    assert spans(run) == [("fence_enter", 0, 60), ("fence_enter", 24 * 3600 + 5, None)]


def test_a_fence_that_is_removed_clears_its_enter_at_the_next_fix() -> None:
    run = Run(FENCE_TRANSITIONS, fences=area())
    run.fixes("second lon\n0 112")
    run.known = replace(run.known, fences=run.known.fences.with_changes({}, {7}))
    run.fixes("second lon\n30 112")
    assert spans(run) == [("fence_enter", 0, 30)]
    assert len(run.state.rules["fence_enter"]) == 0


def test_an_alarm_says_where_it_began_and_ended_and_keeps_the_level_it_was_raised_with() -> None:
    run = Run(FENCE_TRANSITIONS, fences=area(dwell_ms=20_000, level=AlarmLevel.HIGH))
    run.fixes("second lon kmh\n0 112 50\n30 112.001 40")
    alarm = run.only()
    assert [(p.longitude_e7, p.speed_01kmh) for p in alarm.evidence] == [(1_120_000_000, 500), (1_120_010_000, 400)]
    run.known = replace(run.known, fences=area(level=AlarmLevel.LOW))
    run.fixes("second lon kmh\n60 112.02 30")
    cleared = run.alarms[alarm.alarm_id]
    assert [(p.longitude_e7, p.speed_01kmh) for p in cleared.evidence] == [(1_120_000_000, 500), (1_120_200_000, 300)]
    assert (cleared.level, cleared.create_time_ms) == (AlarmLevel.HIGH, alarm.create_time_ms)
    assert next(a for a in run.alarms.values() if a.rule == "fence_exit").level == AlarmLevel.LOW


def test_an_alarm_is_late_when_the_fix_that_raised_it_was_and_stays_so() -> None:
    run = Run(FENCE_TRANSITIONS, fences=area())
    run.fixes("second lon\n0 112", received_after_s=301)
    run.fixes("second lon\n30 112.1", received_after_s=1)
    assert {(alarm.rule, alarm.late) for alarm in run.alarms.values()} == {("fence_enter", True), ("fence_exit", False)}


def test_only_so_many_exits_of_a_vehicle_are_remembered_as_there_is_room_for_and_the_newest_win() -> None:
    count = SIDES_MAX + 50
    fences = fence_set([box(n, 110 + n / 100, 27, 110 + n / 100 + 0.005, 29, triggers=(EXIT,)) for n in range(count)])
    run = Run(FENCE_TRANSITIONS, fences=fences)
    run.fixes("second lon\n" + "\n".join(f"{30 * n} {110 + n / 100 + 0.002}" for n in range(count + 1)))
    assert len(run.alarms) == count
    assert len(run.state.rules["fence_enter"]) in (SIDES_MAX, SIDES_MAX + 1)
    run.fixes(f"second lon\n{30 * count + 30} 110.002\n{30 * count + 60} {110 + (count - 3) / 100 + 0.002}")
    cleared = [alarm.fence_id for alarm in run.alarms.values() if alarm.clear_time_ms is not None]
    assert cleared == [count - 3]


def test_many_changes_at_once_are_all_told() -> None:
    fences = fence_set([box(n, 111.99, 27.99, 112.01, 28.01, triggers=(ENTER,)) for n in range(1, 1301)])
    run = Run(FENCE_TRANSITIONS, fences=fences)
    run.fixes("vehicle second lon\n1 0 112\n1 30 113\n2 0 112\n1 60 112")
    alarms = list[Alarm](run.alarms.values())
    assert len(alarms) == 3 * 1300
    assert sum(alarm.clear_time_ms is None for alarm in alarms) == 2 * 1300


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 100_000),
    cuts=st.sets(st.integers(1, FIX_COUNT - 1), max_size=40),
    reload=st.booleans(),
    rebuild=st.booleans(),
)
def test_however_cut_stored_and_indexed_fixes_do_what_the_words_say(
    seed: int, cuts: set[int], reload: bool, rebuild: bool
) -> None:
    rng = np.random.default_rng(seed)
    fixes, edits = drive(rng), edits_of(rng)
    oracle = judged_by_oracle(fixes, edits)
    transitions, alarms = judged_by_rule(fixes, edits, cuts, reload=reload, rebuild=rebuild)
    assert sorted(transitions) == sorted(oracle.transitions)
    assert alarms == oracle.alarms
