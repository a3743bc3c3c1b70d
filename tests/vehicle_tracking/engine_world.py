"""What the engine's flow stands on, in memory: it outlives the engine, and can crash it at any effect."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np

from common.clock import ManualClock
from common.errors import NotAllowedNow, NotFound, Unavailable
from common.infra.log import GroupCallbacks, NewRecord, Record, TopicPartition
from services.vehicle_tracking.convert.positions import encode
from services.vehicle_tracking.domain.alarms.alarm import Alarm
from services.vehicle_tracking.domain.fences import AlarmLevel
from services.vehicle_tracking.domain.judgement import Judgement
from services.vehicle_tracking.domain.positions import PositionBatch, batch
from services.vehicle_tracking.flows.engine import Engine
from services.vehicle_tracking.flows.ports import EngineSettings, Part, Rules, Stores
from tests.vehicle_tracking.memory_log import MemoryLog

PARTITION_COUNT = 2
FAST_01KMH = 1000
SETTINGS = EngineSettings(PARTITION_COUNT, 1, 10.0, 1000, 0.2)
Given = TypeVar("Given")


class Crash(BaseException):
    """The process ends here."""


@dataclass(frozen=True)
class Claimed:
    path: str
    next_offset: int
    epoch: int


class FastRule:
    """Raises an alarm at a vehicle's first fix above 100 km/h, clears it at the first below; silent vehicles: tick."""

    def refresh(self) -> None:
        pass

    def start(self, partition: int, saved: bytes | None) -> Any:
        return {int(key): value for key, value in json.loads(saved or b"{}").items()}

    def saved(self, state: Any) -> bytes:
        return json.dumps(state).encode()

    def step(self, state: Any, positions: PositionBatch) -> Judgement:
        alarms = []
        columns = (positions.vehicle_ids, positions.fix_times_ms, positions.speeds_01kmh)
        for vehicle_id, time_ms, speed in zip(*(column.tolist() for column in columns), strict=True):
            if speed > FAST_01KMH and vehicle_id not in state:
                state[vehicle_id] = time_ms
                alarms.append(Alarm("overspeed", vehicle_id, time_ms, AlarmLevel.LOW))
            elif speed <= FAST_01KMH and vehicle_id in state:
                raised = Alarm("overspeed", vehicle_id, state.pop(vehicle_id), AlarmLevel.LOW)
                alarms.append(replace(raised, clear_time_ms=time_ms))
        return Judgement(alarms, np.zeros(len(positions), np.int32), np.ones(len(positions), np.bool_))

    def tick(self, state: Any, now_ms: int) -> Sequence[Alarm]:
        return []


class DirectWriter:
    """Writes at once."""

    def submit(self, effect: Callable[[], None]) -> Future[None]:
        future: Future[None] = Future()
        try:
            future.set_result(self.insist(effect))
        except Exception as error:
            future.set_exception(error)
        return future

    def insist(self, effect: Callable[[], Given], *, attempts_max: int | None = None) -> Given:
        for _ in range(attempts_max or 1000):
            try:
                return effect()
            except Unavailable:
                continue
        raise Unavailable("AWAY", "gave up")

    def wait(self, delay_s: float) -> None:
        pass


