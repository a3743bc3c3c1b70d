"""The clearing process and PostgreSQL killed at random moments: a day is closed once, with the files of an undisturbed
run."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from common.clock import ManualClock
from common.infra.migrations import migrate
from common.infra.postgres import open_pool
from services.etc_billing.adapters.clearing_store import ClearingStore
from services.etc_billing.adapters.ledger_store import LedgerStore, verified
from services.etc_billing.domain.ledger import Account, AccountKind
from services.etc_billing.flows.clearing import clear, written
from services.etc_billing.flows.posting import posted
from tests.etc_billing.clearing_world import DAY, OVER, TARIFF, MemoryClearings, MemoryFiles
from tests.etc_billing.exit_world import DAY_MS, exit_id, rated, records
from tests.real_servers import PostgresServer

ROOT = Path(__file__).resolve().parents[2]
MIGRATIONS = ROOT / "services" / "etc_billing" / "migrations"
SEED, PASSAGES = 20261125, 1_500
KILL_S_MAX, RUN_S_MAX = 0.7, 60.0  # an undisturbed run takes 0.4 to 0.9 s
DAY_SPAN_MS = 86_400_000

pytestmark = [pytest.mark.enable_socket, pytest.mark.services("postgres")]


def rows_of(rng: random.Random, first: int, day: int) -> list[dict[str, Any]]:
    """Passages of a day."""
    exit_ms = DAY_MS + (day - DAY) * DAY_SPAN_MS + 36_000_000
    return [
        {
            "exit_ids": exit_id(first + n),
            "exit_times_ms": exit_ms,
            "entry_times_ms": exit_ms - 3_600_000,
            "fees_fen": rng.randrange(5_000),
            "intervals": tuple(rng.choices((0, 1, 2), k=rng.randint(1, 5))),
        }
        for n in range(PASSAGES)
    ]


@contextmanager
def clearing(server: PostgresServer, folder: Path, day: int) -> Iterator[subprocess.Popen[str]]:
    """A process that has come to the point where it clears."""
    command = [sys.executable, "-m", "tests.faults.clearing_run", server.url(), str(folder), str(day)]
    with subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("rounds", [3, pytest.param(20, marks=pytest.mark.faults)])
def test_kills_at_any_moment_leave_one_effect(postgres_server: PostgresServer, tmp_path: Path, rounds: int) -> None:
    rng, memory, expected = random.Random(SEED), MemoryClearings(), MemoryFiles()
    migrate(postgres_server.url(), MIGRATIONS)
    for number in range(rounds):
        day = DAY - rounds + number
        rows = rows_of(rng, number * PASSAGES, day)
        memory.post(*rows, day=day)
        with open_pool(postgres_server.url()) as pool:
            posted(records(*rows), ledger=LedgerStore(pool, 1 + number % 2), rating=rated, clock=ManualClock(1))
        with clearing(postgres_server, tmp_path, day) as process:
            time.sleep(rng.uniform(0, KILL_S_MAX))
            if number % 3 == 2:
                postgres_server.kill()
                process.wait(RUN_S_MAX)
                postgres_server.start()
            else:
                process.kill()
        with clearing(postgres_server, tmp_path, day) as process:
            assert process.wait(RUN_S_MAX) == 0
        clear(day, tariff=TARIFF, clearings=memory, files=expected, clock=OVER)
        folder = tmp_path / "clearing" / written(day)
        found = {f"clearing/{written(day)}/{path.name}": path.read_bytes() for path in folder.glob("[!.]*")}
        assert found == {path: content for path, content in expected.found.items() if written(day) in path}
    total_fen = sum(passage.charge_fen for _, passage in memory.passages)
    with open_pool(postgres_server.url()) as pool:
        ledger, store = LedgerStore(pool, 1), ClearingStore(pool, postgres_server.url())
        waiting = ledger.balance_fen(
            Account(AccountKind.TOLL_IN_CLEARING, "43"), known_time_ms=OVER.now_ms(), business_day=DAY
        )
        closed = [store.find_closed(DAY - rounds + number) for number in range(rounds)]
        assert waiting == 0
        assert [one.passage_count for one in closed if one] == [PASSAGES] * rounds
        assert sum(one.total_fen for one in closed if one) == total_fen
        assert verified(pool) == (2 * rounds, [])
