"""The engine's flow with the real rules, wherever it crashes."""

from __future__ import annotations

import random
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest

from services.vehicle_tracking.adapters.fence_changes import RuleChanges
from services.vehicle_tracking.adapters.rules import EngineRules
from services.vehicle_tracking.convert.positions import encode
from services.vehicle_tracking.domain.alarms.alarm import Alarm
from services.vehicle_tracking.domain.fences import FenceTrigger
from services.vehicle_tracking.domain.positions import PositionBatch, batch
from services.vehicle_tracking.domain.vehicle_columns import vehicle_rows
from services.vehicle_tracking.domain.vehicles import Vehicle, VehicleKind
from services.vehicle_tracking.flows.ports import Rules
from services.vehicle_tracking.settings import TrackingSettings
from tests.vehicle_tracking.engine_tables import box
from tests.vehicle_tracking.engine_world import PARTITION_COUNT, Crash, World

VEHICLES = 40
ROUNDS = 30
ROUND_MS = 20_000
EFFECTS = ("claim", "store", "publish", "archive", "archived", "checkpoint", "checkpointed")


class Given:
    """The fences and vehicles that there are."""

    def take(self) -> RuleChanges:
        fence = box(7, 112.02, 27, 112.05, 29, triggers=tuple(FenceTrigger), speed_kmh_max=60, dwell_ms=10_000)
        vehicle = Vehicle(1, "湘A00001", 2, VehicleKind.COACH)
        return RuleChanges(fences={7: fence}, vehicles=[vehicle_rows([vehicle])])


def rounds(start_ms: int) -> list[PositionBatch]:
    """What arrives together: everybody drives east, at speeds and with alarm words that change now and then."""
    chance = np.random.default_rng(7)
    ids = np.arange(1, VEHICLES + 1)
    return [
        batch(
            start_ms + n * ROUND_MS + 1000,
            vehicle_ids=ids,
            fix_times_ms=start_ms + n * ROUND_MS - 100 * ids,
            longitudes_e7=1_120_000_000 + n * 40_000 - ids * 3000,
            latitudes_e7=np.full(VEHICLES, 280_000_000),
            speeds_01kmh=np.where(ids % 3, 600, 1250) + chance.integers(0, 50, VEHICLES),
            alarm_words=np.where((n + ids) % 10 < 3, 1 << ids % 31, 0),
            status_words=np.where((n + ids) % 17 == 0, 0, 2),
        )
        for n in range(ROUNDS)
    ]


def outcome(*, seed: int | None = None) -> tuple[dict[str, Alarm], list[tuple[int, int]]]:
    """Alarms and archived positions of a run whose process dies now and then, by a seed."""
    world, chance = World(), random.Random(seed)
    engine_rules = EngineRules(Given(), TrackingSettings(partition_count=PARTITION_COUNT))
    rules: Rules = engine_rules
    world.clock.advance(-world.clock.now_ms() % 1000)
    process = world.engine(rules=rules)
    for positions in rounds(world.clock.now_ms()):
        for partition in range(PARTITION_COUNT):
            world.append(partition, encode(positions.take(positions.vehicle_ids % PARTITION_COUNT == partition)))
        for _ in range(ROUND_MS // 2000):
            world.clock.advance(1000)
            if seed is not None and chance.random() < 0.1:
                world.crash_at = chance.choice(EFFECTS)
            with suppress(Crash):
                process.run(1)
                continue
            process = world.engine(rules=rules)
    world.crash_at = ""
    process.run(700)
    engine_rules.close()
    return {key: replace(alarm, create_time_ms=0) for key, alarm in world.alarms.items()}, world.archived()


def test_every_rule_speaks_in_an_undisturbed_run() -> None:
    alarms, archived = outcome()
    assert {alarm.rule for alarm in alarms.values()} >= {"overspeed", "terminal", "offline"}
    assert len(archived) == VEHICLES * ROUNDS


@pytest.mark.parametrize("seed", range(4))
def test_crashes_change_no_alarm_and_no_track(seed: int) -> None:
    assert outcome(seed=seed) == outcome()
