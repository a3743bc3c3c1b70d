"""Servers of our own on one machine: where no setting names a PostgreSQL or Redis, one is started in the data folder.

They outlive the process that started them, so that every role shares them and a crash of one takes no other with it.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from common.infra.servers_postgres import EmbeddedPostgres
from common.infra.servers_redis import EmbeddedRedis
from common.infra.settings import InfraSettings

LOCK_FILE = "servers.lock"


def postgres_url(settings: InfraSettings) -> str:
    """The URL of PostgreSQL; starts the embedded one when no setting names another. Repeating it changes nothing.
    Raises Unavailable when it does not start."""
    if settings.postgres is not None:
        return settings.postgres
    server = EmbeddedPostgres(settings.data)
    with _alone(settings.data):
        server.start()
    return server.url


def redis_url(settings: InfraSettings) -> str:
    """The URL of Redis; starts the embedded one when no setting names another. Raises Unavailable when it does not
    start, or there is no redis-server on this machine."""
    if settings.redis is not None:
        return settings.redis
    server = EmbeddedRedis(settings.data)
    with _alone(settings.data):
        server.start()
    return server.url


def stop_servers(settings: InfraSettings) -> None:
    """Stop the embedded servers of this data folder, whoever started them; those that settings name stay running."""
    with _alone(settings.data):
        if settings.postgres is None:
            EmbeddedPostgres(settings.data).stop()
        if settings.redis is None:
            EmbeddedRedis(settings.data).stop()


def restart_servers(settings: InfraSettings) -> list[str]:
    """Start those embedded servers that have died, not those that are slow; which they were. Raises Unavailable when
    one does not start."""
    found: list[tuple[str, EmbeddedPostgres | EmbeddedRedis]] = []
    found += [("PostgreSQL", EmbeddedPostgres(settings.data))] if settings.postgres is None else []
    found += [("Redis", EmbeddedRedis(settings.data))] if settings.redis is None else []
    dead = [(name, server) for name, server in found if not server.runs()]
    for _, server in dead:
        with _alone(settings.data):
            server.start()
    return [name for name, _ in dead]


@contextmanager
def _alone(data: Path) -> Iterator[None]:
    """Roles that start at the same moment wait for each other; the lock goes with the process that dies."""
    data.mkdir(parents=True, exist_ok=True)
    with (data / LOCK_FILE).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
