"""One write to the register or the fences: in order with all others, once per request id, and in the audit log."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from typing import Any, TypeAlias

import psycopg
from psycopg.rows import TupleRow
from psycopg.types.json import Jsonb
from psycopg_pool import ConnectionPool, PoolTimeout

from common.errors import AlreadyExists, Stale, Unavailable

WRITER_LOCK = 0x7869616E67  # any number that nobody else locks
REQUEST_ID_HOURS = 24  # far longer than anybody retries

Pool: TypeAlias = ConnectionPool[psycopg.Connection[TupleRow]]


class Change:
    """A write under way. Readers see it, and every change before it, or neither."""

    def __init__(self, connection: psycopg.Connection[TupleRow], caller: str) -> None:
        self.connection = connection
        self.caller = caller

    def sequence(self) -> int:
        """The number of the next change."""
        return int(self.rows("SELECT nextval('change_sequence')")[0][0])

    def rows(self, query: str, *values: object) -> list[TupleRow]:
        """What a query returns; empty for one that returns nothing."""
        cursor = self.connection.execute(query.encode(), values)
        return cursor.fetchall() if cursor.description else []

    def many(self, query: str, rows: list[tuple[object, ...]]) -> None:
        """The same statement for many rows."""
        if rows:
            with self.connection.cursor() as cursor:
                cursor.executemany(query.encode(), rows)

    def audit(self, action: str, subject: str, subject_id: object, *, before: Any = None, after: Any = None) -> None:
        """Note who did what to which thing."""
        self.audit_many([(action, subject, subject_id, before, after)])

    def audit_many(self, entries: list[tuple[str, str, object, Any, Any]]) -> None:
        """Note several things that were done."""
        self.many(
            "INSERT INTO audit_log (caller, action, subject, subject_id, before, after)"
            " VALUES (%s, %s, %s, %s, %s, %s)",
            [(self.caller, action, kind, str(key), _json(old), _json(new)) for action, kind, key, old, new in entries],
        )

    def once(self, method: str, request_id: str, body: bytes, answer: Callable[[], bytes]) -> bytes:
        """The answer to a request: the first one when `request_id` was seen. Raises AlreadyExists for another body."""
        if not request_id:
            return answer()
        digest = blake2b(body, digest_size=16).digest()
        self.rows("DELETE FROM request_ids WHERE expire_time < now()")
        known = self.rows(
            "SELECT body_hash, answer FROM request_ids WHERE caller = %s AND method = %s AND request_id = %s",
            self.caller, method, request_id,
        )  # fmt: skip
        if known and bytes(known[0][0]) != digest:
            raise AlreadyExists("REQUEST_ID_REUSED", "request_id: was used for another body; choose a new one")
        if known:
            return bytes(known[0][1])
        given = answer()
        self.rows(
            "INSERT INTO request_ids VALUES (%s, %s, %s, %s, %s, now() + make_interval(hours => %s))",
            self.caller, method, request_id, digest, given, REQUEST_ID_HOURS,
        )  # fmt: skip
        return given


@contextmanager
def change(pool: Pool, caller: str) -> Iterator[Change]:
    """A write on behalf of `caller`, committed at the end. Writers wait for each other: a change number that becomes
    visible before a smaller one would be skipped by readers for good."""
    with connected(pool) as connection, connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (WRITER_LOCK,))
        yield Change(connection, caller)


@contextmanager
def connected(pool: Pool) -> Iterator[psycopg.Connection[TupleRow]]:
    """A connection. Raises Unavailable when the database is away."""
    try:
        with pool.connection() as connection:
            yield connection
    except (psycopg.OperationalError, PoolTimeout) as error:
        raise Unavailable("DATABASE_UNAVAILABLE", f"PostgreSQL does not answer: {error}") from error


def read(pool: Pool, query: str, *values: object) -> list[TupleRow]:
    """The rows of one query, which sees one moment."""
    with connected(pool) as connection:
        return connection.execute(query.encode(), values).fetchall()


def check_answers(pool: Pool) -> None:
    """Raise Unavailable when PostgreSQL does not answer."""
    read(pool, "SELECT 1")


def check_etag(kind: str, identity: object, *, given: str, current: str) -> None:
    """Raise Stale when an edit was made on an older version."""
    if given != current:
        raise Stale(kind, identity)


def _json(value: Any) -> Jsonb | None:
    return None if value is None else Jsonb(value)
