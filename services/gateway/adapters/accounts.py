"""People who can sign in, in PostgreSQL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import DictRow

from common.clock import milliseconds
from common.errors import AlreadyExists, NotAllowedNow, NotFound, Stale
from services.gateway.adapters.database import Pool, rows, transaction
from services.gateway.convert.bodies import Account, AccountChange, Language, Me, Role

FIRST_NAME = "admin"
ADMIN_LOCK = 0x7869616E69  # any number that nobody else locks


@dataclass(frozen=True, slots=True)
class StoredAccount:
    """A row of accounts."""

    account_id: int
    name: str
    role: Role
    language: Language
    enabled: bool
    password_temporary: bool
    create_time_ms: int
    sign_in_time_ms: int | None
    password_hash: str
    etag: str

    def shown(self) -> Account:
        """What admins see of it."""
        return Account(**{name: getattr(self, name) for name in Account.model_fields})

    def me(self) -> Me:
        """What its owner sees of it."""
        return Me(**{name: getattr(self, name) for name in Me.model_fields})


class Accounts:
    """The table of accounts."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def add_first(self, password_hash: str) -> bool:
        """Add the first admin where there is no account at all. Returns whether it was; of several one adds it."""
        async with transaction(self._pool) as connection:
            await _lock(connection)
            cursor = await connection.execute(
                "INSERT INTO accounts (name, role, password_hash) SELECT %s, 'admin', %s"
                " WHERE NOT EXISTS (SELECT FROM accounts)",
                (FIRST_NAME, password_hash),
            )
            return cursor.rowcount == 1

    async def find(self, name: str) -> StoredAccount | None:
        """The account of that name, in capitals or not."""
        found = await rows(self._pool, "SELECT * FROM accounts WHERE lower(name) = lower(%s)", name)
        return _account(found[0]) if found else None

    async def get(self, account_id: int) -> StoredAccount:
        """One account. Raises NotFound."""
        found = await rows(self._pool, "SELECT * FROM accounts WHERE account_id = %s", account_id)
        return _account(_the_one(found, account_id))

    async def list_after(self, account_id: int, count: int) -> list[StoredAccount]:
        """Up to `count` accounts by id, those after `account_id`."""
        query = "SELECT * FROM accounts WHERE account_id > %s ORDER BY account_id LIMIT %s"
        return [_account(row) for row in await rows(self._pool, query, account_id, count)]

    async def add(self, *, name: str, password_hash: str, role: str, language: str) -> StoredAccount:
        """A new account. Raises AlreadyExists."""
        try:
            found = await rows(
                self._pool,
                "INSERT INTO accounts (name, password_hash, role, language) VALUES (%s, %s, %s, %s) RETURNING *",
                name, password_hash, role, language,
            )  # fmt: skip
        except psycopg.errors.UniqueViolation:
            raise AlreadyExists("NAME_TAKEN", f"name: {name} has an account already") from None
        return _account(found[0])

    async def change(self, account_id: int, body: AccountChange, password_hash: str | None) -> StoredAccount:
        """The account as changed; its sessions end. Raises NotFound, Stale, NotAllowedNow for the last admin."""
        async with transaction(self._pool) as connection:
            await _lock(connection)
            query = "SELECT * FROM accounts WHERE account_id = %s FOR UPDATE"
            before = _account(_the_one(await (await connection.execute(query, (account_id,))).fetchall(), account_id))
            if before.etag != body.etag:
                raise Stale("account", account_id)
            if body.role != "admin" or not body.enabled:
                await _check_not_last_admin(connection, account_id)
            cursor = await connection.execute(
                "UPDATE accounts SET role = %s, language = %s, enabled = %s, version = version + 1,"
                " password_hash = coalesce(%s, password_hash), password_temporary = password_temporary OR %s"
                " WHERE account_id = %s RETURNING *",
                (body.role, body.language, body.enabled, password_hash, password_hash is not None, account_id),
            )
            await connection.execute("DELETE FROM sessions WHERE account_id = %s", (account_id,))
            return _account((await cursor.fetchall())[0])

    async def remove(self, account_id: int) -> None:
        """Remove an account with its sessions. Raises NotFound, NotAllowedNow for the last admin."""
        async with transaction(self._pool) as connection:
            await _lock(connection)
            await _check_not_last_admin(connection, account_id)
            cursor = await connection.execute("DELETE FROM accounts WHERE account_id = %s", (account_id,))
            if not cursor.rowcount:
                raise NotFound("account", account_id)

    async def set_password(self, account_id: int, password_hash: str) -> None:
        """The owner's new password; all its sessions end."""
        async with transaction(self._pool) as connection:
            await connection.execute(
                "UPDATE accounts SET password_hash = %s, password_temporary = false, version = version + 1"
                " WHERE account_id = %s",
                (password_hash, account_id),
            )
            await connection.execute("DELETE FROM sessions WHERE account_id = %s", (account_id,))

    async def set_language(self, account_id: int, language: str) -> None:
        """The owner's language."""
        query = "UPDATE accounts SET language = %s, version = version + 1 WHERE account_id = %s"
        await rows(self._pool, query, language, account_id)

    async def note_sign_in(self, account_id: int, password_hash: str | None) -> None:
        """Somebody has signed in; with a hash at today's costs where the old one's were others."""
        await rows(
            self._pool,
            "UPDATE accounts SET sign_in_time = clock_timestamp(), password_hash = coalesce(%s, password_hash)"
            " WHERE account_id = %s",
            password_hash, account_id,
        )  # fmt: skip


async def _lock(connection: psycopg.AsyncConnection[DictRow]) -> None:
    await connection.execute("SELECT pg_advisory_xact_lock(%s)", (ADMIN_LOCK,))


async def _check_not_last_admin(connection: psycopg.AsyncConnection[DictRow], account_id: int) -> None:
    cursor = await connection.execute("SELECT account_id FROM accounts WHERE role = 'admin' AND enabled")
    if [row["account_id"] for row in await cursor.fetchall()] == [account_id]:
        raise NotAllowedNow("LAST_ADMIN", "this is the last admin: make somebody else one first")


def _the_one(found: list[dict[str, Any]], account_id: int) -> dict[str, Any]:
    if not found:
        raise NotFound("account", account_id)
    return found[0]


def _account(row: dict[str, Any]) -> StoredAccount:
    values = dict(row)
    sign_in, created, version = values.pop("sign_in_time"), values.pop("create_time"), values.pop("version")
    return StoredAccount(
        **values,
        create_time_ms=milliseconds(created),
        sign_in_time_ms=None if sign_in is None else milliseconds(sign_in),
        etag=str(version),
    )
