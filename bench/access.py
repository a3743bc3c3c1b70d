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
from pathlib import Path
from statistics import median

import psutil

from bench.access_process import CODE, FIRST_PHONE, PARTITIONS
from bench.results import Result
from bench.terminal_load import Load, connected, exchange, load
from common.infra.log import Topic
from common.infra.log_postgres import PostgresLog
from common.infra.servers_postgres import EmbeddedPostgres
from services.vehicle_tracking.domain.topics import POSITIONS
from simulation import frames
from simulation.frames import Fix, Identity

LINKS, RATE = 10_000, 44_000  # a tenth more than promised
WINDOW_LINKS, WINDOW = 1_000, 64
PLAIN_LINKS = 200
SECONDS, REPEATS = 5.0, 3
WARM_S = 1.5
TARGET_RATE, TARGET_P99_MS, TARGET_LINK_BYTES, TARGET_WINDOW_RATE = 40_000, 200, 10_000, 150_000
HOUR_MS = 3_600_000


def run() -> list[Result]:
    """Answers a second with one frame in flight a link and with many; bytes of memory a link."""
    with tempfile.TemporaryDirectory(prefix="xiangtong-access-") as folder, _database(Path(folder)) as url:
        with _server("plain", url) as server:
            plain, _ = _loads(server, PLAIN_LINKS, window=1, rate=0, repeats=1)
        with _server("ours", url) as server:
            single, link_bytes = _loads(server, LINKS, window=1, rate=RATE, repeats=REPEATS)
        with _server("ours", url) as server:
            many, _ = _loads(server, WINDOW_LINKS, window=WINDOW, rate=0, repeats=REPEATS)
    baseline = plain[0].rate
    return [_single(single, link_bytes, baseline), _many(many, baseline)]


def _single(measured: list[Load], link_bytes: float, baseline: float) -> Result:
    figure, p99_ms = _middle(measured), median(one.percentile_ms(99) for one in measured)
    return Result(
        slug="access",
        figure=figure,
        unit="frames/s answered",
        target=f">= {TARGET_RATE}, p99 < {TARGET_P99_MS} ms, <= {TARGET_LINK_BYTES / 1000:.0f} kB a link",
        met=figure >= TARGET_RATE and p99_ms < TARGET_P99_MS and link_bytes <= TARGET_LINK_BYTES,
        ratio=figure / baseline,
        baseline=f"a coroutine a link, a record a frame: {baseline:,.0f} frames/s",
        note=f"p99 {p99_ms:.0f} ms, {link_bytes / 1000:.1f} kB a link; {LINKS} links, {RATE} frames/s offered;"
        " bound by one read and one write a frame",
        spread=_spread(measured),
    )


def _many(measured: list[Load], baseline: float) -> Result:
    figure, p99_ms = _middle(measured), median(one.percentile_ms(99) for one in measured)
    return Result(
        slug="access-window",
        figure=figure,
        unit="frames/s answered",
        target=f">= {TARGET_WINDOW_RATE}",
        met=figure >= TARGET_WINDOW_RATE,
        ratio=figure / baseline,
        baseline=f"a coroutine a link, a record a frame: {baseline:,.0f} frames/s",
        note=f"p99 {p99_ms:.0f} ms; {WINDOW_LINKS} links with {WINDOW} frames in flight;"
        " bound by the commits of the log",
        spread=_spread(measured),
    )


def _middle(measured: list[Load]) -> float:
    return median(one.rate for one in measured)


def _spread(measured: list[Load]) -> tuple[float, float]:
    return min(one.rate for one in measured), max(one.rate for one in measured)


def _loads(
    server: tuple[psutil.Process, int], link_count: int, *, window: int, rate: float, repeats: int
) -> tuple[list[Load], float]:
    """Several loads over the same links, after one to warm up; and the server's memory a link."""
    process, port = server
    identities = [Identity(str(FIRST_PHONE + number), "湘A00001", 2) for number in range(link_count)]
    log_ins = [frames.frame(one, frames.AUTHENTICATE, 0, frames.authenticate_body(one, CODE)) for one in identities]
    fix = Fix(int(time.time()) * 1000, 1_129_381_000, 282_282_000, 600, 90, 50, 0, 3, 123_456)
    reports = [frames.frame(one, frames.LOCATION, 1, frames.location_body(fix)) for one in identities]
    first = connected(port, 10)
    exchange(first, log_ins[:10])
    load(first, reports[:10], seconds=WARM_S, window=window)
    before = process.memory_info().rss
    links = connected(port, link_count - 10)
    try:
        exchange(links, log_ins[10:])
        links = first + links
        load(links, reports, seconds=WARM_S, window=window, rate=rate)
        memory = (process.memory_info().rss - before) / link_count
        return [load(links, reports, seconds=SECONDS, window=window, rate=rate) for _ in range(repeats)], memory
    finally:
        for link in links:
            link.close()


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
