"""Clearing on a real PostgreSQL: a day is closed once, accounts agree, and nothing of it can be changed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest

from common.clock import ManualClock
from common.errors import NotAllowedNow
from common.infra.migrations import migrate
from common.infra.postgres import Pool, open_pool
from services.etc_billing.adapters.clearing_store import CLEARING_CHAIN, ClearingStore
from services.etc_billing.adapters.ledger_store import LedgerStore, verified
from services.etc_billing.domain.identifiers import record_keys
from services.etc_billing.domain.ledger import Account, AccountKind
from services.etc_billing.flows.clearing import Closing, Outcome, clear, prove
from services.etc_billing.flows.posting import posted
from tests.etc_billing.clearing_world import DAY, OVER, TARIFF, Crash, MemoryFiles
from tests.etc_billing.exit_world import DAY_MS, exit_id, rated, records

pytestmark = [pytest.mark.enable_socket, pytest.mark.services("postgres")]
MIGRATIONS = Path(__file__).resolve().parents[3] / "services" / "etc_billing" / "migrations"
CLEARED = ("closed_days", "owner_sheets", "cleared_passages")
TABLES = ("blocks", "passages", "postings", "balance_changes", *CLEARED)
CLEARING = Account(AccountKind.TOLL_IN_CLEARING, "43")
ISSUER = Account(AccountKind.ISSUER_RESERVED, "430101")
ROWS: tuple[dict[str, Any], ...] = ({}, {"intervals": (0, 1, 2), "fees_fen": 969}, {"intervals": (1, 2, 1)})


@pytest.fixture(scope="module")
def prepared(postgres_url: str) -> str:
    migrate(postgres_url, MIGRATIONS)
    return postgres_url


@pytest.fixture
def pool(prepared: str) -> Iterator[Pool]:
    with psycopg.connect(prepared, autocommit=True) as connection:
        for what in ("DISABLE", "ENABLE"):
            for table in TABLES:
                connection.execute(f"ALTER TABLE billing.{table} {what} TRIGGER append_only".encode())
            if what == "DISABLE":
                connection.execute(f"TRUNCATE {', '.join(f'billing.{table}' for table in TABLES)}".encode())
    with open_pool(prepared) as found:
        yield found


@pytest.fixture
def store(pool: Pool, prepared: str) -> ClearingStore:
    return ClearingStore(pool, prepared)


def post(pool: Pool, *rows: dict[str, Any], chain: int = 1, first: int = 0) -> None:
    named = [{"exit_ids": exit_id(first + n)} | row for n, row in enumerate(rows)]
    posted(records(*named), ledger=LedgerStore(pool, chain), rating=rated, clock=ManualClock(1000))


def cleared(store: ClearingStore, files: MemoryFiles, day: int = DAY) -> Outcome:
    return clear(day, tariff=TARIFF, clearings=store, files=files, clock=OVER)


def balance(pool: Pool, account: Account, day: int = DAY) -> int:
    return LedgerStore(pool, 1).balance_fen(account, known_time_ms=OVER.now_ms(), business_day=day)


def counts(pool: Pool) -> list[int]:
    with pool.connection() as connection:
        found = [connection.execute(f"SELECT count(*) FROM billing.{table}".encode()).fetchone() for table in TABLES]
    return [row[0] for row in found if row]


def test_what_waited_for_clearing_is_owed_to_owners(pool: Pool, store: ClearingStore) -> None:
    post(pool, *ROWS)
    outcome = cleared(store, MemoryFiles())
    owed = [balance(pool, Account(AccountKind.OWNER_PAYABLE, f"{owner}/G0004430010")) for owner in ("示例甲", "示例乙")]
    assert balance(pool, CLEARING) == 0
    assert -sum(owed) == balance(pool, ISSUER) == outcome.closed.total_fen == 1900 + 969 + 2850
    assert owed == [-sheet.total_fen for sheet in reversed(outcome.sheets)]
    assert verified(pool) == (2, [])
    assert store.find_closed(DAY) == outcome.closed
    assert store.sheets(DAY) == outcome.sheets


def test_a_closed_day_stays_as_it_is_when_late_data_comes(pool: Pool, store: ClearingStore) -> None:
    files = MemoryFiles()
    post(pool, *ROWS)
    cleared(store, files)
    post(pool, {"exit_times_ms": DAY_MS - 3_600_000, "entry_times_ms": DAY_MS - 7_200_000}, chain=2, first=50)
    post(pool, {}, chain=1, first=60)
    before = (counts(pool), dict(files.found))
    again = cleared(store, files)
    assert (again.closed_before, again.differing) == (True, ())
    assert (counts(pool), files.found) == before
    assert cleared(store, files, DAY + 1).closed.passage_count == 2
    assert balance(pool, CLEARING, DAY + 1) == 0
    assert cleared(store, files, DAY + 2).closed.passage_count == 0
    assert counts(pool)[-1] == 5


def test_passages_of_a_later_day_wait_for_it(pool: Pool, store: ClearingStore) -> None:
    post(pool, {}, {"exit_times_ms": DAY_MS + 25 * 3_600_000})
    assert cleared(store, MemoryFiles()).closed.passage_count == 1
    assert cleared(store, MemoryFiles(), DAY + 1).closed.passage_count == 1


def test_other_calls_chains_and_orders_give_the_same_files(pool: Pool, store: ClearingStore, prepared: str) -> None:
    rows = [row | {"exit_ids": exit_id(n)} for n, row in enumerate(ROWS * 4)]
    first, second = MemoryFiles(), MemoryFiles(writes_left=0)
    post(pool, *rows[:5])
    with pytest.raises(Crash):
        cleared(store, second)
    post(pool, *reversed(rows[5:]), chain=2)
    cleared(store, first)
    with psycopg.connect(prepared) as connection:
        for table in TABLES:
            connection.execute(f"ALTER TABLE billing.{table} DISABLE TRIGGER append_only".encode())
        connection.execute(f"TRUNCATE {', '.join(f'billing.{table}' for table in TABLES)}".encode())
    second.writes_left = 100
    for n, row in enumerate(reversed(rows)):
        post(pool, row, chain=1 + n % 3)
    cleared(store, second)
    assert first.found == second.found


def test_a_crash_in_the_transaction_leaves_nothing_of_it(
    pool: Pool, store: ClearingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = MemoryFiles()
    post(pool, *ROWS)
    before = counts(pool)

    def crash(*_: Any) -> None:
        raise Crash

    with monkeypatch.context() as patched:
        patched.setattr("services.etc_billing.adapters.clearing_store.OpenLedger._add_passages", crash)
        with pytest.raises(Crash):
            cleared(store, files)
    assert counts(pool) == before
    written = dict(files.found)
    cleared(store, files)
    assert files.found == written
    assert counts(pool)[4:] == [1, 2, 3]
    assert verified(pool) == (2, [])


def test_only_one_process_clears(pool: Pool, store: ClearingStore) -> None:
    with store.opened(), pytest.raises(NotAllowedNow, match="another process"):
        cleared(store, MemoryFiles())
    assert cleared(store, MemoryFiles()).closed.block_number == 0


def test_a_day_is_read_as_of_one_moment(pool: Pool, store: ClearingStore) -> None:
    post(pool, *ROWS)
    with store.opened() as ledger:
        assert ledger.find_last_closed() is None
        post(pool, {}, chain=2, first=50)
        due = [passage for batch in ledger.due(DAY) for passage in batch]
        assert len(due) == 3
        keys = np.array([passage.key for passage in due], "V16")
        ledger.close(Closing(DAY, 1, bytes(32), 0, keys, [], None))
    assert cleared(store, MemoryFiles(), DAY + 1).closed.passage_count == 1


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        *((f"DELETE FROM billing.{table}", "append-only") for table in CLEARED),
        ("UPDATE billing.closed_days SET total_fen = 0", "append-only"),
        (f"INSERT INTO billing.cleared_passages VALUES (gen_random_uuid(), {DAY})", "is closed"),
        (
            f"INSERT INTO billing.owner_sheets VALUES ({DAY}, 'x', sha256('')::bytea, sha256('')::bytea, 0, 0, 0)",
            "is closed",
        ),
        (f"INSERT INTO billing.closed_days VALUES ({DAY + 1}, 0, sha256(''), 0, 7, 0, '{{}}', '{{}}')", "0 fen of 7"),
        (f"INSERT INTO billing.closed_days VALUES ({DAY - 1}, 0, sha256(''), 0, 0, 0, '{{}}', '{{}}')", "a day after"),
    ],
)
def test_nothing_of_a_closed_day_can_be_changed(pool: Pool, store: ClearingStore, statement: str, message: str) -> None:
    post(pool, *ROWS)
    cleared(store, MemoryFiles())
    with pytest.raises(psycopg.errors.IntegrityError, match=message), pool.connection() as connection:
        connection.execute(statement.encode())


def test_a_passage_is_found_in_the_day_that_cleared_it_and_proved(pool: Pool, store: ClearingStore) -> None:
    files = MemoryFiles()
    post(pool, *ROWS)
    cleared(store, files)
    keys = record_keys(np.array([exit_id(0), exit_id(9)], "S40"))
    assert [store.find_day(key.tobytes()) for key in keys] == [DAY, None]
    assert prove(exit_id(0), "示例乙", clearings=store, files=files)["day"] == "2026-11-25"


def test_the_entry_of_a_day_stands_on_a_chain_of_its_own(pool: Pool, store: ClearingStore) -> None:
    post(pool, *ROWS)
    cleared(store, MemoryFiles())
    with pool.connection() as connection:
        rows = connection.execute(
            "SELECT sum(amount_fen), count(*) FROM billing.postings WHERE chain = %s", (CLEARING_CHAIN,)
        )
        assert rows.fetchone() == (0, 3)
