"""The bare set-based posting that `post` is compared with: COPY into a staging table, then three statements a batch.
No records are decoded, checked, rated or hashed; a balance is one row an account."""

from __future__ import annotations

import random
import time
from datetime import datetime, timedelta, timezone
from typing import Any

import psycopg

ACCOUNTS, GANTRIES = 220_000, 2_000
FEES_FEN = (100, 3_000)
BODY = b"x" * 60
AT = datetime(2026, 3, 10, 10, tzinfo=timezone(timedelta(hours=8)))
TABLES = """
CREATE SCHEMA plain;
CREATE TABLE plain.account (account_id bigint PRIMARY KEY, balance_fen bigint NOT NULL DEFAULT 0);
CREATE TABLE plain.passage (passage_id bytea PRIMARY KEY, account_id bigint NOT NULL, gantry integer NOT NULL,
    pass_time timestamptz NOT NULL, fee_fen integer NOT NULL, body bytea);
CREATE TABLE plain.posting (passage_id bytea NOT NULL, account_id bigint NOT NULL, amount_fen integer NOT NULL);
CREATE TEMP TABLE stage (LIKE plain.passage) ON COMMIT DELETE ROWS;
"""
STATEMENTS = (
    b"INSERT INTO plain.passage SELECT * FROM stage ON CONFLICT DO NOTHING",
    b"INSERT INTO plain.posting SELECT passage_id, account_id, -fee_fen FROM stage"
    b" UNION ALL SELECT passage_id, -1 - gantry, fee_fen FROM stage",
    b"UPDATE plain.account AS a SET balance_fen = balance_fen - changed.fen"
    b" FROM (SELECT account_id, sum(fee_fen) AS fen FROM stage GROUP BY 1) AS changed"
    b" WHERE a.account_id = changed.account_id",
)

Row = tuple[Any, ...]


def plain_rates(url: str, *, batches: int, size: int) -> list[float]:
    """Passages posted a second in each batch of `size`, each one transaction; the tables are gone afterwards."""
    rng = random.Random(1)
    with psycopg.connect(url) as connection:
        connection.execute(TABLES.encode())
        connection.execute("INSERT INTO plain.account SELECT generate_series(1, %s)", (ACCOUNTS,))
        connection.commit()
        rates = [_rate(connection, _batch(rng, size)) for _ in range(batches)]
        connection.execute("DROP SCHEMA plain CASCADE")
    return rates


def _batch(rng: random.Random, size: int) -> list[Row]:
    draws = range(size)
    return [
        (rng.randbytes(16), rng.randint(1, ACCOUNTS), rng.randrange(GANTRIES), AT, rng.randrange(*FEES_FEN), BODY)
        for _ in draws
    ]


def _rate(connection: psycopg.Connection[Row], rows: list[Row]) -> float:
    start_s = time.perf_counter()
    with connection.cursor() as cursor:
        with cursor.copy(b"COPY stage FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        for statement in STATEMENTS:
            cursor.execute(statement)
    connection.commit()
    return len(rows) / (time.perf_counter() - start_s)
