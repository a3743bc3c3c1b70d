"""The real servers that other tests stand on: they start, die and come back in the same place."""

from __future__ import annotations

import socket
from pathlib import Path

import psycopg
import pytest
import redis

from tests import real_servers
from tests.real_servers import KafkaServer, PostgresServer, RedisServer

pytestmark = pytest.mark.enable_socket


@pytest.mark.services("postgres")
def test_a_killed_postgres_comes_back_with_what_was_committed(postgres_server: PostgresServer) -> None:
    postgres_server.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    postgres_server.kill()
    with pytest.raises(psycopg.OperationalError):
        postgres_server.execute("SELECT 1")
    postgres_server.start()
    with psycopg.connect(postgres_server.url()) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)


@pytest.mark.services("redis")
def test_a_killed_redis_comes_back_empty(redis_server: RedisServer) -> None:
    with redis.Redis.from_url(redis_server.url) as client:
        client.set("key", "value")
        redis_server.kill()
        redis_server.start()
        assert client.get("key") is None


@pytest.mark.services("kafka")
def test_a_killed_kafka_comes_back_on_its_port(kafka_server: KafkaServer) -> None:
    address = kafka_server.address
    kafka_server.kill()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", kafka_server.port), timeout=1)
    kafka_server.start()
    assert kafka_server.address == address


@pytest.mark.services("postgres")
def test_a_module_gets_a_database_of_its_own(postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as connection:
        assert connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone() == (0,)


def test_a_server_that_cannot_start_says_what_it_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = RedisServer(tmp_path / "redis")
    monkeypatch.setattr(server, "_command", lambda: ["sh", "-c", "echo 'out of memory'; exit 1"])
    with pytest.raises(RuntimeError, match="out of memory"):
        server.start()


def test_this_machine_only_can_be_reached() -> None:
    with socket.socket() as connection, pytest.raises(UserWarning, match=r"192\.0\.2\.1"):
        connection.connect(("192.0.2.1", 80))


@pytest.mark.disable_socket
def test_an_unknown_server_is_a_mistake_of_the_test() -> None:
    with pytest.raises(AssertionError, match="cassandra"):
        real_servers.missing("cassandra")
