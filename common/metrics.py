"""Every metric of the system, in one typed list. Names are promises: dashboards and autoscaling read them."""
# ruff: noqa: RUF009 – the defaults are the one instance of each metric

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_FAST_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_AGE_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0)

registry = CollectorRegistry()


def _counter(name: str, documentation: str, *labels: str) -> Counter:
    return Counter(f"xiangtong_{name}", documentation, labels, registry=registry)


def _gauge(name: str, documentation: str, *labels: str) -> Gauge:
    return Gauge(f"xiangtong_{name}", documentation, labels, registry=registry)


def _histogram(name: str, documentation: str, *labels: str, buckets: tuple[float, ...] = _FAST_S) -> Histogram:
    return Histogram(f"xiangtong_{name}", documentation, labels, buckets=buckets, registry=registry)


@dataclass(frozen=True)
class Metrics:
    """The list. A counter counts since the start of the process; `_seconds` are histograms."""

    # Access
    links: Gauge = _gauge("terminal_links", "Open links of terminals", "protocol")
    links_closed: Counter = _counter("terminal_links_closed", "Links closed", "protocol", "reason")
    frames: Counter = _counter("frames", "Frames accepted", "protocol", "message")
    rejections: Counter = _counter("rejections", "Incoming data that could not be used", "source", "reason")
    received_bytes: Counter = _counter("received_bytes", "Bytes received from terminals", "protocol")
    positions_in: Counter = _counter("positions_in", "Positions made durable in the log", "source")
    answer_seconds: Histogram = _histogram("answer_seconds", "From a frame's arrival to its answer", "protocol")

    # Event log
    log_append_seconds: Histogram = _histogram("log_append_seconds", "Time of one append to the event log", "topic")
    log_records: Counter = _counter("log_records", "Records appended to the event log", "topic")
    consumer_lag: Gauge = _gauge(
        "consumer_lag_records", "Records of owned partitions not read yet", "group", "topic", "partition"
    )
    dead_letters: Counter = _counter("dead_letters", "Records and refused frames put aside", "topic", "reason")
    dead_letters_lost: Counter = _counter("dead_letters_lost", "Refused frames that the log did not take")
    rebalances: Counter = _counter("rebalances", "Changes of partition ownership", "group")

    # Engine
    engine_positions: Counter = _counter("engine_positions", "Positions the engine has stepped over")
    engine_records_lost: Counter = _counter("engine_records_lost", "Records the log dropped before they were read")
    engine_flagged: Counter = _counter("engine_positions_flagged", "Positions kept with a quality flag", "flag")
    engine_duplicates: Counter = _counter("engine_positions_duplicate", "Positions that the engine had seen before")
    engine_step_seconds: Histogram = _histogram("engine_step_seconds", "Time of one engine step")
    engine_vehicles: Gauge = _gauge("engine_vehicles", "Vehicles in the engine's state", "partition")
    transitions: Counter = _counter("fence_transitions", "Transitions of vehicles against fences", "kind")
    alarms_raised: Counter = _counter("alarms_raised", "Alarms raised", "rule")
    alarms_cleared: Counter = _counter("alarms_cleared", "Alarms cleared", "rule")
    alarm_age_seconds: Histogram = _histogram(
        "alarm_age_seconds", "From a position's arrival to its alarm being published", buckets=_AGE_S
    )
    checkpoints: Counter = _counter("checkpoints", "Checkpoints of engine state written")
    checkpoint_seconds: Histogram = _histogram("checkpoint_seconds", "Time of one checkpoint")
    live_writes: Counter = _counter("live_writes", "Latest positions written to live state")
    archived_positions: Counter = _counter("archived_positions", "Positions written to the track archive")
    archive_seconds: Histogram = _histogram("archive_write_seconds", "Time to write one archive file")

    # gRPC and HTTP
    grpc_seconds: Histogram = _histogram("grpc_request_seconds", "Time of one call", "method", "code")
    grpc_running: Gauge = _gauge("grpc_requests_running", "Calls being answered", "method")
    http_seconds: Histogram = _histogram("http_request_seconds", "Time of one request", "route", "code")
    watchers: Gauge = _gauge("watchers", "Open watches", "kind")
    watchers_dropped: Counter = _counter("watchers_dropped", "Watches ended because they were too slow", "kind")
    sign_ins: Counter = _counter("sign_ins", "Attempts to sign in", "outcome")


metrics = Metrics()


def count_rejections(source: str, counts: Mapping[str, int]) -> None:
    """Add `counts` by reason to the rejections of `source`."""
    for reason, count in counts.items():
        metrics.rejections.labels(source=source, reason=reason).inc(count)


@contextmanager
def timed(histogram: Histogram) -> Iterator[None]:
    """Observe how long the block took, also when it raises. `histogram` has its labels already."""
    start_s = time.perf_counter()
    try:
        yield
    finally:
        histogram.observe(time.perf_counter() - start_s)
