"""Migrations: numbered SQL files of a folder, each applied once, through yoyo."""

from __future__ import annotations

from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict
from yoyo.backends import DatabaseBackend
from yoyo.backends.core.postgresql import PostgresqlPsycopgBackend
from yoyo.connections import DatabaseURI
from yoyo.migrations import Migration, MigrationList

from common.errors import Unavailable

MIGRATION_LOCK = 0x7869616E68  # any number that nobody else locks
MIGRATION_TABLE = "_yoyo_migrations"


def migrate(url: str, folder: Path) -> None:
    """Apply what is new in `folder` (nothing where it does not exist), in the order of its file names. A file and the
    note that it was applied are one transaction. Several processes at once wait for each other. Raises Unavailable
    when the database is away, psycopg.Error when it refuses a statement."""
    wanted = _migrations(folder)
    if not wanted:
        return
    try:
        lock = psycopg.connect(url, autocommit=True)
    except psycopg.OperationalError as error:
        raise Unavailable("DATABASE_UNAVAILABLE", f"PostgreSQL does not answer: {error}") from error
    with lock, _backend(url) as backend:
        lock.execute("SELECT pg_advisory_lock(%s)", (MIGRATION_LOCK,))  # gone with the connection, also after a crash
        backend.init_database()
        backend.break_lock()  # yoyo's own would stay behind a process that was killed
        for migration in backend.to_apply(wanted):
            _apply(backend, migration)


def _apply(backend: DatabaseBackend, migration: Migration) -> None:
    migration.load()
    if migration.use_transactions:
        with backend.transaction():
            migration.process_steps(backend, "apply")
            backend.mark_one(migration)
    else:  # a file that says `-- transactional: false`, which must be repeatable
        migration.process_steps(backend, "apply")
        with backend.transaction():
            backend.mark_one(migration)


def _migrations(folder: Path) -> MigrationList:
    """Named by service too: two services may have a file of the same name."""
    service = folder.resolve().parent.name
    files = sorted(folder.glob("*.sql"))
    return MigrationList([Migration(f"{service}.{file.stem}", str(file), str(folder)) for file in files])


def _backend(url: str) -> DatabaseBackend:
    """yoyo reads URLs in a way of its own, which knows no sockets, so it gets the parts that libpq reads."""
    parts = {name: value for name, value in conninfo_to_dict(url).items() if value is not None}
    database = parts.pop("dbname", None)
    return PostgresqlPsycopgBackend(
        DatabaseURI("postgresql+psycopg", None, None, None, None, database, parts), MIGRATION_TABLE
    )
