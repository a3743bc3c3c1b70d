"""post, repost, hot-account: exit records in bulk to BillingService, rated and posted; the same again; one account."""

from __future__ import annotations

import os
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import grpc
import numpy as np
import psycopg
from xiangtong.billing.v1 import billing_service_pb2 as pb

from bench.post_plain import plain_rates
from bench.processor import Processor
from bench.results import Result
from bench.stack import Stack
from common.infra.servers_postgres import EmbeddedPostgres
from simulation.province import province
from simulation.toll_exits import exit_names
from simulation.toll_messages import NO_FEE_FEN, exit_messages
from simulation.toll_network import TollNetwork, Ways, toll_network, ways
from simulation.toll_tariff import synthetic_tariff, write_tariff
from simulation.toll_trips import toll_trips

ROLE = "billing-api"
METHOD = "/xiangtong.billing.v1.BillingService/PostPassageRecords"
SEED = 43
PASSAGES = 2_000_000 if os.environ.get("FULL") == "1" else 300_000
DAY_PASSAGES = 500_000
CALL_RECORDS, IN_FLIGHT, WINDOWS, WARM_CALLS = 10_000, 2, 5, 2
PLAIN_BATCHES = 10
HOT_CALLS, SPREAD_ISSUERS = 5, 5_000  # calls of each kind, in turns
TIMEOUT_S = 120.0
TARGET_POST, TARGET_RATIO, TARGET_REPOST, TARGET_HOT = 30_000, 0.6, 60_000, 0.9
TABLES = ("blocks", "passages", "postings", "balance_changes")


