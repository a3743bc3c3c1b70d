"""The billing service and PostgreSQL killed at random moments while files are posted: what was sent has one effect."""

from __future__ import annotations

import os
import random
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from xiangtong.billing.v1 import billing_service_pb2 as pb

from bench.stack import Stack
from simulation.province import province
from simulation.toll_exits import exit_names
from simulation.toll_messages import NO_FEE_FEN, exit_message_of
from simulation.toll_network import Int64s, TollNetwork, toll_network, ways
from simulation.toll_tariff import synthetic_tariff, write_tariff
from simulation.toll_trips import TollTrips, toll_trips
from simulation.toll_truth import charged
from tests.faults.billing_outcome import faults_in, stored
from tests.faults.billing_sender import EXISTS, STUCK_S_MAX, Call, Senders, senders_to, total
from tests.real_servers import PostgresServer

API = "billing-api"
INTERVALS, STATIONS = 240, 90
FIRST_DAY, DAYS = date(2026, 3, 10), 2
FILES = 8
CALL_RECORDS = (200, 2_000)
AGAIN = 0.1  # of the calls that a file holds twice
LANE_CHARGED = 0.3  # of the trips: the lane says what it took
DOWN_S, MOMENT_S_MAX = (0.0, 1.0), 0.2

pytestmark = [pytest.mark.enable_socket, pytest.mark.services("postgres")]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_crash_of_the_service_and_of_postgresql_while_posting_has_no_effect(
    postgres_server: PostgresServer, tmp_path: Path
) -> None:
    crashed(postgres_server, tmp_path, seed=seed(), kills=1, trips_a_day=8_000)


@pytest.mark.faults
@pytest.mark.timeout(1800)
def test_twenty_crashes_while_posting_have_no_effect(postgres_server: PostgresServer, tmp_path: Path) -> None:
    crashed(postgres_server, tmp_path, seed=seed(), kills=10, trips_a_day=60_000)


def crashed(server: PostgresServer, folder: Path, *, seed: int, kills: int, trips_a_day: int) -> None:
    """Post files while service and database are killed `kills` times each; then everything once more."""
    sys.stdout.write(f"\nseed {seed}: CRASH_SEED={seed} repeats it\n")
    rng = random.Random(seed)
    calls = list(made(folder / "tariff", seed=seed, trips_a_day=trips_a_day))
    settings = {"XIANGTONG_BILLING_TARIFF": str(folder / "tariff")}
    with (
        Stack(folder, {"XIANGTONG_POSTGRES": server.url()}, settings, (API,)) as stack,
        senders_to(stack.billing) as senders,
    ):
        start_s, files = time.monotonic(), senders.post(filed(calls, rng))
        kill_both(stack, server, senders, rng, kills=kills, call_count=len(calls))
        first = total(files)
        lasted_s, after = time.monotonic() - start_s, stored(server.url())
        again = total(senders.post([calls]))
    records = sum(len(call.charges_fen) for call in calls)
    sys.stdout.write(
        f"killed {kills} times each within {lasted_s:.0f} s; {records} records in {len(calls)} calls;"
        f" refused {dict(first.refused)}; outcomes {dict(first.outcomes)}; {after}\n"
    )
    assert again.outcomes == {EXISTS: records}
    assert stored(server.url()) == after, "what is sent again changes nothing"
    assert after["passages"] == records
    assert after["charges_fen"] == after["owed_fen"] == sum(sum(call.charges_fen) for call in calls)
    assert faults_in(server.url()) == {}


def made(tariff_folder: Path, *, seed: int, trips_a_day: int) -> Iterator[Call]:
    """Trips of some days as calls of random size, and their tariff in its folder."""
    network = toll_network(province(seed), seed, intervals=INTERVALS, stations=STATIONS)
    tariff, between, rng = synthetic_tariff(network, seed), ways(network), np.random.default_rng(seed)
    write_tariff(tariff_folder, network, tariff)
    for day in range(DAYS):
        on = FIRST_DAY + timedelta(days=day)
        trips = toll_trips(network, between, seed=seed + day, count=trips_a_day, day=on)
        yield from calls_of(trips, network, charged(trips, tariff).charges_fen, rng)


def calls_of(trips: TollTrips, network: TollNetwork, charges_fen: Int64s, rng: np.random.Generator) -> Iterator[Call]:
    """The trips in no order."""
    names, order = exit_names(trips, network), rng.permutation(len(trips))
    fees_fen = np.where(rng.random(len(trips)) < LANE_CHARGED, charges_fen, NO_FEE_FEN)
    at = 0
    while at < len(trips):
        rows = order[at : at + int(rng.integers(*CALL_RECORDS))]
        exits = exit_message_of(trips, network, names, fees_fen, rows)
        request = pb.PostPassageRecordsRequest(exits=exits).SerializeToString()
        yield Call(request, charges_fen[rows].tolist())
        at += len(rows)


def filed(calls: Sequence[Call], rng: random.Random) -> list[list[Call]]:
    """The calls as files in no order, some calls in two files."""
    sent = [*calls, *rng.sample(calls, int(len(calls) * AGAIN))]
    rng.shuffle(sent)
    return [sent[n::FILES] for n in range(FILES)]


def kill_both(
    stack: Stack, server: PostgresServer, senders: Senders, rng: random.Random, *, kills: int, call_count: int
) -> None:
    """Kill the service and PostgreSQL, in no order, each time some moment after a number of calls was answered."""
    names = [API, server.name] * kills
    rng.shuffle(names)
    moments = sorted(rng.sample(range(1, int(call_count * 0.95)), len(names)))
    for name, answered in zip(names, moments, strict=True):
        wait_for(senders, answered)
        time.sleep(rng.uniform(0, MOMENT_S_MAX))
        if name == API:
            assert stack.processes[API].poll() is None, "the service ended by itself"
            stack.kill(API)
            time.sleep(rng.uniform(*DOWN_S))
            stack.start(API)
        else:
            server.kill()
            time.sleep(rng.uniform(*DOWN_S))
            server.start()


def wait_for(senders: Senders, answered: int) -> None:
    """Return when so many calls were answered."""
    deadline_s = time.monotonic() + STUCK_S_MAX
    while senders.answered < answered:
        assert time.monotonic() < deadline_s, f"{senders.answered} of {answered} calls are answered"
        time.sleep(0.005)


def seed() -> int:
    return int(os.environ.get("CRASH_SEED", random.randrange(2**32)))
