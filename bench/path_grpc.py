"""path-grpc: batches of positions on IngestPositions to alarms on WatchAlarms, through every role."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import numpy as np
from xiangtong.tracking.v1 import position_ingest_service_pb2 as pb

from bench.path_batches import Fleet, registered, single
from bench.path_tcp import AlarmClock
from bench.processor import Processor
from bench.results import Result
from bench.stack import Stack
from common.infra.servers_postgres import EmbeddedPostgres

SEED = 26
VEHICLES = 8_000_000
BATCH = 20_000
RATE, SECONDS = 280_000, 60.0
WARM_S = 100.0  # three rounds: the first touches every row, by the third all who drive too fast have their alarm
CATCH_UP_S_MAX = 60.0
WINDOW_S = 20  # the minute is three repeats
IN_FLIGHT = 6
SINGLE_S = 3.0
LAST_ALARMS_S = 10.0
TARGET_RATE, TARGET_P99_S = 270_000, 2.0
ROLES = ("tracking-engine", "tracking-api", "tracking-access")
METHOD = "/xiangtong.tracking.v1.PositionIngestService/IngestPositions"
JUDGED = "xiangtong_engine_positions_total"
SETTINGS = {"XIANGTONG_CHECKPOINT_INTERVAL_S": "120"}  # a checkpoint of 8 million vehicles is 2.8 GB


def run() -> Result:
    """Positions accepted and judged a second over a minute, and how long an alarm takes."""
    with (
        tempfile.TemporaryDirectory(prefix="xiangtong-path-") as folder,
        running(Path(folder), VEHICLES) as (
            stack,
            fleet,
        ),
    ):
        return _measured(stack, fleet)


@dataclass
class Load:
    """What was sent and accepted. `accepted`: moment and positions of each answer; `probes`: when the alarm bit of a
    vehicle and fix time was sent."""

    accepted: list[tuple[float, int]] = field(default_factory=list)
    probes: dict[tuple[int, int], float] = field(default_factory=dict)
    errors: list[grpc.RpcError] = field(default_factory=list)
    begin_s: float = 0.0

    def rates(self, seconds: float, window_s: float) -> list[float]:
        """Positions accepted a second, in each window."""
        times, counts = np.array(self.accepted).T
        edges = self.begin_s + np.arange(0, seconds + window_s / 2, window_s)
        return [float(n / window_s) for n in np.histogram(times, edges, weights=counts)[0]]


@contextmanager
def running(folder: Path, vehicle_count: int) -> Iterator[tuple[Stack, Fleet]]:
    """The platform with that many vehicles in its register."""
    stack = Stack(folder, {}, SETTINGS, ROLES)
    try:
        stack.prepare()
        fleet = registered(EmbeddedPostgres(folder / "data").url, seed=SEED, count=vehicle_count)
        with stack:
            yield stack, fleet
    finally:
        stack.stop()


def _measured(stack: Stack, fleet: Fleet) -> Result:
    options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    with grpc.insecure_channel(stack.ingest, options) as ingest, grpc.insecure_channel(stack.api, options) as api:
        turns = Turns(fleet)
        baseline = _single_rate(ingest, fleet)
        _caught_up(stack, send(ingest, turns, rate=RATE, seconds=WARM_S))
        clock, processor, judged_before = AlarmClock(api), Processor(stack), stack.metric(ROLES[0], JUDGED)
        load = send(ingest, turns, rate=RATE, seconds=SECONDS)
        bound, judged = processor.shares(), (stack.metric(ROLES[0], JUDGED) - judged_before) / SECONDS
        delays_s = delays(load, clock)
        clock.close()
    rates = load.rates(SECONDS, WINDOW_S)
    figure, p99_s = min(float(np.median(rates)), judged), float(np.percentile(delays_s, 99, method="higher"))
    return Result(
        slug="path-grpc",
        figure=figure,
        unit="positions/s",
        target=f">= {TARGET_RATE:,}, p99 < {TARGET_P99_S:.0f} s",
        met=min(*rates, judged) >= TARGET_RATE and p99_s < TARGET_P99_S and not load.errors,
        ratio=figure / baseline,
        baseline=f"one position a call, {IN_FLIGHT} in flight: {baseline:,.0f} positions/s",
        note=f"{len(fleet):,} vehicles, {SECONDS:.0f} s at {RATE:,}/s offered, {len(delays_s)} alarms:"
        f" p50 {np.median(delays_s):.2f} s, p99 {p99_s:.2f} s; {bound}",
        spread=(min(*rates, judged), max(rates)),
    )


class Turns:
    """Requests without end: all vehicles, round after round."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._turn, self._row = 0, 0

    def next(self, count: int) -> tuple[bytes, list[tuple[int, int]], int]:
        """A request of up to `count` positions, its probes and its size."""
        if self._row >= len(self._fleet):
            self._turn, self._row = self._turn + 1, 0
        rows = slice(self._row, min(self._row + count, len(self._fleet)))
        self._row = rows.stop
        return (*self._fleet.request(self._turn, rows), rows.stop - rows.start)


