"""A simulated province, whose truth is known, through decoder and engine: recall and precision of every rule.

Time is simulated too, so that silences last as long as they should: each second's frames are decoded together and
judged with that second as the time of receiving. The same fleet over real TCP is in tests/integration.
"""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import pytest
from numpy.typing import NDArray
from xiangtong.tracking.v1 import fences_pb2

from services.vehicle_tracking.adapters.fence_changes import RuleChanges
from services.vehicle_tracking.adapters.rules import EngineRules
from services.vehicle_tracking.convert.fences import fence_from
from services.vehicle_tracking.domain.alarms.alarm import Alarm
from services.vehicle_tracking.domain.alarms.rules import RULES
from services.vehicle_tracking.domain.positions import PositionBatch
from services.vehicle_tracking.domain.topics import partitions
from services.vehicle_tracking.domain.vehicle_columns import vehicle_rows
from services.vehicle_tracking.domain.vehicles import Vehicle, VehicleKind
from services.vehicle_tracking.settings import TrackingSettings
from services.vehicle_tracking.terminals.jt808.frames import decode
from services.vehicle_tracking.terminals.jt808.positions import positions
from simulation import frames
from simulation.fences import fences
from simulation.fleet import Behaviour, Fleet, Reports, joined
from simulation.province import province
from simulation.register import Car, cars
from simulation.truth import Subject, TrueAlarm, true_alarms

SEED = 20251125
VEHICLES, MINUTES = 2000, 50  # thirty minutes of silence and what follows need more than thirty minutes
START_MS = 1_764_078_900_000  # 2025-11-25 21:55 in Shanghai: the night limits begin on the way
BEHAVIOUR = Behaviour(activity=5.0, switch_offs=0.4, switch_off_s=(300.0, 2400.0), duplicates=0.01, late_uploaders=0.1)
PARTITION_COUNT = 4

Key = tuple[str, int, int, int, int]
Told = tuple[int | None, int, bool]


class Source:
    """The register and the fences, all of them at once."""

    def __init__(self, changes: RuleChanges) -> None:
        self._changes = changes

    def take(self) -> RuleChanges:
        found, self._changes = self._changes, RuleChanges()
        return found


@dataclass
class Platform:
    """Decoder and engine of every partition."""

    fleet_cars: list[Car]
    rules: EngineRules
    alarms: dict[str, Alarm] = field(default_factory=dict)
    flawed_count: int = 0

    def __post_init__(self) -> None:
        self.states = [self.rules.start(partition, None) for partition in range(PARTITION_COUNT)]
        self.serials = np.zeros(len(self.fleet_cars), np.int64)

    def take(self, reports: Reports, now_ms: int) -> None:
        """One second: the frames of all terminals, decoded in one pass, then judged by partition."""
        links = np.unique(reports.vehicles)
        stream, ends = bytearray(), []
        for vehicle in links.tolist():
            for row in np.flatnonzero(reports.vehicles == vehicle).tolist():
                stream += self._frame(vehicle, reports, row)
            ends.append(len(stream))
        decoded = decode(bytes(stream), np.array(ends, np.int64), np.zeros(len(ends), np.bool_))
        self.flawed_count += len(decoded.rejections)
        batch = positions(decoded, links[decoded.frames["link"]].astype(np.int64) + 1, received_time_ms=now_ms)
        self._judge(batch)
        for state in self.states:
            self._note(list(self.rules.tick(state, now_ms)))

    def _frame(self, vehicle: int, reports: Reports, row: int) -> bytes:
        self.serials[vehicle] += 1
        identity, serial = self.fleet_cars[vehicle].identity, int(self.serials[vehicle]) & 0xFFFF
        if reports.blind[row]:
            body = frames.batch_body([reports.fix(row)], frames.BATCH_BLIND_AREA)
            return frames.frame(identity, frames.LOCATION_BATCH, serial, body)
        return frames.frame(identity, frames.LOCATION, serial, frames.location_body(reports.fix(row)))

    def _judge(self, batch: PositionBatch) -> None:
        owners = partitions(batch.vehicle_ids, PARTITION_COUNT)
        for partition, state in enumerate(self.states):
            part = batch.take(owners == partition)
            if len(part):
                self._note(list(self.rules.step(state, part).alarms))

    def _note(self, alarms: list[Alarm]) -> None:
        for alarm in alarms:
            self.alarms[alarm.alarm_id] = alarm