@dataclass(frozen=True, slots=True)
class Sent:
    """When each call was answered, in seconds since the first was sent, and how many records that made by then."""

    times_s: tuple[float, ...]
    records: tuple[int, ...]

    @property
    def rate(self) -> float:
        """Records answered a second, from the first call to the last answer."""
        return self.records[-1] / self.times_s[-1]

    @property
    def spread(self) -> tuple[float, float]:
        """The slowest and the fastest of some windows."""
        edges = [0, *(len(self.times_s) * n // WINDOWS for n in range(1, WINDOWS + 1))]
        times, records = (0.0, *self.times_s), (0, *self.records)
        rates = [(records[b] - records[a]) / (times[b] - times[a]) for a, b in pairwise(edges) if b > a]
        return min(rates), max(rates)


def run() -> list[Result]:
    """Passages posted a second, posted again, and with one account in all of them."""
    with tempfile.TemporaryDirectory(prefix="xiangtong-post-") as folder, running(Path(folder)) as (stack, world):
        url = EmbeddedPostgres(stack.folder / "data").url
        plain = median(plain_rates(url, batches=PLAIN_BATCHES, size=CALL_RECORDS))
        calls = [call for day in range(-(-PASSAGES // DAY_PASSAGES)) for call in world.calls(day, _of_day(day))]
        with grpc.insecure_channel(stack.billing) as channel:
            send(channel, world.calls(20, WARM_CALLS * CALL_RECORDS), pb.POSTING_OUTCOME_CREATED)
            processor = Processor(stack)
            posted, bound = send(channel, calls, pb.POSTING_OUTCOME_CREATED), processor.shares()
            before, processor = _row_counts(url), Processor(stack)
            reposted, bound_again = send(channel, calls, pb.POSTING_OUTCOME_EXISTS), processor.shares()
            unchanged = _row_counts(url) == before
            hot, spread = _hot_and_spread(channel, world)
    return [
        _post(posted, plain, bound),
        _repost(reposted, posted, unchanged, bound_again),
        _hot(hot, spread),
    ]


@dataclass(frozen=True, slots=True)
class World:
    """The toll network that trips are made on."""

    network: TollNetwork
    between: Ways

    def calls(self, day: int, count: int, issuers: Sequence[str] = ()) -> list[bytes]:
        """Requests of one day's exit records. `issuers`: who pays in turn, instead of those of the trips."""
        trips = toll_trips(self.network, self.between, seed=SEED + day, count=count, day=date(2026, 3, 1 + day))
        names, fees_fen = exit_names(trips, self.network), np.full(count, NO_FEE_FEN)
        found = []
        for records in exit_messages(trips, self.network, names, fees_fen, size=CALL_RECORDS):
            if issuers:
                records.issuer_ids[:] = [issuers[n % len(issuers)] for n in range(len(records.exit_ids))]
            found.append(pb.PostPassageRecordsRequest(exits=records).SerializeToString())
        return found


@contextmanager
def running(folder: Path) -> Iterator[tuple[Stack, World]]:
    """The role with a synthetic tariff and an embedded PostgreSQL: fsync and synchronous_commit on."""
    network = toll_network(province(SEED), SEED)
    write_tariff(folder / "tariff", network, synthetic_tariff(network, SEED))
    with Stack(folder, {}, {"XIANGTONG_BILLING_TARIFF": str(folder / "tariff")}, (ROLE,)) as stack:
        yield stack, World(network, ways(network))


def send(channel: grpc.Channel, calls: Sequence[bytes], outcome: int) -> Sent:
    """Send calls, some in flight. Raises AssertionError unless every record of every answer has the outcome."""
    method: Any = channel.unary_unary(
        METHOD, request_serializer=None, response_deserializer=pb.PostPassageRecordsResponse.FromString
    )
    waiting, answers, start_s = deque[Any](), list[tuple[float, int]](), time.perf_counter()

    def answer() -> None:
        found = waiting.popleft().result()
        answers.append((time.perf_counter() - start_s, len(found.outcomes)))
        assert set(found.outcomes) == {outcome}, (list(found.outcomes)[:9], list(found.remarks)[:9])

    for call in calls:
        if len(waiting) == IN_FLIGHT:
            answer()
        waiting.append(method.future(call, timeout=TIMEOUT_S))
    while waiting:
        answer()
    times_s, counts = zip(*answers, strict=True)
    return Sent(times_s, tuple(np.cumsum(counts).tolist()))


def _of_day(day: int) -> int:
    return min(DAY_PASSAGES, PASSAGES - day * DAY_PASSAGES)


def _hot_and_spread(channel: grpc.Channel, world: World) -> tuple[list[float], list[float]]:
    """Rates with one account in every passage, and with thousands in turn; one call of each in turn."""
    many = [f"{430_000 + n}" for n in range(SPREAD_ISSUERS)]
    kinds = [world.calls(21 + n, HOT_CALLS * CALL_RECORDS, issuers) for n, issuers in enumerate((["430101"], many))]
    rates: tuple[list[float], list[float]] = [], []
    for pair in zip(*kinds, strict=True):
        for found, call in zip(rates, pair, strict=True):
            found.append(send(channel, [call], pb.POSTING_OUTCOME_CREATED).rate)
    return rates


def _post(sent: Sent, plain: float, bound: str) -> Result:
    return Result(
        slug="post",
        figure=sent.rate,
        unit="passages/s",
        target=f">= {TARGET_POST:,}, >= {TARGET_RATIO:g} x the bare prototype",
        met=sent.rate >= max(TARGET_POST, TARGET_RATIO * plain),
        ratio=sent.rate / plain,
        baseline=f"bare set-based posting, {plain:,.0f} passages/s",
        note=f"{sent.records[-1]:,} passages, {CALL_RECORDS:,} a call, {IN_FLIGHT} in flight; {bound}",
        spread=sent.spread,
    )


def _repost(sent: Sent, first: Sent, unchanged: bool, bound: str) -> Result:
    return Result(
        slug="repost",
        figure=sent.rate,
        unit="rows/s",
        target=f">= {TARGET_REPOST:,}, no row changed",
        met=sent.rate >= TARGET_REPOST and unchanged,
        ratio=sent.rate / first.rate,
        baseline=f"posting them first, {first.rate:,.0f} passages/s",
        note=f"{'no row' if unchanged else 'ROWS'} changed; {bound}",
        spread=sent.spread,
    )


def _hot(hot: list[float], spread: list[float]) -> Result:
    ratios = [one / other for one, other in zip(hot, spread, strict=True)]
    figure = median(ratios)
    return Result(
        slug="hot-account",
        figure=figure,
        unit="x the spread case",
        target=f">= {TARGET_HOT:g}",
        met=figure >= TARGET_HOT,
        ratio=figure,
        baseline=f"{SPREAD_ISSUERS:,} accounts in turn, {median(spread):,.0f} passages/s a call alone",
        note=f"one account in all, {median(hot):,.0f} passages/s; no row of an account is locked or updated",
        spread=(min(ratios), max(ratios)),
    )


def _row_counts(url: str) -> list[int]:
    with psycopg.connect(url) as connection:
        found = [connection.execute(f"SELECT count(*) FROM billing.{table}".encode()).fetchone() for table in TABLES]
    return [row[0] for row in found if row]
