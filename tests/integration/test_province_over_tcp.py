"""A simulated province over real TCP: 2,000 terminals, thirty simulated minutes, damaged and repeated frames."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import grpc
import numpy as np
import pytest
from xiangtong.tracking.v1 import fences_pb2, tracking_service_pb2
from xiangtong.tracking.v1.tracking_service_pb2_grpc import TrackingServiceStub

from bench.stack import Stack
from common.clock import SystemClock
from common.infra.event_logs import open_log
from common.infra.log import EventLog, TopicPartition
from services.vehicle_tracking.convert.positions import decode
from services.vehicle_tracking.domain.topics import POSITIONS
from services.vehicle_tracking.settings import TrackingSettings
from simulation.drive import Pace, drive
from simulation.fences import ensure_fences
from simulation.fleet import Behaviour, Fleet, Reports, joined
from simulation.province import province
from simulation.register import cars, import_cars
from simulation.terminals import Counts, Terminals
from simulation.truth import Subject, TrueAlarm, true_alarms

SEED, VEHICLES, MINUTES, SPEED_UP = 7, 2000, 30.0, 20.0
BEHAVIOUR = Behaviour(activity=4.0, duplicates=0.01, late_uploaders=0.1)
WAIT_S = 60.0
RULES = (
    "fence_enter",
    "fence_exit",
    "fence_cross",
    "overspeed",
    "terminal",
)  # silences are shorter here than they seem

pytestmark = [
    pytest.mark.enable_socket,
    pytest.mark.services("postgres", "redis"),
    pytest.mark.slow,
    pytest.mark.timeout(600),
]


class NotedFleet(Fleet):
    """A fleet whose reports are kept."""

    said: list[Reports]

    def step(self) -> Reports:
        reports = super().step()
        self.said.append(reports)
        return reports


@dataclass(frozen=True)
class Driven:
    """What the terminals counted, what was stored, and the alarms by what tells them apart."""

    counts: Counts
    stored_count: int
    rejections: float
    raised: dict[tuple[Any, ...], tuple[Any, ...]]
    true: dict[tuple[Any, ...], tuple[Any, ...]]


@pytest.fixture(scope="module")
def driven(postgres_url: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driven]:
    servers = {"XIANGTONG_POSTGRES": postgres_url, "XIANGTONG_REDIS": redis_url}
    folder, land = tmp_path_factory.mktemp("stack"), province(SEED)
    start_ms = SystemClock().now_ms() - round(MINUTES * 60_000 * (1 - 1 / SPEED_UP))
    fleet = NotedFleet(land, VEHICLES, seed=SEED, start_ms=start_ms, behaviour=BEHAVIOUR)
    fleet.said = []
    fleet_cars = cars(fleet.kinds.tolist(), fleet.region_codes, seed=SEED)
    with (
        Stack(folder, servers, {}, ("tracking-engine", "tracking-api", "tracking-access")) as stack,
        grpc.insecure_channel(stack.api, [("grpc.max_receive_message_length", -1)]) as channel,
    ):
        ids = [vehicle_id for part in import_cars(channel, fleet_cars) for vehicle_id in part]
        ensure_fences(channel, land)
        tracking = TrackingServiceStub(channel)
        drawn = list(tracking.ListFences(tracking_service_pb2.ListFencesRequest(page_size=1000)).fences)
        time.sleep(1.0)  # within which a new fence is in force
        host, port = stack.access.split(":")
        counts = asyncio.run(_driven(fleet, fleet_cars, host, int(port)))
        log = open_log(TrackingSettings(postgres=postgres_url))
        try:
            reports, received = _arrived(log, joined(fleet.said), ids)
        finally:
            log.close()
        _caught_up(stack, len(reports))
        subjects = [
            Subject(vehicle_id, car.kind, car.speed_kmh_max) for vehicle_id, car in zip(ids, fleet_cars, strict=True)
        ]
        true = true_alarms(reports, received, subjects, drawn, end_ms=int(received.max()))
        yield Driven(
            counts=counts,
            stored_count=len(reports),
            rejections=stack.metric("tracking-access", "xiangtong_rejections_total"),
            raised=_raised(tracking),
            true={alarm.key: _told(alarm) for alarm in true if alarm.rule in RULES},
        )


async def _driven(fleet: Fleet, fleet_cars: list[Any], host: str, port: int) -> Counts:
    async with Terminals(host, port, seed=SEED) as terminals:
        pace = Pace(SPEED_UP, MINUTES, damaged_share=0.01)
        await drive(fleet, fleet_cars, terminals, pace=pace, stop=asyncio.Event())
        return terminals.counts


def _arrived(log: EventLog, said: Reports, ids: list[int]) -> tuple[Reports, np.ndarray[Any, np.dtype[np.int64]]]:
    """What was said in the order in which it became durable, and when that was: the log's order, the fleet's words."""
    order: list[tuple[int, int, int]] = []
    for partition in range(TrackingSettings().partition_count):
        place = TopicPartition(POSITIONS, partition)
        offset = 0
        while records := log.read(place, offset):
            offset = records[-1].offset + 1
            for record in records:
                batch = decode(record.value)
                times = [batch.received_time_ms] * len(batch)
                order += zip(times, batch.vehicle_ids.tolist(), batch.fix_times_ms.tolist(), strict=True)
    order.sort(key=lambda row: row[0])  # stable: within a vehicle the log's order
    index_of = {vehicle_id: index for index, vehicle_id in enumerate(ids)}
    rows = {(v, t): n for n, (v, t) in enumerate(zip(said.vehicles.tolist(), said.fix_times_ms.tolist(), strict=True))}
    chosen = np.array([rows[index_of[vehicle_id], fix_ms] for _, vehicle_id, fix_ms in order], np.int64)
    return said.take(chosen), np.array([received_ms for received_ms, _, _ in order], np.int64)


def _caught_up(stack: Stack, count: int) -> None:
    deadline_s = time.monotonic() + WAIT_S
    while stack.metric("tracking-engine", "xiangtong_engine_positions_total") < count:
        assert time.monotonic() < deadline_s, "the engine does not catch up"
        time.sleep(0.2)
    time.sleep(1.0)  # what the last positions raised is stored


def _raised(tracking: Any) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    found, request = {}, tracking_service_pb2.ListAlarmsRequest(page_size=1000)
    request.filter.rules.extend(RULES)
    while True:
        page = tracking.ListAlarms(request)
        for alarm in page.alarms:
            fence_id = 0 if alarm.rule == "overspeed" else alarm.fence_id
            subject = round(alarm.measured_value) if alarm.rule == "terminal" else 0
            key = (alarm.rule, alarm.vehicle_id, fence_id, subject, alarm.raise_time.ToMilliseconds())
            cleared = alarm.clear_time.ToMilliseconds() if alarm.HasField("clear_time") else None
            found[key] = (cleared, alarm.level, alarm.late)
        request.page_token = page.next_page_token
        if not request.page_token:
            return found


def _told(alarm: TrueAlarm) -> tuple[int | None, int, bool]:
    return alarm.clear_time_ms, alarm.level or fences_pb2.ALARM_LEVEL_MEDIUM, alarm.late


def test_every_report_was_acknowledged_and_every_damaged_frame_counted(driven: Driven) -> None:
    assert driven.counts.positions_acknowledged == driven.counts.positions_reported
    assert driven.stored_count >= driven.counts.positions_acknowledged > VEHICLES * MINUTES / 2
    assert driven.rejections == driven.counts.frames_damaged > 0


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_raises_every_true_alarm_and_no_other_over_tcp(rule: str, driven: Driven) -> None:
    raised = {key for key in driven.raised if key[0] == rule}
    true = {key for key in driven.true if key[0] == rule}
    hits = len(raised & true)
    recall, precision = hits / max(1, len(true)), hits / max(1, len(raised))
    sys.stdout.write(f"\n{rule}: {len(true)} true, recall {recall:.4f}, precision {precision:.4f}\n")
    assert len(true) > 0
    assert sorted(true - raised) == [], "missed"
    assert sorted(raised - true) == [], "false"


def test_alarms_end_when_they_ought_to_over_tcp(driven: Driven) -> None:
    differing = {k: (driven.raised[k], told) for k, told in driven.true.items() if driven.raised.get(k, told) != told}
    assert differing == {}
