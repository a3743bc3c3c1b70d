"""Engine and access killed at random moments under load, broker, database and Redis killed and started again: what a
terminal got an answer for is archived once, and the alarms are those of an undisturbed run."""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.stack import Stack
from services.vehicle_tracking.settings import TrackingSettings
from tests.faults.crash_outcome import Outcome, outcome, tracks
from tests.faults.crash_run import RECOVERY_S, SETTINGS, Plan, Run, run
from tests.real_servers import KafkaServer, PostgresServer, RealServer, RedisServer

STRAYS_MAX = 8  # a process that dies in between taking partitions over and cleaning up leaves one in each at most

pytestmark = [pytest.mark.enable_socket, pytest.mark.slow]


def crashed(
    folder: Path,
    addresses: dict[str, str],
    plan: Plan,
    servers: dict[str, RealServer] | None = None,
) -> None:
    """Carry out a plan and check what became of everything."""
    sys.stdout.write(f"\nseed {plan.seed}: CRASH_SEED={plan.seed} repeats it\n")
    own: dict[str, Any] = {
        name.removeprefix("XIANGTONG_").lower(): value for name, value in (addresses | SETTINGS).items()
    }

    def check(done: Run, stack: Stack) -> None:
        sys.stdout.write(f"{done.told()}\n")
        stored = outcome(done, TrackingSettings(**own, data=stack.folder / "data"))
        sys.stdout.write(f"{stored.told()}\n")
        nothing_is_lost(done, stored, tracks(stack.api, done.ids, int(done.said.fix_times_ms.min())))
        alarms_are_those_of_an_undisturbed_run(stored)
        nobody_gave_up(done)

    run(folder, addresses, servers or {}, plan, check)


def nothing_is_lost(done: Run, stored: Outcome, found: dict[int, list[int]]) -> None:
    """Every acknowledged position is archived once, and read once."""
    counts = done.counts
    assert counts.positions_refused == counts.positions_dropped == 0
    assert counts.positions_acknowledged == counts.positions_reported, "what waits was to be answered"
    said = {
        (done.ids[vehicle], fix_ms)
        for vehicle, fix_ms in zip(done.said.vehicles.tolist(), done.said.fix_times_ms.tolist(), strict=True)
    }
    assert sorted(said - set(stored.archived)) == [], "acknowledged and not archived"
    assert sorted(set(stored.archived) - said) == [], "archived and never said"
    assert {fix: count for fix, count in stored.archived.items() if count > 1} == {}
    for number, spans in stored.spans.items():
        assert [start for start, _ in spans] == [0, *(end for _, end in spans[:-1])], "files follow on each other"
        assert spans[-1][1] == stored.ends[number]
    assert len(stored.stray_files) <= STRAYS_MAX
    expected: dict[int, list[int]] = {vehicle_id: [] for vehicle_id in done.ids}
    for vehicle_id, fix_ms in sorted(said):
        expected[vehicle_id].append(fix_ms)
    assert found == expected


def alarms_are_those_of_an_undisturbed_run(stored: Outcome) -> None:
    """In every respect; and those of the simulation's truth; and each was published as it is stored."""
    assert {
        k: (stored.alarms.get(k), told) for k, told in stored.undisturbed.items() if stored.alarms.get(k) != told
    } == {}
    assert {k: told for k, told in stored.alarms.items() if k not in stored.undisturbed} == {}
    raised = {key: told for key, told in stored.alarms.items() if key[0] != "offline"}
    assert {k: (raised.get(k), told) for k, told in stored.true.items() if raised.get(k) != told} == {}
    assert {k: told for k, told in raised.items() if k not in stored.true} == {}
    assert sorted(stored.alarm_ids - stored.published) == []


def nobody_gave_up(done: Run) -> None:
    """A role ends by itself only when a server is away."""
    unexplained = [
        blow
        for blow in done.blows
        if blow.by_itself and not any(start <= blow.at_s <= end + RECOVERY_S for start, end in done.outages_s)
    ]
    assert unexplained == []


@pytest.mark.services("postgres", "redis")
@pytest.mark.timeout(300)
def test_a_crash_of_engine_and_of_access_loses_and_repeats_nothing(
    postgres_url: str, redis_url: str, tmp_path: Path
) -> None:
    plan = Plan(random.randrange(2**32), vehicles=200, kills=1, pause_s=(0.5, 4.0), settle_s=1.0)
    crashed(tmp_path, {"XIANGTONG_POSTGRES": postgres_url, "XIANGTONG_REDIS": redis_url}, plan)


@pytest.mark.faults
@pytest.mark.services("postgres", "redis")
@pytest.mark.timeout(1800)
def test_ten_crashes_on_the_log_in_postgresql_lose_and_repeat_nothing(
    postgres_server: PostgresServer, redis_server: RedisServer, tmp_path: Path
) -> None:
    addresses = {"XIANGTONG_POSTGRES": postgres_server.url(), "XIANGTONG_REDIS": redis_server.url}
    crashed(tmp_path, addresses, Plan(seed()), {"postgres": postgres_server, "redis": redis_server})


@pytest.mark.faults
@pytest.mark.services("postgres", "redis", "kafka")
@pytest.mark.timeout(1800)
def test_ten_crashes_on_the_log_in_kafka_lose_and_repeat_nothing(
    postgres_server: PostgresServer, redis_server: RedisServer, kafka_server: KafkaServer, tmp_path: Path
) -> None:
    addresses = {
        "XIANGTONG_POSTGRES": postgres_server.url(),
        "XIANGTONG_REDIS": redis_server.url,
        "XIANGTONG_KAFKA": kafka_server.address,
    }
    servers: dict[str, RealServer] = {"postgres": postgres_server, "redis": redis_server, "kafka": kafka_server}
    crashed(tmp_path, addresses, Plan(seed()), servers)


def seed() -> int:
    return int(os.environ.get("CRASH_SEED", random.randrange(2**32)))
