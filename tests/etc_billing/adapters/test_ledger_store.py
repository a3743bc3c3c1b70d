"""The ledger on a real PostgreSQL: what is posted once is posted once, and what was altered is found."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest

from common.clock import ManualClock
from common.errors import NotFound
from common.infra.migrations import migrate
from common.infra.postgres import Pool, open_pool
from services.etc_billing.adapters.ledger_store import LedgerStore, verified
from services.etc_billing.domain.exit_records import business_days
from services.etc_billing.domain.ledger import Account, AccountKind
from services.etc_billing.flows.posting import CREATED, EXISTS, EXISTS_DIFFERENT, REJECTED, Answers, posted
from tests.etc_billing.exit_world import DAY_MS, exit_id, rated, records

pytestmark = [pytest.mark.enable_socket, pytest.mark.services("postgres")]
MIGRATIONS = Path(__file__).resolve().parents[3] / "services" / "etc_billing" / "migrations"
TABLES = ("blocks", "passages", "postings", "balance_changes")
ISSUER = Account(AccountKind.ISSUER_RESERVED, "430101")
CLEARING = Account(AccountKind.TOLL_IN_CLEARING, "43")
ALL_DAYS = 2_000_000


@pytest.fixture(scope="module")
def prepared(postgres_url: str) -> str:
    migrate(postgres_url, MIGRATIONS)
    return postgres_url


@pytest.fixture
def pool(prepared: str) -> Iterator[Pool]:
    with psycopg.connect(prepared, autocommit=True) as connection:
        for table in TABLES:
            connection.execute(f"ALTER TABLE billing.{table} DISABLE TRIGGER append_only".encode())
        connection.execute(b"TRUNCATE billing.blocks, billing.passages, billing.postings, billing.balance_changes")
        for table in TABLES:
            connection.execute(f"ALTER TABLE billing.{table} ENABLE TRIGGER append_only".encode())
    with open_pool(prepared) as found:
        yield found


def post(pool: Pool, *rows: dict[str, Any], chain: int = 1, now_ms: int = 1000) -> Answers:
    return posted(records(*rows), ledger=LedgerStore(pool, chain), rating=rated, clock=ManualClock(now_ms))


def counts(pool: Pool) -> list[int]:
    with pool.connection() as connection:
        found = [connection.execute(f"SELECT count(*) FROM billing.{table}".encode()).fetchone() for table in TABLES]
    return [row[0] for row in found if row]


def test_a_bulk_is_posted_once_and_sent_again_changes_nothing(pool: Pool) -> None:
    first = post(pool, {}, {"intervals": (0, 1, 2)})
    assert (first.outcomes.tolist(), first.charges_fen.tolist()) == ([CREATED] * 2, [1900, 2850])
    before = counts(pool)
    again = post(pool, {}, {"intervals": (0, 1, 2)}, {})
    assert (again.outcomes.tolist(), again.charges_fen.tolist()) == ([EXISTS, EXISTS, CREATED], [1900, 2850, 1900])
    assert counts(pool) == [before[0] + 1, before[1] + 1, before[2] + 4, before[3] + 4]


def test_another_value_under_the_same_id_is_named_and_changes_nothing(pool: Pool) -> None:
    post(pool, {})
    before = counts(pool)
    found = post(pool, {"plates": "湘A00002"})
    assert (found.outcomes.tolist(), found.details) == ([EXISTS_DIFFERENT], {0: "plate"})
    assert counts(pool) == before


def test_a_bad_record_leaves_its_neighbours_alone(pool: Pool) -> None:
    found = post(pool, {}, {"vehicle_types": 9}, {"intervals": ()}, {})
    assert found.outcomes.tolist() == [CREATED, REJECTED, REJECTED, CREATED]
    assert found.details == {1: "VEHICLE_TYPE_UNKNOWN", 2: "NO_INTERVALS"}


def test_the_same_id_twice_in_one_call_is_as_if_the_second_came_later(pool: Pool) -> None:
    same = {"exit_ids": exit_id(7), "pass_ids": "0143019999000000" + "0" * 20, "card_ids": ""}
    found = post(pool, same, same, same | {"seat_counts": 7})
    assert found.outcomes.tolist() == [CREATED, EXISTS, EXISTS_DIFFERENT]
    assert found.details == {2: "seat_count"}
    assert found.charges_fen.tolist() == [1900, 1900, 0]


def test_what_the_lane_charged_is_the_charge(pool: Pool) -> None:
    assert post(pool, {"fees_fen": 1234}).charges_fen.tolist() == [1234]


def test_balances_are_known_as_of_a_time_and_a_day(pool: Pool) -> None:
    store = LedgerStore(pool, 1)
    day = int(business_days(np.array([DAY_MS]))[0])
    post(pool, {}, now_ms=1000)
    post(pool, {}, {}, {"exit_times_ms": DAY_MS + 25 * 3_600_000}, now_ms=2000)
    assert store.balance_fen(ISSUER, known_time_ms=1000, business_day=ALL_DAYS) == 1900
    assert store.balance_fen(ISSUER, known_time_ms=2000, business_day=ALL_DAYS) == 5700
    assert store.balance_fen(ISSUER, known_time_ms=2000, business_day=day) == 3800
    assert store.balance_fen(CLEARING, known_time_ms=2000, business_day=ALL_DAYS) == -5700
    with pytest.raises(NotFound):
        store.balance_fen(Account(AccountKind.LANE_TAKINGS, "nowhere"), known_time_ms=1, business_day=day)


def test_two_chains_that_are_sent_the_same_passages_post_each_once(pool: Pool) -> None:
    rows: list[dict[str, Any]] = [{} for _ in range(50)]
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda chain: post(pool, *rows, chain=chain), (1, 2, 3, 4)))
    created = np.sum([answers.outcomes == CREATED for answers in found], axis=0)
    assert created.tolist() == [1] * 50
    assert counts(pool)[1] == 50
    assert verified(pool)[1] == []


def test_nothing_can_be_changed_or_removed(pool: Pool) -> None:
    post(pool, {})
    for statement in (
        "UPDATE billing.passages SET charge_fen = 1",
        "DELETE FROM billing.postings",
        "TRUNCATE billing.blocks",
    ):
        with pytest.raises(psycopg.errors.RestrictViolation, match="append-only"), pool.connection() as connection:
            connection.execute(statement.encode())


def test_an_entry_that_does_not_sum_to_zero_is_refused_by_the_database(pool: Pool) -> None:
    with pytest.raises(psycopg.errors.CheckViolation, match="sums to 1 fen"), pool.connection() as connection:
        connection.execute(b"INSERT INTO billing.postings VALUES (1, 1, 0, 1, 1, 5), (1, 1, 0, 2, 1, -4)")


@pytest.mark.parametrize(
    ("table", "statement"),
    [
        ("passages", "UPDATE billing.passages SET charge_fen = charge_fen + 1 WHERE row_number = 0"),
        ("postings", "UPDATE billing.postings SET amount_fen = -amount_fen"),
        ("balance_changes", "DELETE FROM billing.balance_changes"),
        ("blocks", "UPDATE billing.blocks SET post_time_ms = 7 WHERE block_number = 1"),
        ("blocks", "DELETE FROM billing.blocks WHERE block_number = 1"),
    ],
)
def test_what_a_superuser_alters_is_found(pool: Pool, table: str, statement: str) -> None:
    post(pool, {}, {})
    post(pool, {}, {}, {})
    assert verified(pool) == (2, [])
    with pool.connection() as connection:
        connection.execute(f"ALTER TABLE billing.{table} DISABLE TRIGGER append_only".encode())
        connection.execute(statement.encode())
        connection.execute(f"ALTER TABLE billing.{table} ENABLE TRIGGER append_only".encode())
    assert verified(pool)[1] != []
