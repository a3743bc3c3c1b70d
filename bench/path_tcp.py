"""path-tcp: frames on TCP to alarms on WatchAlarms, through every role, on the embedded log and on Kafka."""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import numpy as np
from numpy.typing import NDArray
from xiangtong.tracking.v1 import tracking_service_pb2
from xiangtong.tracking.v1.tracking_service_pb2_grpc import TrackingServiceStub

from bench.path_frames import Traffic, fleet_of, traffic
from bench.path_load import logged_in, send
from bench.processor import Processor
from bench.results import Result
from bench.stack import Stack
from simulation.fences import ensure_fences
from simulation.province import province
from simulation.register import import_cars
from tests.real_servers import KafkaServer, new_folder

SEED = 25
LINKS = 10_000
RATE, SECONDS, WARM_S = 27_500, 60.0, 10.0
WINDOW_S = 20  # the minute is three repeats
SINGLE_S = 3.0
WATCH_S_MAX = 10.0  # until the first message, which says that the watch has begun
PAST_MS = 3 * 3_600_000  # the fleet drives 70 times faster than it happens: no fix may lie in the future
TARGET_RATE, TARGET_P99_S = 25_000, 1.0
ROLES = ("tracking-engine", "tracking-api", "tracking-access")


def run() -> list[Result]:
    """Frames answered a second over a minute, and how long an alarm takes."""
    results = [_measured("path-tcp", {}, "embedded log")]
    folder = new_folder()
    kafka = KafkaServer(folder / "kafka").start()
    try:
        assert kafka.process is not None
        servers, others = {"XIANGTONG_KAFKA": kafka.address}, {"Kafka": kafka.process.pid}
        results.append(_measured("path-tcp-kafka", servers, "Kafka", others))
    finally:
        kafka.stop()
        shutil.rmtree(folder)
    return results


class AlarmClock:
    """When each terminal alarm arrived on WatchAlarms, by vehicle and fix time."""

    def __init__(self, channel: grpc.Channel) -> None:
        self.arrived_s: dict[tuple[int, int], float] = {}
        request = tracking_service_pb2.WatchAlarmsRequest()
        request.filter.rules.append("terminal")
        self._stream: Any = TrackingServiceStub(channel).WatchAlarms(request)
        self._watching = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        if not self._watching.wait(WATCH_S_MAX):
            raise TimeoutError("WatchAlarms does not begin")

    def close(self) -> None:
        """Watch no more."""
        self._stream.cancel()
        self._thread.join()

    def _read(self) -> None:
        try:
            for message in self._stream:
                now_s = time.monotonic()
                self._watching.set()
                for alarm in message.alarms:
                    key = (alarm.vehicle_id, alarm.raise_time.ToMilliseconds())
                    self.arrived_s.setdefault(key, now_s)
        except grpc.RpcError:
            return


@contextmanager
def _stack(servers: dict[str, str]) -> Iterator[tuple[Stack, grpc.Channel]]:
    with tempfile.TemporaryDirectory(prefix="xiangtong-path-") as folder:
        stack = Stack(Path(folder), servers, {}, ROLES)
        with stack, grpc.insecure_channel(stack.api, [("grpc.max_receive_message_length", -1)]) as channel:
            yield stack, channel


def _measured(slug: str, servers: dict[str, str], log_name: str, others: dict[str, int] | None = None) -> Result:
    land = province(SEED)
    fleet, fleet_cars = fleet_of(land, LINKS, seed=SEED, start_ms=int(time.time() * 1000) - PAST_MS)
    identities = [car.identity for car in fleet_cars]
    with _stack(servers) as (stack, channel):
        ids = [vehicle_id for part in import_cars(channel, fleet_cars) for vehicle_id in part]
        ensure_fences(channel, land)
        links = logged_in(int(stack.access.split(":")[1]), identities)
        try:
            baseline = _single(links, traffic(fleet, identities, 20_000))
            warm = traffic(fleet, identities, int(RATE * WARM_S))
            send(links, warm, rate=RATE, sent_s=np.empty(len(warm)), seconds=WARM_S)
            main = traffic(fleet, identities, int(RATE * SECONDS))
            clock, sent_s, processor = AlarmClock(channel), np.empty(len(main)), Processor(stack, others)
            answered = send(links, main, rate=RATE, sent_s=sent_s, seconds=SECONDS)
            bound = processor.shares()
            _wait_for_alarms(clock, main, sent_s)
            clock.close()
        finally:
            for link in links:
                link.close()
    return _result(slug, f"{log_name}; {bound}", answered, _delays_s(main, sent_s, clock.arrived_s, ids), baseline)


def _single(links: list[Any], small: Traffic) -> float:
    """Frames a second when each waits for the answer to the one before."""
    begin_s, count = time.monotonic(), 0
    while time.monotonic() - begin_s < SINGLE_S:
        link = links[small.vehicles[count]]
        link.setblocking(True)
        link.sendall(small.octets[small.starts[count] : small.starts[count + 1]].tobytes())
        answer = b""
        while answer.count(b"\x7e") < 2:
            answer += link.recv(4096)
        count += 1
    return count / SINGLE_S


def _raising(main: Traffic) -> NDArray[np.int64]:
    """Frames whose alarm word has a bit that the vehicle's frame before it had not."""
    order = np.argsort(main.vehicles, kind="stable")
    words, same = main.alarm_words[order], np.diff(main.vehicles[order], prepend=-1) == 0
    before = np.concatenate([[0], words[:-1]])
    return np.asarray(order[same & (words != 0) & (before == 0)])


def _wait_for_alarms(clock: AlarmClock, main: Traffic, sent_s: NDArray[np.float64]) -> None:
    expected = np.count_nonzero(~np.isnan(sent_s[_raising(main)]))
    deadline_s = time.monotonic() + 10.0
    while len(clock.arrived_s) < expected and time.monotonic() < deadline_s:
        time.sleep(0.2)


def _delays_s(
    main: Traffic, sent_s: NDArray[np.float64], arrived_s: dict[tuple[int, int], float], ids: list[int]
) -> NDArray[np.float64]:
    """From sending to WatchAlarms; infinite for an alarm that never came."""
    rows = [row for row in _raising(main).tolist() if not np.isnan(sent_s[row])]
    keys = [(ids[main.vehicles[row]], int(main.fix_times_ms[row])) for row in rows]
    return np.array([arrived_s.get(key, np.inf) - sent_s[row] for key, row in zip(keys, rows, strict=True)], np.float64)


def _result(
    slug: str, note: str, answered: NDArray[np.int64], delays_s: NDArray[np.float64], baseline: float
) -> Result:
    windows = [answered[n : n + WINDOW_S].sum() / WINDOW_S for n in range(0, int(SECONDS), WINDOW_S)]
    figure, p99_s = float(np.median(windows)), float(np.percentile(delays_s, 99, method="higher"))
    return Result(
        slug=slug,
        figure=figure,
        unit="frames/s",
        target=f">= {TARGET_RATE:,}, p99 < {TARGET_P99_S:.0f} s",
        met=min(windows) >= TARGET_RATE and p99_s < TARGET_P99_S,
        ratio=figure / baseline,
        baseline=f"each frame after the answer to the one before: {baseline:,.0f} frames/s",
        note=f"{SECONDS:.0f} s at {RATE:,}/s offered over {LINKS:,} links; {len(delays_s)} alarms: p50"
        f" {np.median(delays_s):.2f} s, p99 {p99_s:.2f} s; {note}",
        spread=(float(min(windows)), float(max(windows))),
    )
