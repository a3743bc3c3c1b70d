"""Fixtures every test can ask for: real servers, started when first asked for and ended with the session."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from functools import cache
from itertools import count
from pathlib import Path
from typing import TypeVar

import pytest
from pytest_socket import socket_allow_hosts

from tests import real_servers
from tests.real_servers import KafkaServer, PostgresServer, RealServer, RedisServer

LOOPBACK = ["127.0.0.1", "::1", "localhost"]
ServerT = TypeVar("ServerT", bound=RealServer)

_numbers = count(1)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose marked servers cannot be had; fail it where they are required."""
    for marker in item.iter_markers("services"):
        for name in marker.args:
            _require(name)


@pytest.fixture(autouse=True)
def _loopback_only(request: pytest.FixtureRequest) -> None:
    """Tests that may use sockets reach this machine only."""
    if request.node.get_closest_marker("enable_socket"):
        socket_allow_hosts(LOOPBACK, allow_unix_socket=True)


@pytest.fixture(scope="session")
def servers_folder() -> Iterator[Path]:
    """Where the session's servers keep their data."""
    folder = real_servers.new_folder()
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def shared_postgres(servers_folder: Path) -> Iterator[PostgresServer]:
    """The PostgreSQL that all modules share; each has its own database."""
    yield from _running(PostgresServer(_folder_of("postgres", servers_folder, "postgres")))


@pytest.fixture(scope="session")
def shared_redis(servers_folder: Path) -> Iterator[RedisServer]:
    """The Redis that all modules share; it is emptied before each."""
    yield from _running(RedisServer(_folder_of("redis", servers_folder, "redis")))


@pytest.fixture(scope="session")
def kafka_address(servers_folder: Path) -> Iterator[str]:
    """host:port of a Kafka that all modules share: give topics and groups names of their own."""
    for server in _running(KafkaServer(_folder_of("kafka", servers_folder, "kafka"))):
        yield server.address


@pytest.fixture(scope="module")
def postgres_url(shared_postgres: PostgresServer) -> Iterator[str]:
    """An empty database for this module, dropped after it."""
    database = f"module_{next(_numbers)}"
    shared_postgres.execute(f"CREATE DATABASE {database}")
    yield shared_postgres.url(database)
    shared_postgres.execute(f"DROP DATABASE {database} WITH (FORCE)")


@pytest.fixture(scope="module")
def redis_url(shared_redis: RedisServer) -> str:
    """An empty Redis for this module."""
    shared_redis.flush()
    return shared_redis.url


@pytest.fixture
def postgres_server(servers_folder: Path) -> Iterator[PostgresServer]:
    """A PostgreSQL of this test's own, with fsync, to be killed and started again."""
    folder = _folder_of("postgres", servers_folder, f"postgres-{next(_numbers)}")
    yield from _running(PostgresServer(folder, fsync=True))


@pytest.fixture
def redis_server(servers_folder: Path) -> Iterator[RedisServer]:
    """A Redis of this test's own, to be killed and started again."""
    yield from _running(RedisServer(_folder_of("redis", servers_folder, f"redis-{next(_numbers)}")))


@pytest.fixture
def kafka_server(servers_folder: Path) -> Iterator[KafkaServer]:
    """A Kafka of this test's own, to be killed and started again."""
    yield from _running(KafkaServer(_folder_of("kafka", servers_folder, f"kafka-{next(_numbers)}")))


@pytest.fixture
def free_port() -> int:
    """A loopback port that nobody listens on."""
    return real_servers.free_port()


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """The Chromium that Playwright drives."""
    _require("chromium")
    return str(real_servers.chromium_path())


def _folder_of(server: str, servers_folder: Path, name: str) -> Path:
    _require(server)
    return servers_folder / name


def _running(server: ServerT) -> Iterator[ServerT]:
    server.start()
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(server.folder, ignore_errors=True)


def _require(name: str) -> None:
    reason = _missing(name)
    if reason and os.environ.get("REQUIRE_SERVICES") == "1":
        pytest.fail(f"REQUIRE_SERVICES=1, and {reason}", pytrace=False)
    if reason:
        pytest.skip(reason)


_missing = cache(real_servers.missing)