@dataclass(frozen=True)
class Played:
    """What was raised and what ought to have been, by what tells alarms apart."""

    raised: dict[Key, Told]
    true: dict[Key, Told]
    flawed_count: int
    report_count: int


@pytest.fixture(scope="module")
def played() -> Played:
    land = province(SEED)
    fleet = Fleet(land, VEHICLES, seed=SEED, start_ms=START_MS, behaviour=BEHAVIOUR)
    fleet_cars = cars(fleet.kinds.tolist(), fleet.region_codes, seed=SEED)
    drawn = fences(land)
    for number, fence in enumerate(drawn, 1):
        fence.fence_id = number
    platform = Platform(fleet_cars, EngineRules(Source(known(fleet_cars, drawn)), settings()))
    said: list[Reports] = []
    received: list[NDArray[np.int64]] = []
    for _ in range(MINUTES * 60):
        reports = fleet.step()
        said.append(reports)
        received.append(np.full(len(reports), fleet.now_ms))
        platform.take(reports, fleet.now_ms)
    subjects = [Subject(n + 1, car.kind, car.speed_kmh_max) for n, car in enumerate(fleet_cars)]
    true = true_alarms(joined(said), np.concatenate(received), subjects, drawn, end_ms=fleet.now_ms)
    return Played(
        raised={key(alarm): told(alarm) for alarm in platform.alarms.values()},
        true={alarm.key: told(alarm) for alarm in true},
        flawed_count=platform.flawed_count,
        report_count=sum(map(len, said)),
    )


def settings() -> TrackingSettings:
    return TrackingSettings(partition_count=PARTITION_COUNT)


def known(fleet_cars: list[Car], drawn: list[fences_pb2.Fence]) -> RuleChanges:
    vehicles = [
        Vehicle(
            vehicle_id=n + 1,
            plate=car.identity.plate,
            plate_colour=car.identity.plate_colour,
            kind=VehicleKind(int(car.kind)),
            speed_kmh_max=car.speed_kmh_max,
        )
        for n, car in enumerate(fleet_cars)
    ]
    return RuleChanges(
        fences={fence.fence_id: fence_from(fence) for fence in drawn},
        vehicles=[vehicle_rows(vehicles)],
    )


def key(alarm: Alarm) -> Key:
    fence_id = 0 if alarm.rule == "overspeed" else alarm.fence_id
    return alarm.rule, alarm.vehicle_id, fence_id, alarm.subject, alarm.raise_time_ms


def told(alarm: Alarm | TrueAlarm) -> Told:
    return alarm.clear_time_ms, int(alarm.level), alarm.late


def test_every_frame_of_the_fleet_was_decoded(played: Played) -> None:
    assert played.flawed_count == 0
    assert played.report_count > VEHICLES * MINUTES


@pytest.mark.parametrize("rule", [name for rule in RULES for name in rule.names])
def test_a_rule_raises_every_true_alarm_and_no_other(rule: str, played: Played) -> None:
    raised = {key for key in played.raised if key[0] == rule}
    true = {key for key in played.true if key[0] == rule}
    hits = len(raised & true)
    recall, precision = hits / max(1, len(true)), hits / max(1, len(raised))
    sys.stdout.write(f"\n{rule}: {len(true)} true, recall {recall:.4f}, precision {precision:.4f}\n")
    assert len(true) >= 5, "the province did not put this rule to the test"
    assert sorted(true - raised) == [], "missed"
    assert sorted(raised - true) == [], "false"


def test_alarms_end_when_they_ought_to_and_are_as_grave_and_as_late(played: Played) -> None:
    differing = {
        key: (played.raised[key], told) for key, told in played.true.items() if played.raised.get(key, told) != told
    }
    assert differing == {}


def test_no_rule_is_judged_that_truth_knows_nothing_of(played: Played) -> None:
    assert set(Counter(key[0] for key in played.raised)) <= {name for rule in RULES for name in rule.names}
