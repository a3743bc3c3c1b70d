"""A pool answers, or says within a bounded time that the database is away, and works again when it is back."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import psycopg
import pytest

from common.errors import Unavailable
from common.infra import postgres
from common.infra.postgres import connect, open_pool, unavailable_when_away
from tests.real_servers import PostgresServer

pytestmark = [pytest.mark.enable_socket, pytest.mark.services("postgres")]


def test_a_pool_survives_a_restart_of_the_database(postgres_server: PostgresServer) -> None:
    with open_pool(postgres_server.url()) as pool:
        with pool.connection() as connection:
            connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
        postgres_server.stop()
        postgres_server.start()
        with pool.connection() as connection:
            assert connection.execute("SELECT number FROM kept").fetchone() == (7,)


def test_a_pool_says_that_the_database_is_away_and_works_when_it_is_back(
    postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "CONNECTION_WAIT_S", 1.0)
    with open_pool(postgres_server.url()) as pool:
        pool.wait()
        postgres_server.stop()
        for _ in range(2):
            with pytest.raises(Unavailable), unavailable_when_away(), pool.connection() as connection:
                connection.execute("SELECT 1")
        postgres_server.start()
        with pool.connection(timeout=10) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_pool_is_bounded(postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "CONNECTION_WAIT_S", 0.2)
    pool = open_pool(postgres_server.url(), connections_max=1)
    with pool, pool.connection(), pytest.raises(Unavailable), unavailable_when_away():
        pool.getconn()


def test_a_server_that_stops_answering_is_given_up(postgres_server: PostgresServer) -> None:
    with connect(postgres_server.url()) as connection:
        connection.answer_timeout_s = 0.3
        [(pid,)] = connection.execute("SELECT pg_backend_pid()").fetchall()
        os.kill(pid, signal.SIGSTOP)
        started_s = time.monotonic()
        try:
            with pytest.raises(Unavailable, match="no answer"), unavailable_when_away():
                connection.execute("SELECT 1")
            assert time.monotonic() - started_s < 5
        finally:
            os.kill(pid, signal.SIGCONT)


def test_a_connection_to_nowhere_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        connect(f"postgresql://postgres@/x?host={tmp_path}")


def test_an_error_of_a_statement_is_not_taken_for_an_absent_database(postgres_server: PostgresServer) -> None:
    with (
        connect(postgres_server.url()) as connection,
        pytest.raises(psycopg.errors.UndefinedTable),
        unavailable_when_away(),
    ):
        connection.execute("SELECT * FROM nowhere")
