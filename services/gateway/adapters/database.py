"""PostgreSQL for coroutines, and rows as dictionaries."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import psycopg
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from common.errors import Unavailable

CONNECTIONS_MAX = 8  # sessions are looked up in well under a millisecond
WAIT_S = 5.0

Pool: TypeAlias = AsyncConnectionPool[psycopg.AsyncConnection[DictRow]]


@asynccontextmanager
async def opened_pool(url: str) -> AsyncIterator[Pool]:
    """Connections to `url`, closed at the end."""
    pool: Pool = AsyncConnectionPool(
        url,
        min_size=1,
        max_size=CONNECTIONS_MAX,
        timeout=WAIT_S,
        kwargs={"row_factory": dict_row},
        check=AsyncConnectionPool.check_connection,
        open=False,
    )
    await pool.open()
    try:
        yield pool
    finally:
        await pool.close()


@asynccontextmanager
async def transaction(pool: Pool) -> AsyncIterator[psycopg.AsyncConnection[DictRow]]:
    """A connection whose work is committed at the end. Raises Unavailable when the database is away."""
    try:
        async with pool.connection() as connection:
            yield connection
    except (psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout) as error:
        raise Unavailable("DATABASE_UNAVAILABLE", f"PostgreSQL does not answer: {error}") from error


async def rows(pool: Pool, query: str, *values: object) -> list[dict[str, Any]]:
    """What one statement returns; empty for one that returns nothing."""
    async with transaction(pool) as connection:
        cursor = await connection.execute(query.encode(), values)
        return await cursor.fetchall() if cursor.description else []