@dataclass
class World:
    """Everything durable. `crash_at`: the effect at which the engine dies, once. `away`: how many more times each
    effect is refused."""

    clock: ManualClock = field(default_factory=lambda: ManualClock(1_700_000_000_000))
    log: MemoryLog = field(default_factory=MemoryLog)
    alarms: dict[str, Alarm] = field(default_factory=dict)
    published: list[bytes] = field(default_factory=list)
    files: dict[tuple[TopicPartition, int], Part] = field(default_factory=dict)
    saved: dict[TopicPartition, Claimed] = field(default_factory=dict)
    states: dict[str, bytes] = field(default_factory=dict)
    buried: list[tuple[int, str]] = field(default_factory=list)
    latest: dict[int, int] = field(default_factory=dict)
    effects: list[str] = field(default_factory=list)
    crash_at: str = ""
    away: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.log.partition_counts["positions"] = PARTITION_COUNT

    def effect(self, name: str) -> None:
        """Note an effect, or refuse it, or die."""
        if self.away[name] > 0:
            self.away[name] -= 1
            raise Unavailable("AWAY", f"{name} is away")
        self.effects.append(name)
        if name == self.crash_at:
            self.crash_at = ""
            raise Crash(name)

    def engine(self, settings: EngineSettings = SETTINGS, *, rules: Rules | None = None) -> Process:
        """A new process."""
        return Process(self, settings, rules or FastRule())

    def send(self, *fixes: tuple[int, int, int]) -> None:
        """Append one record a fix: vehicle, second, km/h."""
        for vehicle_id, second, speed_kmh in fixes:
            positions = batch(
                self.clock.now_ms(),
                vehicle_ids=[vehicle_id],
                fix_times_ms=[second * 1000],
                speeds_01kmh=[speed_kmh * 10],
            )
            self.append(vehicle_id % PARTITION_COUNT, encode(positions))

    def append(self, partition: int, value: bytes) -> None:
        """Append any record."""
        self.log.producer().append([NewRecord("positions", partition, value)])

    def archived(self) -> list[tuple[int, int]]:
        """Vehicle and second of every position in the files of the manifest."""
        batches = [positions for part in self.files.values() for positions in part.batches]
        return sorted(
            (vehicle_id, time_ms // 1000)
            for positions in batches
            for vehicle_id, time_ms in zip(positions.vehicle_ids.tolist(), positions.fix_times_ms.tolist(), strict=True)
        )

    def spans(self) -> list[tuple[int, int | None]]:
        """Raise and clear second of every alarm."""
        return sorted(
            (a.raise_time_ms // 1000, None if a.clear_time_ms is None else a.clear_time_ms // 1000)
            for a in self.alarms.values()
        )

    # What the engine calls.

    def store(self, alarms: Sequence[Alarm]) -> list[tuple[int, bytes]]:
        self.effect("store")
        for alarm in alarms:
            known = self.alarms.get(alarm.alarm_id)
            if known is None or known.clear_time_ms is None:
                self.alarms[alarm.alarm_id] = alarm
        return [(alarm.vehicle_id, alarm.alarm_id.encode()) for alarm in alarms]

    def publish(self, messages: Sequence[tuple[int, bytes]]) -> None:
        self.effect("publish")
        self.published += [message for _, message in messages]

    def write(self, part: Part) -> None:
        self.effect("archive")
        if self.saved[part.place].epoch != part.epoch:
            raise NotAllowedNow("PARTITION_LOST", "another owner")
        for key in [
            key for key in self.files if key[0] == part.place and part.start_offset <= key[1] < part.end_offset
        ]:
            del self.files[key]
        self.files[part.place, part.start_offset] = part
        self.effect("archived")

    def claim(self, place: TopicPartition, *, oldest_offset: int) -> Claimed:
        self.effect("claim")
        before = self.saved.get(place, Claimed("", oldest_offset, 0))
        self.saved[place] = replace(before, epoch=before.epoch + 1)
        for key in [key for key in self.files if key[0] == place and key[1] >= before.next_offset]:
            del self.files[key]
        return self.saved[place]

    def load(self, path: str) -> bytes:
        self.effect("load")
        if path not in self.states:
            raise NotFound("file", path)
        return self.states[path]

    def save(self, place: TopicPartition, state: Sequence[bytes], *, next_offset: int, epoch: int) -> None:
        self.effect("checkpoint")
        if self.saved[place].epoch != epoch:
            raise NotAllowedNow("PARTITION_LOST", "another owner")
        path = f"{place.partition}/{next_offset}-{epoch}"
        self.states[path] = b"".join(state)
        self.saved[place] = Claimed(path, next_offset, epoch)
        self.effect("checkpointed")

    def bury(self, records: Sequence[tuple[Record, str]]) -> None:
        self.effect("bury")
        self.buried += [(record.offset, reason) for record, reason in records]


class LiveInMemory:
    """Latest second of each vehicle."""

    def __init__(self, world: World) -> None:
        self._world = world

    def start(self, partition: int, saved: bytes) -> None:
        pass

    def saved(self, partition: int) -> bytes:
        return b""

    def stop(self, partition: int) -> None:
        pass

    def take(self, partition: int, positions: PositionBatch, judged: Judgement) -> None:
        for vehicle_id, time_ms in zip(positions.vehicle_ids.tolist(), positions.fix_times_ms.tolist(), strict=True):
            self._world.latest[vehicle_id] = time_ms // 1000

    def set_offline(self, vehicle_ids: Sequence[int]) -> None:
        pass

    def write_due(self) -> None:
        pass


class Process:
    """One life of the engine."""

    def __init__(self, world: World, settings: EngineSettings, rules: Rules) -> None:
        stores = Stores(
            outlet=world,
            live=LiveInMemory(world),
            tracks=world,
            checkpoints=world,
            bury=world.bury,
            bounds=world.log.bounds,
        )
        self._world = world
        self.engine = Engine(rules, stores, DirectWriter(), world.clock, settings)
        callbacks = GroupCallbacks(self.engine.assigned, self.engine.revoked)
        self.consumer: Any = world.log.consumer("tracking-engine", ["positions"], callbacks)

    def run(self, seconds: int = 1) -> None:
        """Cycle once a second."""
        for _ in range(seconds):
            self._world.clock.advance(1000)
            self.engine.cycle(self.consumer)

    def stop(self) -> None:
        """End in good order."""
        self.consumer.close()
