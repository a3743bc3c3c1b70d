"""scaling: the engine at 1/10 and ×10 vehicles and fences, and the whole path at 1/10 and ×10 vehicles."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import grpc
import numpy as np

from bench.fence_province import fences_of, roads_of
from bench.path_batches import FIX_INTERVAL_S, ROUNDS, Fleet, alarming, fleet_of
from bench.path_grpc import Turns, running, send
from bench.processor import Processor
from bench.results import Result
from services.vehicle_tracking.adapters.rules import rule_settings
from services.vehicle_tracking.domain import engine
from services.vehicle_tracking.domain.fence_set import FenceSet, fence_set
from services.vehicle_tracking.domain.positions import PositionBatch, batch
from services.vehicle_tracking.domain.vehicle_columns import VehicleColumns
from services.vehicle_tracking.domain.vehicles import Vehicle, VehicleKind
from services.vehicle_tracking.domain.warm_up import warm_up
from services.vehicle_tracking.settings import TrackingSettings

SEED = 27
FENCES, VEHICLES = (1_000, 10_000, 100_000), (10_000, 100_000, 1_000_000)
START_MS = 1_767_240_000_000
PARTITIONS = TrackingSettings().partition_count
RECORD = 2_500  # positions: what a call of 20,000 brings to a partition
SETTINGS = rule_settings(TrackingSettings())
PATH_WARM_S, PATH_S = 4.0, 12.0
CALLS_S = 10  # a second
REPEATED_VEHICLES = 500_000  # short rounds are repeated until so many were judged
TARGET = 1.0


def run() -> list[Result]:
    """The worst growth of time against n log n, of the engine and of the path."""
    return [_engine(), _path()]


def growth(counts: tuple[int, ...], costs: list[float]) -> float:
    """The worst of cost's growth from one count to the next, divided by the growth of n log n."""
    n = np.array(counts, np.float64)
    steps = np.array(costs)[1:] / np.array(costs)[:-1]
    return float((steps / ((n * np.log(n))[1:] / (n * np.log(n))[:-1])).max())


def _engine() -> Result:
    rng = np.random.default_rng(SEED)
    roads = roads_of(rng)
    warm_up(SETTINGS)
    listed = alarming(rng, fences_of(rng, roads, FENCES[-1]))
    sets = {count: fence_set(listed[:count]) for count in FENCES}
    fleets = {count: fleet_of(rng, roads, count) for count in VEHICLES}
    seconds = {
        (fences, vehicles): _round_s(sets[fences], fleets[vehicles])
        for fences, vehicles in {*((FENCES[1], n) for n in VEHICLES), *((n, VEHICLES[1]) for n in FENCES)}
        | {(FENCES[0], VEHICLES[0]), (FENCES[-1], VEHICLES[-1])}
    }
    by_vehicles = growth(VEHICLES, [seconds[FENCES[1], n] for n in VEHICLES])
    by_fences = growth(FENCES, [seconds[n, VEHICLES[1]] for n in FENCES])
    table = "; ".join(
        f"{fences:,} fences, {vehicles:,} vehicles: {1e6 * cost / vehicles:.2f} µs"
        for (fences, vehicles), cost in sorted(seconds.items())
    )
    return Result(
        slug="scaling",
        figure=max(by_vehicles, by_fences),
        unit="of n log n",
        target=f"<= {TARGET:g}",
        met=max(by_vehicles, by_fences) <= TARGET,
        note=f"a position costs with {table}; bounded by memory that no cache holds, and by how many fences hold a fix",
        spread=(min(by_vehicles, by_fences), max(by_vehicles, by_fences)),
    )


def _round_s(fences: FenceSet, fleet: Fleet) -> float:
    """Seconds of one core to judge a fix of every vehicle: the median of the rounds."""
    vehicles = VehicleColumns(PARTITIONS)
    vehicles.change([Vehicle(n, "", 2, VehicleKind(1 + n % len(VehicleKind))) for n in range(1, len(fleet) + 1)])
    known = engine.Known(SETTINGS, PARTITIONS, fences, vehicles)
    rounds, costs = [list(_records(fleet, turn)) for turn in range(ROUNDS)], []
    for _ in range(max(1, REPEATED_VEHICLES // len(fleet))):
        states = [engine.start(partition) for partition in range(PARTITIONS)]
        for records in rounds:
            begin_s = time.process_time()
            for partition, positions in records:
                engine.step(states[partition], positions, known)
            costs.append(time.process_time() - begin_s)
        del costs[-ROUNDS]  # the first round makes room for all vehicles
    return median(costs)


def _records(fleet: Fleet, turn: int) -> Iterator[tuple[int, PositionBatch]]:
    partitions = fleet.vehicle_ids % PARTITIONS
    fix_times_ms = START_MS + np.arange(len(fleet)) * (1000 * FIX_INTERVAL_S) // len(fleet)
    for start in range(0, len(fleet), RECORD * PARTITIONS):
        for partition in range(PARTITIONS):
            rows = start + np.flatnonzero(partitions[start : start + RECORD * PARTITIONS] == partition)
            times_ms = fix_times_ms[rows] + turn * 1000 * FIX_INTERVAL_S
            yield (
                partition,
                batch(
                    int(times_ms.max(initial=START_MS)) + 100,
                    vehicle_ids=fleet.vehicle_ids[rows],
                    fix_times_ms=times_ms,
                    longitudes_e7=fleet.longitudes_e7[turn, rows],
                    latitudes_e7=fleet.latitudes_e7[turn, rows],
                    speeds_01kmh=fleet.speeds_01kmh[rows],
                    status_words=np.full(len(rows), 2),
                ),
            )


def _path() -> Result:
    """Each vehicle sends every 30 s, so work and vehicles grow alike."""
    shares = [_path_share(count) for count in VEHICLES]
    worst = growth(VEHICLES, shares)
    table = "; ".join(
        f"{count:,} vehicles ({count // FIX_INTERVAL_S:,}/s): {share:.0f} % of a core"
        for count, share in zip(VEHICLES, shares, strict=True)
    )
    return Result(
        slug="scaling-path",
        figure=worst,
        unit="of n log n",
        target=f"<= {TARGET:g}",
        met=worst <= TARGET,
        note=f"all processes but the load: {table}; the smallest is what a platform costs that has little to do",
    )


def _path_share(vehicle_count: int) -> float:
    with (
        tempfile.TemporaryDirectory(prefix="xiangtong-path-") as folder,
        running(Path(folder), vehicle_count) as (
            stack,
            fleet,
        ),
        grpc.insecure_channel(stack.ingest) as channel,
    ):
        turns, rate = Turns(fleet), vehicle_count / FIX_INTERVAL_S
        size = max(1, round(rate / CALLS_S))
        send(channel, turns, rate=rate, seconds=PATH_WARM_S, batch_size=size)
        processor = Processor(stack)
        load = send(channel, turns, rate=rate, seconds=PATH_S, batch_size=size)
        taken = processor.taken()
        assert not load.errors, f"not carried: {load.errors[0]}"
    return sum(share for name, share in taken.items() if name != "load")
