"""Sessions in PostgreSQL: random ids of which only the hash is kept."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from common.clock import Clock, utc
from services.gateway.adapters.database import Pool, rows
from services.gateway.convert.bodies import Language, Me, Role

TOKEN_BYTES = 32
TOKEN_CHARACTERS_MAX = 100
TOUCH_MS = 60_000  # how exactly idle time is known; a write for every request would be the busiest of all


@dataclass(frozen=True, slots=True)
class Person:
    """Who asks. `session`: the hash of the session's id."""

    session: bytes
    account_id: int
    name: str
    role: Role
    language: Language
    password_temporary: bool

    def me(self) -> Me:
        """What they see of themselves."""
        return Me(**{name: getattr(self, name) for name in Me.model_fields})


class Sessions:
    """`idle_s`, `age_s`: seconds since the last request and since the sign-in at which a session ends."""

    def __init__(self, pool: Pool, clock: Clock, *, idle_s: int, age_s: int) -> None:
        self._pool = pool
        self._clock = clock
        self._idle_s = idle_s
        self._age_s = age_s

    async def open(self, account_id: int, address: str) -> str:
        """The id of a new session, which is told once. Sessions that ended by themselves are swept away."""
        now_ms = self._clock.now_ms()
        token = secrets.token_urlsafe(TOKEN_BYTES)
        await rows(self._pool, "DELETE FROM sessions WHERE seen_time < %s OR create_time < %s", *self._bounds(now_ms))
        await rows(
            self._pool,
            "INSERT INTO sessions (token_hash, account_id, create_time, seen_time, address)"
            " VALUES (%s, %s, %s, %s, %s)",
            _hash(token), account_id, utc(now_ms), utc(now_ms), address,
        )  # fmt: skip
        return token

    async def find(self, token: str) -> Person | None:
        """Who holds this session; None when it has ended or never was."""
        if not 0 < len(token) <= TOKEN_CHARACTERS_MAX:
            return None
        now_ms, token_hash = self._clock.now_ms(), _hash(token)
        found = await rows(
            self._pool,
            "SELECT account_id, name, role, language, password_temporary, seen_time < %s AS stale"
            " FROM sessions JOIN accounts USING (account_id)"
            " WHERE token_hash = %s AND enabled AND seen_time >= %s AND sessions.create_time >= %s",
            utc(now_ms - TOUCH_MS), token_hash, *self._bounds(now_ms),
        )  # fmt: skip
        if not found:
            return None
        if found[0].pop("stale"):
            await rows(self._pool, "UPDATE sessions SET seen_time = %s WHERE token_hash = %s", utc(now_ms), token_hash)
        return Person(token_hash, **found[0])

    async def alive(self, sessions: Iterable[bytes]) -> set[bytes]:
        """Those of the sessions that have not ended. Asking does not keep them alive."""
        found = await rows(
            self._pool,
            "SELECT token_hash FROM sessions JOIN accounts USING (account_id)"
            " WHERE token_hash = ANY(%s) AND enabled AND seen_time >= %s AND sessions.create_time >= %s",
            list(sessions), *self._bounds(self._clock.now_ms()),
        )  # fmt: skip
        return {bytes(row["token_hash"]) for row in found}

    async def end(self, session: bytes) -> None:
        """End one session."""
        await rows(self._pool, "DELETE FROM sessions WHERE token_hash = %s", session)

    def _bounds(self, now_ms: int) -> tuple[object, object]:
        return utc(now_ms - self._idle_s * 1000), utc(now_ms - self._age_s * 1000)


def _hash(token: str) -> bytes:
    """SHA-256: the id is 256 random bits, so a slow hash would add nothing."""
    return hashlib.sha256(token.encode()).digest()
