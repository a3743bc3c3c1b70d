"""What every rule promises, whichever it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
import pytest

from services.vehicle_tracking.domain.alarms.alarm import EVIDENCE_COUNT_MAX, Alarm
from services.vehicle_tracking.domain.alarms.rule import Rule
from services.vehicle_tracking.domain.alarms.rules import RULES
from services.vehicle_tracking.domain.fence_set import fence_set
from services.vehicle_tracking.domain.fences import FenceTrigger
from services.vehicle_tracking.domain.positions import PositionBatch, batch, joined
from tests.vehicle_tracking.engine_tables import START_MS, Run, box

FENCES = fence_set(
    [
        box(7, 112.00, 27, 112.02, 29, triggers=tuple(FenceTrigger), speed_kmh_max=60),
        box(8, 112.05, 27, 112.06, 29, triggers=tuple(FenceTrigger), dwell_ms=40_000, hysteresis_m=100),
        box(9, 112.04, 27, 112.0403, 29, triggers=(FenceTrigger.CROSS,)),
    ]
)
VEHICLES = 6
every_rule = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.names[0])


def journey(vehicle_count: int = VEHICLES) -> list[PositionBatch]:
    """Vehicles that go east through all fences: fast here and there, silent once, late once, with alarm words."""
    chance = np.random.default_rng(3)
    batches, time_ms, ids = [], START_MS, np.arange(1, vehicle_count + 1)
    for number in range(120):
        time_ms += 2_400_000 if number == 80 else 20_000
        east = 1_119_900_000 + number * 9000 + (3_500_000 if number >= 80 else 0)
        batches.append(
            batch(
                time_ms + (400_000 if number % 40 == 7 else 1000),
                vehicle_ids=ids,
                fix_times_ms=time_ms + ids,
                longitudes_e7=east + ids * 1000 + chance.integers(-2000, 2000, len(ids)),
                latitudes_e7=np.full(len(ids), 280_000_000),
                speeds_01kmh=chance.choice([500, 800, 1300], len(ids), p=[0.5, 0.3, 0.2]),
                alarm_words=np.where(number % 9 < 4, 1 << ids, 0),
                status_words=chance.choice([2, 0], len(ids), p=[0.95, 0.05]),
            )
        )
    return batches


def run(rule: Rule, batches: Iterable[PositionBatch], between: Callable[[Run], None] = lambda _: None) -> Run:
    found = Run(rule, fences=FENCES)
    for positions in batches:
        found.take(positions)
        between(found)
    return found


@every_rule
def test_a_rule_raises_alarms_under_its_names_and_no_other(rule: Rule) -> None:
    assert {alarm.rule for alarm in run(rule, journey()).told} == set(rule.names)


def test_no_two_rules_share_a_name() -> None:
    names = [name for rule in RULES for name in rule.names]
    assert len(names) == len(set(names))


@every_rule
def test_a_replay_tells_the_same_alarms_in_the_same_order(rule: Rule) -> None:
    assert run(rule, journey()).told == run(rule, journey()).told


@every_rule
def test_a_state_goes_on_from_its_bytes_as_if_nothing_had_been(rule: Rule) -> None:
    assert run(rule, journey(), Run.reload).told == run(rule, journey()).told


@every_rule
def test_the_same_state_has_the_same_bytes_after_loading(rule: Rule) -> None:
    state = run(rule, journey()[:50]).state.rules[rule.names[0]]
    wire = rule.saved(state)
    assert rule.saved(rule.loaded(wire)) == wire


@every_rule
def test_a_new_state_can_be_stored(rule: Rule) -> None:
    wire = rule.saved(rule.start())
    assert rule.saved(rule.loaded(wire)) == wire


@every_rule
def test_bytes_of_another_kind_are_refused(rule: Rule) -> None:
    if not rule.saved(rule.start()):
        return  # remembers nothing
    with pytest.raises(ValueError, match="state"):
        rule.loaded(b"\0" * 64)


@every_rule
def test_a_batch_in_which_nothing_takes_part_changes_nothing(rule: Rule) -> None:
    batches = journey()
    found = run(rule, batches)
    before, told = rule.saved(found.state.rules[rule.names[0]]), len(found.told)
    found.take(batches[3])
    assert (rule.saved(found.state.rules[rule.names[0]]), len(found.told)) == (before, told)


@every_rule
def test_a_vehicle_does_not_depend_on_others(rule: Rule) -> None:
    def of_first(alarms: Iterable[Alarm]) -> list[Alarm]:
        return [alarm for alarm in alarms if alarm.vehicle_id == 1]

    alone = [positions.take(positions.vehicle_ids == 1) for positions in journey()]
    assert of_first(run(rule, alone).told) == of_first(run(rule, journey()).told)


@every_rule
def test_an_alarm_keeps_its_id_and_what_it_was_raised_with(rule: Rule) -> None:
    first: dict[str, Alarm] = {}
    for alarm in run(rule, journey()).told:
        raised = first.setdefault(alarm.alarm_id, alarm)
        assert (alarm.late, alarm.raise_time_ms) == (raised.late, raised.raise_time_ms)
        assert alarm.clear_time_ms is None or alarm.clear_time_ms >= alarm.raise_time_ms


@every_rule
def test_a_cleared_alarm_is_told_once(rule: Rule) -> None:
    cleared = [alarm.alarm_id for alarm in run(rule, journey()).told if alarm.clear_time_ms is not None]
    assert len(cleared) == len(set(cleared)) > 0


@every_rule
def test_evidence_is_there_and_bounded(rule: Rule) -> None:
    for alarm in run(rule, journey()).told:
        assert 1 <= len(alarm.evidence) <= EVIDENCE_COUNT_MAX


@every_rule
def test_thousands_of_vehicles_come_to_what_each_alone_comes_to(rule: Rule) -> None:
    few = run(rule, journey(20))
    many = [
        joined([replace(positions, vehicle_ids=positions.vehicle_ids + 20 * copy) for copy in range(30)])
        for positions in journey(20)
    ]
    assert len(run(rule, many).told) == 30 * len(few.told)
