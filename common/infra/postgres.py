"""PostgreSQL: pools and connections that answer or raise within a bounded time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias, TypeVar

import psycopg
from psycopg import errors
from psycopg.abc import PQGen
from psycopg.rows import TupleRow
from psycopg_pool import ConnectionPool, PoolTimeout

from common.errors import Unavailable

CONNECT_TIMEOUT_S = 5
CONNECTION_WAIT_S = 10.0  # for a free connection, or for the server to come back
ANSWER_TIMEOUT_S = 60.0  # no statement of ours is near it
RECONNECT_S_MAX = 5.0  # the pool's attempts grow apart: after these every caller tries afresh
POOL_CONNECTIONS_MAX = 8
IDLE_S_MAX = 300.0
WAIT_INTERVAL_S = 0.1  # how soon Ctrl-C is noticed

AWAY = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    errors.IdleInTransactionSessionTimeout,  # this process was frozen for longer than the server waits
    PoolTimeout,
)

ResultT = TypeVar("ResultT")
Pool: TypeAlias = ConnectionPool[psycopg.Connection[TupleRow]]


class BoundedConnection(psycopg.Connection[TupleRow]):
    """A connection whose server may vanish without a word: waiting longer than `answer_timeout_s` breaks it."""

    answer_timeout_s: float = ANSWER_TIMEOUT_S

    def wait(self, gen: PQGen[ResultT], interval: float = WAIT_INTERVAL_S, timeout: float | None = None) -> ResultT:
        """What `gen` gives. Raises OperationalError when the server is silent for too long."""
        if timeout is not None:  # somebody who waits for a notification knows how long
            return super().wait(gen, interval, timeout)
        try:
            return super().wait(gen, interval, self.answer_timeout_s)
        except errors._WaitTimeout:
            self.pgconn.finish()  # its answer, should it still come, belongs to nobody
            raise psycopg.OperationalError(f"no answer within {self.answer_timeout_s:.0f} s") from None


def open_pool(
    url: str,
    *,
    connections_max: int = POOL_CONNECTIONS_MAX,
    name: str = "xiangtong",
    autocommit: bool = False,
    options: str = "",
) -> Pool:
    """A thread-safe pool of connections to `url`, which opens even while the database is away. A connection is checked
    before it is given out, so a restart of the database costs no caller an error. `options`: server settings as
    `-c name=value`."""
    pool: Pool = ConnectionPool(
        url,
        connection_class=BoundedConnection,
        kwargs={"autocommit": autocommit, **_connection_settings(name, options)},
        min_size=1,
        max_size=connections_max,
        timeout=CONNECTION_WAIT_S,
        max_idle=IDLE_S_MAX,
        reconnect_timeout=RECONNECT_S_MAX,
        check=ConnectionPool.check_connection,
        open=False,
        name=name,
    )
    pool.open()
    return pool


def connect(url: str, *, name: str = "xiangtong", options: str = "") -> BoundedConnection:
    """One connection that commits each statement by itself. `options`: server settings as `-c name=value`. Raises
    Unavailable when the database is away."""
    with unavailable_when_away():
        return BoundedConnection.connect(
            url,
            autocommit=True,
            **_connection_settings(name, options),
        )


@contextmanager
def unavailable_when_away() -> Iterator[None]:
    """Turn "PostgreSQL does not answer" into Unavailable; other errors pass."""
    try:
        yield
    except AWAY as error:
        raise Unavailable("DATABASE_UNAVAILABLE", f"PostgreSQL does not answer: {error}") from error


def _connection_settings(name: str, options: str) -> dict[str, Any]:
    """A peer that is cut off is noticed within half a minute."""
    keepalive = {"keepalives": 1, "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}
    chosen = {"options": options} if options else {}
    return {"connect_timeout": CONNECT_TIMEOUT_S, "application_name": name, **keepalive, **chosen}