def send(channel: grpc.Channel, turns: Turns, *, rate: float, seconds: float, batch_size: int = BATCH) -> Load:
    """Send batches at `rate` positions a second, a few calls in flight, and wait for the last answers."""
    call, free = _call(channel), threading.Semaphore(IN_FLIGHT)
    load, sent = Load(begin_s=time.monotonic()), 0
    while (now_s := time.monotonic()) < load.begin_s + seconds:
        if (early_s := load.begin_s + sent / rate - now_s) > 0:
            time.sleep(early_s)
        free.acquire()
        request, probes, count = turns.next(batch_size)
        load.probes |= dict.fromkeys(probes, time.monotonic())
        call.future(request, timeout=60).add_done_callback(_noting(load, count, free))
        sent += count
    for _ in range(IN_FLIGHT):
        free.acquire()
    return load


def delays(load: Load, clock: AlarmClock) -> Any:
    """Seconds from sending an alarm bit to WatchAlarms, (n,); infinite for an alarm that never came."""
    deadline_s = time.monotonic() + LAST_ALARMS_S
    while not load.probes.keys() <= clock.arrived_s.keys() and time.monotonic() < deadline_s:
        time.sleep(0.2)
    return np.array([clock.arrived_s.get(key, np.inf) - sent_s for key, sent_s in load.probes.items()], np.float64)


def _caught_up(stack: Stack, warm: Load) -> None:
    """Wait until what warmed the engine is judged: a minute of rest is not bought, a debt is not taken along."""
    accepted, deadline_s = sum(count for _, count in warm.accepted), time.monotonic() + CATCH_UP_S_MAX
    while stack.metric(ROLES[0], JUDGED) < accepted:
        assert time.monotonic() < deadline_s, "the engine does not come to an end with what warmed it"
        time.sleep(0.2)


def _noting(load: Load, count: int, free: threading.Semaphore) -> Callable[[Any], None]:
    def note(answer: Any) -> None:
        try:
            accepted = answer.result().accepted_count
            assert accepted == count, f"{count - accepted} of {count} positions refused"
            load.accepted.append((time.monotonic(), accepted))
        except grpc.RpcError as error:
            load.errors.append(error)
        finally:
            free.release()

    return note


def _single_rate(channel: grpc.Channel, fleet: Fleet) -> float:
    call, free, load = _call(channel), threading.Semaphore(IN_FLIGHT), Load(begin_s=time.monotonic())
    row = 0
    while time.monotonic() < load.begin_s + SINGLE_S:
        free.acquire()
        call.future(single(fleet, row), timeout=60).add_done_callback(_noting(load, 1, free))
        row += 1
    return len(load.accepted) / SINGLE_S


def _call(channel: grpc.Channel) -> Any:
    return channel.unary_unary(
        METHOD, request_serializer=None, response_deserializer=pb.IngestPositionsResponse.FromString
    )
