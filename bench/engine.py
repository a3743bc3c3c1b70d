"""engine: fences and every rule, a step after the other, against one that judges position after position."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from bench.engine_plain import LIMITS_KMH, Key, PlainEngine
from bench.fence_province import Roads, coordinates, fences_of, roads_of
from bench.results import Result, repeated
from services.vehicle_tracking.adapters.rules import rule_settings
from services.vehicle_tracking.domain import engine
from services.vehicle_tracking.domain.alarms.alarm import Alarm
from services.vehicle_tracking.domain.fence_set import FenceSet, fence_set
from services.vehicle_tracking.domain.fences import Fence, FenceTrigger
from services.vehicle_tracking.domain.positions import PositionBatch, batch
from services.vehicle_tracking.domain.vehicle_columns import VehicleColumns
from services.vehicle_tracking.domain.vehicles import Vehicle, VehicleKind
from services.vehicle_tracking.domain.warm_up import warm_up
from services.vehicle_tracking.settings import TrackingSettings

FENCE_COUNT, VEHICLE_COUNT, ROUNDS = 10_000, 100_000, 12
PARTITION_COUNT = TrackingSettings().partition_count
COMPARED_VEHICLES = 1500
FIX_INTERVAL_S, START_MS = 30, 1_767_240_000_000
SMALL_BATCH = 500
ALARMING_SHARE, LIMITING_SHARE = 0.01, 0.02  # of fences
SPEEDING_SHARE, FLAWED_SHARE, SIGNALLING_SHARE = 0.01, 0.005, 0.002  # of vehicles
TARGET_POSITIONS_S, TARGET_BYTES, TARGET_STEP_MS = 1_000_000, 300, 1.0
SETTINGS = rule_settings(TrackingSettings())


def run() -> list[Result]:
    """Positions judged a second on one core, milliseconds of a small step, and bytes of state a vehicle."""
    rng = np.random.default_rng(20240607)
    roads = roads_of(rng)
    fences, rounds = _fences(rng, roads), _rounds(rng, roads)
    known = _known(fence_set(fences))
    warm_up(SETTINGS)
    alarm_count, plain_rate = _equal_or_raise(fences, known, rounds)
    figure, spread = repeated(lambda: VEHICLE_COUNT * len(rounds) / _seconds(known, rounds))
    small_ms, small_spread = repeated(lambda: _small_step_ms(known, rounds))
    size = _size(known, rounds)
    return [
        Result(
            slug="engine",
            figure=figure,
            unit="positions/s a core",
            target=f">= {TARGET_POSITIONS_S / 1e6:g} M/s",
            met=figure >= TARGET_POSITIONS_S,
            ratio=figure / plain_rate,
            baseline=f"a plain Python engine with equal alarms, {plain_rate:,.0f} positions/s",
            note=f"records of {VEHICLE_COUNT // PARTITION_COUNT:,}; {1000 * alarm_count:.1f} alarms in 1,000 positions;"
            " bounded by fetching cells, sides and rows of state from memory",
            spread=spread,
        ),
        Result(
            slug="engine-step",
            figure=small_ms,
            unit=f"ms a step of {SMALL_BATCH:,}",
            target=f"< {TARGET_STEP_MS:g} ms",
            met=small_ms < TARGET_STEP_MS,
            note="bounded by rows of state that no cache holds, then by some forty calls into numpy and compiled code",
            spread=small_spread,
        ),
        Result(
            slug="engine-state",
            figure=size,
            unit="bytes a vehicle",
            target=f"<= {TARGET_BYTES}",
            met=size <= TARGET_BYTES,
            note="with an eighth of every table to spare",
        ),
    ]


def _fences(rng: np.random.Generator, roads: Roads) -> list[Fence]:
    """Some raise alarms, some limit speed, all are entered and left."""
    chance = rng.random((FENCE_COUNT, 2))
    return [
        replace(
            fence,
            triggers=tuple(FenceTrigger) if alarming < ALARMING_SHARE else (),
            speed_kmh_max=80 if limiting < LIMITING_SHARE else 0,
        )
        for fence, (alarming, limiting) in zip(fences_of(rng, roads, FENCE_COUNT), chance.tolist(), strict=True)
    ]


def _rounds(rng: np.random.Generator, roads: Roads) -> list[PositionBatch]:
    """One fix of every vehicle, every 30 s: vehicles go along their road and turn at its ends."""
    road = rng.choice(len(roads.lengths_m), VEHICLE_COUNT, p=roads.lengths_m / roads.lengths_m.sum())
    lengths, speeds_ms = roads.lengths_m[road], rng.uniform(5, 29, VEHICLE_COUNT)
    way, order, found = rng.uniform(0, 2 * lengths), rng.permutation(VEHICLE_COUNT), []
    limits_kmh = np.array([LIMITS_KMH[_kind(n)] for n in range(1, VEHICLE_COUNT + 1)])
    hurry = rng.random((VEHICLE_COUNT, 1 + ROUNDS // 4))
    for number in range(ROUNDS):
        fast = hurry[:, number // 4] < SPEEDING_SHARE  # for two minutes
        way = (way + speeds_ms * FIX_INTERVAL_S) % (2 * lengths)
        places = roads.places(roads.starts_m[road] + np.where(way < lengths, way, 2 * lengths - way))
        longitudes_e7, latitudes_e7 = coordinates(places + rng.normal(0, 5, places.shape))
        start_ms = START_MS + number * FIX_INTERVAL_S * 1000
        positions = batch(
            start_ms + FIX_INTERVAL_S * 1000,
            vehicle_ids=np.arange(1, VEHICLE_COUNT + 1),
            fix_times_ms=start_ms + rng.integers(0, 1000 * FIX_INTERVAL_S, VEHICLE_COUNT),
            longitudes_e7=longitudes_e7,
            latitudes_e7=latitudes_e7,
            speeds_01kmh=limits_kmh * rng.uniform(np.where(fast, 10, 4), np.where(fast, 13, 8)),
            alarm_words=np.where(rng.random(VEHICLE_COUNT) < SIGNALLING_SHARE, 1 << 5, 0),
            status_words=np.where(rng.random(VEHICLE_COUNT) < FLAWED_SHARE, 0, 2),
        )
        found.append(positions.take(order))
    return found


def _known(fences: FenceSet) -> engine.Known:
    vehicles = VehicleColumns(PARTITION_COUNT)
    vehicles.change([Vehicle(n, "", 2, _kind(n)) for n in range(1, VEHICLE_COUNT + 1)])
    return engine.Known(SETTINGS, PARTITION_COUNT, fences, vehicles)


def _kind(vehicle_id: int) -> VehicleKind:
    return VehicleKind(1 + vehicle_id % len(VehicleKind))


class _Engine:
    """Every partition in one process."""

    def __init__(self, known: engine.Known) -> None:
        self._known = known
        self._states = [engine.start(partition) for partition in range(PARTITION_COUNT)]

    def take(self, records: Sequence[PositionBatch]) -> list[Alarm]:
        """Judge records, each of one partition."""
        partitions = [int(positions.vehicle_ids[0]) % PARTITION_COUNT for positions in records]
        steps = zip(partitions, records, strict=True)
        judged = [engine.step(self._states[partition], positions, self._known) for partition, positions in steps]
        return [alarm for one in judged for alarm in one.alarms]

    def size(self) -> int:
        """Bytes of state."""
        return sum(map(engine.size, self._states))


def _records(positions: PositionBatch) -> list[PositionBatch]:
    partitions = positions.vehicle_ids % PARTITION_COUNT
    return [positions.take(partitions == partition) for partition in range(PARTITION_COUNT)]


def _seconds(known: engine.Known, rounds: Sequence[PositionBatch]) -> float:
    judges, records = _Engine(known), [_records(positions) for positions in rounds]
    judges.take(records[0])  # the first fixes of all vehicles make room for them
    seconds = _timed(lambda: [judges.take(some) for some in records[1:]])
    return seconds * len(rounds) / (len(rounds) - 1)


def _small_step_ms(known: engine.Known, rounds: Sequence[PositionBatch]) -> float:
    judges = _Engine(known)
    judges.take(_records(rounds[0]))
    parts = [record.take(np.arange(SMALL_BATCH)) for record in _records(rounds[1])]
    return 1000 * _timed(lambda: judges.take(parts)) / len(parts)


def _size(known: engine.Known, rounds: Sequence[PositionBatch]) -> float:
    judges = _Engine(known)
    for positions in rounds:
        judges.take(_records(positions))
    return judges.size() / VEHICLE_COUNT


def _equal_or_raise(fences: list[Fence], known: engine.Known, rounds: Sequence[PositionBatch]) -> tuple[float, float]:
    """Alarms a position, and positions a second of the plain engine."""
    sample = [positions.take(positions.vehicle_ids <= COMPARED_VEHICLES) for positions in rounds]
    judges, alarms = _Engine(known), dict[str, Alarm]()
    for positions in sample:
        alarms |= {alarm.alarm_id: alarm for alarm in judges.take(_records(positions))}
    plain = PlainEngine(fences, [0, *(int(_kind(n)) for n in range(1, VEHICLE_COUNT + 1))], SETTINGS)
    seconds = _timed(lambda: deque(map(plain.take, sample), maxlen=0))
    found = {
        Key(a.rule, a.vehicle_id, a.raise_time_ms, a.fence_id, a.subject): a.clear_time_ms for a in alarms.values()
    }
    if found != plain.alarms:
        raise AssertionError(f"the engines disagree: {sorted(found.items() ^ plain.alarms.items(), key=str)[:4]}")
    count = sum(map(len, sample))
    return len(found) / count, count / seconds


def _timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
