"""Closed days in PostgreSQL: what is due, read as of one moment, and the transaction that closes a day."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg import IsolationLevel
from psycopg.rows import TupleRow

from common.errors import NotAllowedNow
from common.infra.postgres import Pool, connect, unavailable_when_away
from services.etc_billing.adapters.copy_rows import HEADER, TRAILER, fixed_rows
from services.etc_billing.adapters.ledger_store import LedgerStore
from services.etc_billing.domain.clearing import in_order
from services.etc_billing.domain.ledger import Account
from services.etc_billing.flows.clearing import ClosedDay, ClosedSheet, Closing, DuePassage

CLEARING_CHAIN = 0  # of the ledger; those of processes that post begin at 1
CLEARING_LOCK = 0x636C6561
BATCH_ROWS = 20_000
ROWS_A_COPY = 100_000
ANSWER_TIMEOUT_S = 600.0  # a whole day is read and written in single statements
_CLOSED = "day, close_time_ms, digest, passage_count, total_fen, block_number"
_SHEET = "owner, root, digest, line_count, passage_count, total_fen"


class ClearingStore:
    """Days that are closed, and the one that somebody closes. Any thread may read; one process closes at a time."""

    def __init__(self, pool: Pool, url: str) -> None:
        self._pool, self._url = pool, url

    @contextmanager
    def opened(self) -> Iterator[OpenLedger]:
        """The ledger as of now, for closing a day. Raises NotAllowedNow when somebody else clears."""
        options = "-c idle_in_transaction_session_timeout=0"  # while the charges are split
        with unavailable_when_away(), connect(self._url, name="xiangtong-clearing", options=options) as connection:
            connection.answer_timeout_s = ANSWER_TIMEOUT_S
            # The lock comes before the moment that is read, and goes with the connection, also after a crash.
            [free] = _row(connection, "SELECT pg_try_advisory_lock(%s)", CLEARING_LOCK) or (False,)
            if not free:
                raise NotAllowedNow("CLEARING_RUNS", "another process is clearing; try again when it is done")
            connection.isolation_level = IsolationLevel.REPEATABLE_READ
            with connection.transaction():
                yield OpenLedger(connection, LedgerStore(self._pool, CLEARING_CHAIN))

    def find_closed(self, day: int) -> ClosedDay | None:
        """A day, when it is closed."""
        with unavailable_when_away(), self._pool.connection() as connection:
            query = f"SELECT {_CLOSED} FROM billing.closed_days WHERE day = %s"  # noqa: S608 – names of ours
            row = _row(connection, query, day)
        return ClosedDay(*row) if row else None

    def sheets(self, day: int) -> list[ClosedSheet]:
        """The sheets of a day, by owner."""
        query = f'SELECT {_SHEET} FROM billing.owner_sheets WHERE day = %s ORDER BY owner COLLATE "C"'  # noqa: S608 – names of ours
        with unavailable_when_away(), self._pool.connection() as connection:
            return [ClosedSheet(*row) for row in connection.execute(query.encode(), (day,)).fetchall()]

    def find_day(self, key: bytes) -> int | None:
        """The day in which a passage was cleared."""
        with unavailable_when_away(), self._pool.connection() as connection:
            row = _row(connection, "SELECT day FROM billing.cleared_passages WHERE passage_key = %s::uuid", key.hex())
        return row[0] if row else None


class OpenLedger:
    """The ledger as of one moment, in a transaction that ends with closing a day or with nothing."""

    def __init__(self, connection: psycopg.Connection[TupleRow], ledger: LedgerStore) -> None:
        self._connection, self._ledger = connection, ledger

    def find_last_closed(self) -> int | None:
        """The last day that is closed."""
        [last] = _row(self._connection, "SELECT max(day) FROM billing.closed_days") or (None,)
        return None if last is None else int(last)

    def due(self, day: int) -> Iterator[list[DuePassage]]:
        """All passages up to a day that are not cleared. They are those of days after the last closed one, and those
        of earlier days in blocks that were not there yet when that was closed: nothing else is read."""
        before = _row(self._connection, "SELECT day, chains, blocks FROM billing.closed_days ORDER BY day DESC LIMIT 1")
        query = "SELECT uuid_send(passage_key), charge_fen, body FROM billing.passages WHERE business_day <= %(day)s"
        values: dict[str, Any] = {"day": day}
        if before is not None:
            seen = dict(zip(before[1], before[2], strict=True))
            late = [
                f"(chain = {chain:d} AND block_number > {seen.get(chain, 0):d})" for chain, _ in self._ends_of_chains()
            ]
            query += f" AND ({' OR '.join(['business_day > %(last)s', *late])})"
            values["last"] = before[0]
        with self._connection.cursor(name="due", binary=True) as rows:
            rows.execute(query.encode(), values)
            while batch := rows.fetchmany(BATCH_ROWS):
                yield [DuePassage(*row) for row in batch]

    def account_numbers(self, accounts: Sequence[Account]) -> NDArray[np.int64]:
        """The number of each account, made where it is new, whatever becomes of the day."""
        return self._ledger.account_numbers(accounts)

    def close(self, closing: Closing) -> ClosedDay:
        """Close the day: passages, sheets and journal entry, then the day itself."""
        number = self._ledger.add_within(self._connection, closing.entry) if closing.entry else 0
        ends = self._ends_of_chains()
        self._add_passages(closing)
        with self._connection.cursor() as cursor:
            cursor.executemany(
                f"INSERT INTO billing.owner_sheets (day, {_SHEET}) VALUES (%s, %s, %s, %s, %s, %s, %s)",  # noqa: S608 – names of ours
                [(closing.day, *sheet) for sheet in closing.sheets],
            )
        closed = ClosedDay(
            closing.day, closing.close_time_ms, closing.digest, len(closing.keys), closing.total_fen, number
        )
        self._connection.execute(
            f"INSERT INTO billing.closed_days ({_CLOSED}, chains, blocks)".encode()
            + b" VALUES (%s, %s, %s, %s, %s, %s, %s::integer[], %s::bigint[])",
            (*closed, [chain for chain, _ in ends], [block for _, block in ends]),
        )
        return closed

    def _add_passages(self, closing: Closing) -> None:
        keys = in_order(closing.keys)
        copying = b"COPY billing.cleared_passages (passage_key, day) FROM STDIN (FORMAT binary)"
        with self._connection.cursor() as cursor, cursor.copy(copying) as copy:
            copy.write(HEADER)
            for at in range(0, len(keys), ROWS_A_COPY):
                part = keys[at : at + ROWS_A_COPY]
                copy.write(fixed_rows([part, np.full(len(part), closing.day, np.int32)]).tobytes())
            copy.write(TRAILER)

    def _ends_of_chains(self) -> list[tuple[int, int]]:
        """Each chain and the number of its last block. Blocks of a chain are committed in their order, so that a
        moment that has one has all before it."""
        rows = self._connection.execute(
            "SELECT chain, max(block_number) FROM billing.blocks GROUP BY chain ORDER BY chain"
        ).fetchall()
        return [(row[0], row[1]) for row in rows]


def _row(connection: psycopg.Connection[TupleRow], query: str, *values: object) -> TupleRow | None:
    return connection.execute(query.encode(), values).fetchone()
