"""access: terminals on TCP, each answered after its frame is durable in the embedded PostgreSQL log.

Server, database and load share the machine's cores; the load's are the smallest part.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psutil

from bench.access_process import CODE, FIRST_PHONE, PARTITIONS
from bench.results import Result
from bench.terminal_load import Load, connected, exchange, load
from common.infra.log import Topic, TopicPartition
from common.infra.log_postgres import PostgresLog
from common.infra.servers_postgres import EmbeddedPostgres
from services.vehicle_tracking.convert.positions import decode
from services.vehicle_tracking.domain.topics import POSITIONS
from simulation import frames
from simulation.frames import Fix, Identity

LINKS, RATE = 10_000, 44_000  # a tenth more than promised
WINDOW_LINKS, WINDOW = 1_000, 64
PLAIN_LINKS, FIRST_LINKS = 200, 10
SECONDS, REPEATS = 5.0, 3
WARM_S = 1.5
TARGET_RATE, TARGET_P99_MS, TARGET_LINK_BYTES, TARGET_WINDOW_RATE = 40_000, 200, 10_000, 150_000
HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Measured:
    """Loads on one server. `link_bytes`: memory a link; `cpu_us`: of the server, a frame; `unpaced`: at full speed."""

    loads: list[Load]
    link_bytes: float
    cpu_us: float
    unpaced: Load


def run() -> list[Result]:
    """Answers a second with one frame in flight a link and with many; bytes of memory a link."""
    with tempfile.TemporaryDirectory(prefix="xiangtong-access-") as folder, _database(Path(folder)) as url:
        with _server("plain", url) as server:
            plain = _measured(server, PLAIN_LINKS, window=1, rate=0, repeats=1)
        before = _stored_count(url)
        with _server("ours", url) as server:
            single = _measured(server, LINKS, window=1, rate=RATE, repeats=REPEATS)
        with _server("ours", url) as server:
            many = _measured(server, WINDOW_LINKS, window=WINDOW, rate=0, repeats=REPEATS)
        answered = sum(load.answered for one in (single, many) for load in (*one.loads, one.unpaced))
        if _stored_count(url) - before < answered:
            raise AssertionError("more frames were answered than positions are in the log")
    baseline = _middle(plain)
    return [_single(single, baseline), _many(many, baseline)]


def _single(measured: Measured, baseline: float) -> Result:
    figure, p99_ms = _middle(measured), median(one.percentile_ms(99) for one in measured.loads)
    return Result(
        slug="access",
        figure=figure,
        unit="frames/s answered",
        target=f">= {TARGET_RATE}, p99 < {TARGET_P99_MS} ms, <= {TARGET_LINK_BYTES / 1000:.0f} kB a link",
        met=figure >= TARGET_RATE and p99_ms < TARGET_P99_MS and measured.link_bytes <= TARGET_LINK_BYTES,
        ratio=figure / baseline,
        baseline=f"a coroutine a link, a record a frame: {baseline:,.0f} frames/s",
        note=f"p99 {p99_ms:.0f} ms, {measured.link_bytes / 1000:.1f} kB a link; {LINKS} links, {RATE} frames/s offered"
        f" ({measured.unpaced.rate:,.0f}/s at full speed); {measured.cpu_us:.1f} µs of processor a frame, most of it"
        " the kernel's for one read and one write",
        spread=_spread(measured),
    )


def _many(measured: Measured, baseline: float) -> Result:
    figure, p99_ms = _middle(measured), median(one.percentile_ms(99) for one in measured.loads)
    return Result(
        slug="access-window",
        figure=figure,
        unit="frames/s answered",
        target=f">= {TARGET_WINDOW_RATE}",
        met=figure >= TARGET_WINDOW_RATE,
        ratio=figure / baseline,
        baseline=f"a coroutine a link, a record a frame: {baseline:,.0f} frames/s",
        note=f"p99 {p99_ms:.0f} ms; {WINDOW_LINKS} links with {WINDOW} frames in flight; {measured.cpu_us:.1f} µs of"
        " processor a frame; bound by the database's commits and the decoding, which share two cores",
        spread=_spread(measured),
    )


def _middle(measured: Measured) -> float:
    return median(one.rate for one in measured.loads)


def _spread(measured: Measured) -> tuple[float, float]:
    rates = [one.rate for one in measured.loads]
    return min(rates), max(rates)


def _measured(
    server: tuple[psutil.Process, int], link_count: int, *, window: int, rate: float, repeats: int
) -> Measured:
    """Several loads over the same links, after one to warm up."""
    process, port = server
    identities = [Identity(str(FIRST_PHONE + number), "湘A00001", 2) for number in range(link_count)]
    log_ins = [frames.frame(one, frames.AUTHENTICATE, 0, frames.authenticate_body(one, CODE)) for one in identities]
    fix = Fix(int(time.time()) * 1000, 1_129_381_000, 282_282_000, 600, 90, 50, 0, 3, 123_456)
    reports = [frames.frame(one, frames.LOCATION, 1, frames.location_body(fix)) for one in identities]
    links = connected(port, FIRST_LINKS)
    try:
        exchange(links, log_ins[:FIRST_LINKS])
        load(links, reports[:FIRST_LINKS], seconds=WARM_S, window=window)
        bytes_before = process.memory_info().rss
        links += connected(port, link_count - FIRST_LINKS)
        exchange(links[FIRST_LINKS:], log_ins[FIRST_LINKS:])
        load(links, reports, seconds=WARM_S, window=window, rate=rate)
        link_bytes = (process.memory_info().rss - bytes_before) / link_count
        cpu_before_s = _cpu_s(process)
        loads = [load(links, reports, seconds=SECONDS, window=window, rate=rate) for _ in range(repeats)]
        cpu_us = (_cpu_s(process) - cpu_before_s) * 1e6 / sum(one.answered for one in loads)
        return Measured(loads, link_bytes, cpu_us, load(links, reports, seconds=WARM_S, window=window))
    finally:
        for link in links:
            link.close()


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _stored_count(url: str) -> int:
    """How many positions are in the log."""
    log, count = PostgresLog(url), 0
    for partition in range(PARTITIONS):
        place = TopicPartition(POSITIONS, partition)
        offset, end = log.bounds(place)
        while offset < end:
            records = log.read(place, offset)
            count += sum(len(decode(record.value)) for record in records)
            offset = records[-1].offset + 1
    log.close()
    return count


@contextmanager
def _database(folder: Path) -> Iterator[str]:
    postgres = EmbeddedPostgres(folder)
    postgres.start()
    try:
        log = PostgresLog(postgres.url)
        log.create_topics([Topic(POSITIONS, PARTITIONS, HOUR_MS)])
        log.close()
        yield postgres.url
    finally:
        postgres.stop()


@contextmanager
def _server(kind: str, url: str) -> Iterator[tuple[psutil.Process, int]]:
    words = [sys.executable, "-m", "bench.access_process", kind, url]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            port = next(int(line.split()[1]) for line in process.stdout if line.startswith("port "))
            yield psutil.Process(process.pid), port
        finally:
            process.kill()
