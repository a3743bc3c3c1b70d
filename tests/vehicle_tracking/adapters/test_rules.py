"""The engine with changing fences and vehicles."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from common.metrics import registry
from services.vehicle_tracking.adapters import rules as module
from services.vehicle_tracking.adapters.fence_changes import RuleChanges
from services.vehicle_tracking.adapters.rules import EngineRules
from services.vehicle_tracking.domain.fence_set import FenceSet
from services.vehicle_tracking.domain.fences import Circle, Corridor, Fence
from services.vehicle_tracking.domain.vehicle_columns import vehicle_rows
from services.vehicle_tracking.domain.vehicles import Vehicle, VehicleKind
from services.vehicle_tracking.flows.ports import Rules
from services.vehicle_tracking.settings import TrackingSettings
from tests.vehicle_tracking.engine_tables import box, fixes

SLOW = box(7, 111, 27, 113, 29, speed_kmh_max=30)
SETTINGS = TrackingSettings(partition_count=2)
FAST = "second kmh\n0 50\n30 50"  # vehicle 3, so partition 1


class Changes:
    """A source that a test fills."""

    def __init__(self) -> None:
        self.next = RuleChanges()

    def take(self) -> RuleChanges:
        found, self.next = self.next, RuleChanges()
        return found

    def add(self, *fences: Fence) -> None:
        self.next.fences |= {fence.fence_id: fence for fence in fences}


@pytest.fixture
def source() -> Changes:
    return Changes()


@pytest.fixture
def engine_rules(source: Changes) -> Iterator[EngineRules]:
    opened = EngineRules(source, SETTINGS)
    opened.refresh()
    yield opened
    opened.close()


def alarm_count(engine_rules: EngineRules) -> int:
    return len(engine_rules.step(engine_rules.start(1, None), fixes(FAST)).alarms)


def settle(engine_rules: EngineRules) -> None:
    """Until no index is being built."""
    deadline = time.monotonic() + 30
    while engine_rules._building is not None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
        engine_rules.refresh()


def fence_count(engine_rules: EngineRules) -> int:
    fences = engine_rules._now().fences
    assert isinstance(fences, FenceSet)
    return len(fences)


def scattered(count: int, *, first_id: int = 1000) -> list[Fence]:
    places = np.random.default_rng(5).integers(0, 40_000_000, (count, 2)).tolist()
    return [
        Fence(first_id + n, "", Circle(1_100_000_000 + east, 250_000_000 + north, 300))
        for n, (east, north) in enumerate(places)
    ]


def test_it_is_what_the_flow_calls(engine_rules: EngineRules) -> None:
    rules: Rules = engine_rules
    assert rules.saved(rules.start(0, None))


def test_a_small_change_is_in_force_at_once(engine_rules: EngineRules, source: Changes) -> None:
    assert alarm_count(engine_rules) == 0
    source.add(SLOW)
    engine_rules.refresh()
    assert alarm_count(engine_rules) == 1
    source.add(replace(SLOW, speed_kmh_max=60))
    engine_rules.refresh()
    assert alarm_count(engine_rules) == 0
    source.add(SLOW)
    engine_rules.refresh()
    source.next.removed_fence_ids.add(SLOW.fence_id)
    engine_rules.refresh()
    assert alarm_count(engine_rules) == 0


def test_the_first_fences_are_in_force_before_the_first_batch(source: Changes) -> None:
    source.add(SLOW, *scattered(500))
    engine_rules = EngineRules(source, SETTINGS)
    assert alarm_count(engine_rules) == 1
    engine_rules.close()


def test_a_large_change_is_indexed_beside_the_engine_and_small_ones_meanwhile_survive_it(
    engine_rules: EngineRules, source: Changes, monkeypatch: pytest.MonkeyPatch
) -> None:
    go, build = threading.Event(), module._rebuilt

    def slow(*given: object) -> FenceSet:
        assert go.wait(30)
        return build(*given)  # type: ignore[arg-type]  # passes on what it was called with

    monkeypatch.setattr(module, "_rebuilt", slow)
    source.add(*scattered(500), SLOW)
    engine_rules.refresh()
    assert (fence_count(engine_rules), alarm_count(engine_rules)) == (0, 0)
    source.add(replace(SLOW, speed_kmh_max=60), box(8, 111, 27, 113, 29, speed_kmh_max=40))
    source.next.removed_fence_ids.add(1000)
    engine_rules.refresh()
    assert alarm_count(engine_rules) == 1
    go.set()
    settle(engine_rules)
    assert fence_count(engine_rules) == 501
    (alarm,) = engine_rules.step(engine_rules.start(1, None), fixes(FAST)).alarms
    assert (alarm.fence_id, alarm.limit_value) == (8, 40)


def test_many_small_changes_end_in_one_index(engine_rules: EngineRules, source: Changes) -> None:
    for fence in scattered(100):
        source.add(fence)
        engine_rules.refresh()
    settle(engine_rules)
    fences = engine_rules._now().fences
    assert isinstance(fences, FenceSet)
    assert len(fences) == 100
    assert fences.overlay_count <= 50


def test_a_border_with_many_points_counts_as_a_large_change(engine_rules: EngineRules, source: Changes) -> None:
    places = np.linspace(0, 30_000_000, 20_000).astype(np.int32)
    source.add(Fence(5, "", Corridor(1_120_000_000 + places, 280_000_000 + places, 50)))
    engine_rules.refresh()
    assert fence_count(engine_rules) == 0
    settle(engine_rules)
    assert fence_count(engine_rules) == 1


def test_vehicles_change_their_limits(engine_rules: EngineRules, source: Changes) -> None:
    source.next.vehicles.append(vehicle_rows([Vehicle(3, "湘A00003", 2, VehicleKind.BUS, speed_kmh_max=40)]))
    engine_rules.refresh()
    assert alarm_count(engine_rules) == 1
    source.next.vehicles.append(vehicle_rows([], [3]))
    engine_rules.refresh()
    assert alarm_count(engine_rules) == 0


def test_a_state_goes_on_from_its_bytes_and_silence_is_told(engine_rules: EngineRules, source: Changes) -> None:
    source.next.vehicles.append(vehicle_rows([Vehicle(3, "湘A00003", 2, VehicleKind.BUS)]))
    engine_rules.refresh()
    state = engine_rules.start(1, None)
    engine_rules.step(state, fixes(FAST))
    loaded = engine_rules.start(1, engine_rules.saved(state))
    now_ms = int(fixes(FAST).received_time_ms) + 300_000
    assert [alarm.vehicle_id for alarm in engine_rules.tick(loaded, now_ms)] == [3]


def test_flags_are_counted_by_name(engine_rules: EngineRules) -> None:
    def flagged(flag: str) -> float:
        return registry.get_sample_value("xiangtong_engine_positions_flagged_total", {"flag": flag}) or 0

    def repeated() -> float:
        return registry.get_sample_value("xiangtong_engine_positions_duplicate_total") or 0

    before = (flagged("ALTITUDE"), flagged("NOT_POSITIONED"), repeated())
    engine_rules.step(engine_rules.start(1, None), fixes("second altitude status\n0 9000 0\n1 9000 2\n1 0 2"))
    assert (flagged("ALTITUDE"), flagged("NOT_POSITIONED"), repeated()) == (before[0] + 2, before[1] + 1, before[2] + 1)
