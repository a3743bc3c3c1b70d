"""A province of millions for path-grpc: its register, its fences, and requests of positions at the cost of a copy."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import psycopg
from xiangtong.tracking.v1 import position_ingest_service_pb2 as pb

from bench.fence_province import Roads, coordinates, fences_of, roads_of
from common.infra.postgres import open_pool
from services.vehicle_tracking.adapters.changes import change
from services.vehicle_tracking.adapters.fences import add_fence
from services.vehicle_tracking.convert.positions import encode
from services.vehicle_tracking.domain.fences import Fence, FenceTrigger
from services.vehicle_tracking.domain.positions import Int32s, Int64s, batch
from services.vehicle_tracking.domain.vehicles import VehicleKind

FIX_INTERVAL_S = 30
ROUNDS = 4  # places of every vehicle 30 s apart, driven forth and back
FENCES = 10_000
ALARMING_SHARE, LIMITING_SHARE = 0.001, 0.02  # of fences
PROBE_EVERY = 2000  # of a round's vehicles one in so many sends an alarm bit, another one each round
AT_ONCE = 1_000_000
POSITIONED, EMERGENCY = 2, 1
_TAG = pb.IngestPositionsRequest.DESCRIPTOR.fields_by_name["positions"].number << 3 | 2

_REGISTER = """
INSERT INTO vehicles (vehicle_id, plate, plate_colour, kind, region_code, change_sequence)
SELECT nextval('vehicle_id_sequence'), '湘T' || n, 2, 1 + n %% %s, '430100', nextval('change_sequence')
FROM generate_series(1, %s) AS n
"""


@dataclass(frozen=True)
class Fleet:
    """Vehicles in the order they report in each round: `vehicle_ids`, `speeds_01kmh` (n,); `longitudes_e7`,
    `latitudes_e7` (ROUNDS, n)."""

    vehicle_ids: Int64s
    speeds_01kmh: Int32s
    longitudes_e7: Int32s
    latitudes_e7: Int32s

    def __len__(self) -> int:
        return len(self.vehicle_ids)

    def request(self, turn: int, rows: slice) -> tuple[bytes, list[tuple[int, int]]]:
        """An IngestPositionsRequest of these vehicles in round `turn`, with vehicle and fix time of each alarm bit in
        it that was not set before."""
        now_ms = time.time_ns() // 1_000_000
        there = min(turn % (2 * ROUNDS - 2), -turn % (2 * ROUNDS - 2))
        vehicle_ids = self.vehicle_ids[rows]
        calling = (np.arange(rows.start, rows.start + len(vehicle_ids)) + turn) % PROBE_EVERY == 0
        body = encode(
            batch(
                now_ms,
                vehicle_ids=vehicle_ids,
                fix_times_ms=np.full(len(vehicle_ids), now_ms),
                longitudes_e7=self.longitudes_e7[there, rows],
                latitudes_e7=self.latitudes_e7[there, rows],
                speeds_01kmh=self.speeds_01kmh[rows],
                alarm_words=np.where(calling, EMERGENCY, 0),
                status_words=np.full(len(vehicle_ids), POSITIONED),
            )
        )
        probes = [(vehicle_id, now_ms) for vehicle_id in vehicle_ids[calling].tolist()]
        return bytes([_TAG]) + _varint(len(body)) + body, probes


def fleet_of(rng: np.random.Generator, roads: Roads, count: int) -> Fleet:
    """Vehicles on the roads, each at its own speed. Ids are what `registered` gives on an empty register."""
    road = rng.choice(len(roads.lengths_m), count, p=roads.lengths_m / roads.lengths_m.sum())
    marks = roads.starts_m[road] + rng.uniform(0, roads.lengths_m[road])
    ends = roads.starts_m[road] + roads.lengths_m[road]
    speeds_ms = rng.uniform(2, 20, count).astype(np.float32)
    longitudes_e7, latitudes_e7 = np.empty((ROUNDS, count), np.int32), np.empty((ROUNDS, count), np.int32)
    for turn in range(ROUNDS):
        for start in range(0, count, AT_ONCE):
            some = slice(start, start + AT_ONCE)
            there = np.minimum(marks[some] + turn * FIX_INTERVAL_S * speeds_ms[some], ends[some])
            longitudes_e7[turn, some], latitudes_e7[turn, some] = coordinates(roads.places(there))
    order = rng.permutation(count).astype(np.int64)
    return Fleet(order + 1, np.rint(speeds_ms * 36).astype(np.int32), longitudes_e7, latitudes_e7)


def registered(url: str, *, seed: int, count: int) -> Fleet:
    """Put fences and `count` vehicles into the empty database `url`."""
    rng = np.random.default_rng(seed)
    roads = roads_of(rng)
    with psycopg.connect(url) as connection:
        connection.execute(_REGISTER, (len(VehicleKind), count))
    pool = open_pool(url)
    with change(pool, "bench") as writing:
        for fence in alarming(rng, fences_of(rng, roads, FENCES)):
            add_fence(writing, fence)
    pool.close()
    return fleet_of(rng, roads, count)


def alarming(rng: np.random.Generator, fences: Sequence[Fence]) -> list[Fence]:
    """The same fences, of which a few raise alarms and a few limit speed; all are entered and left."""
    chance = rng.random((len(fences), 2)).tolist()
    return [
        replace(
            fence,
            triggers=tuple(FenceTrigger) if alarm < ALARMING_SHARE else (),
            speed_kmh_max=80 if limit < LIMITING_SHARE else 0,
        )
        for fence, (alarm, limit) in zip(fences, chance, strict=True)
    ]


def single(fleet: Fleet, row: int) -> bytes:
    """A request of one position."""
    return fleet.request(0, slice(row, row + 1))[0]


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])
