"""Passwords: argon2id hashes, made and compared away from the event loop, and what a password must be."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from common.errors import InvalidInput, TooMuch, Violation

CHARACTERS_MIN = 12
DIFFERENT_CHARACTERS_MIN = 5
TEMPORARY_BYTES = 12
HASHES_AT_ONCE = 2  # each takes 64 MiB and a processor for a twentieth of a second
WAITING_MAX = 50  # a flood of sign-ins must not queue up without end


class Passwords:
    """`hasher`: argon2id with its costs; tests take a cheap one."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._gate = asyncio.Semaphore(HASHES_AT_ONCE)
        self._waiting = 0
        self._nobody = self._hasher.hash(secrets.token_urlsafe())

    async def hashed(self, password: str) -> str:
        """The hash to be stored."""
        async with self._turn():
            return await asyncio.to_thread(self._hasher.hash, password)

    async def matches(self, password: str, password_hash: str | None) -> bool:
        """Whether `password` is the one. None (no such account) takes as long as a wrong one."""
        async with self._turn():
            found = await asyncio.to_thread(self._verify, password, password_hash or self._nobody)
        return found and password_hash is not None

    def outdated(self, password_hash: str) -> bool:
        """Whether the hash was made at other costs than today's."""
        return self._hasher.check_needs_rehash(password_hash)

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        if self._waiting >= WAITING_MAX:
            raise TooMuch("TOO_MANY_REQUESTS", "too many people sign in at once; try again")
        self._waiting += 1
        try:
            async with self._gate:
                yield
        finally:
            self._waiting -= 1

    def _verify(self, password: str, password_hash: str) -> bool:
        try:
            return self._hasher.verify(password_hash, password)
        except (VerificationError, InvalidHashError):
            return False


def temporary_password() -> str:
    """A password that nobody can guess, to be changed by its owner."""
    return secrets.token_urlsafe(TEMPORARY_BYTES)


def check_password(password: str, name: str, field: str) -> None:
    """Raise InvalidInput that names `field` where a password is too easy to guess."""
    problem = ""
    if len(password) < CHARACTERS_MIN:
        problem = f"take at least {CHARACTERS_MIN} characters"
    elif len(set(password)) < DIFFERENT_CHARACTERS_MIN:
        problem = f"take at least {DIFFERENT_CHARACTERS_MIN} different characters"
    elif name.lower() in password.lower():
        problem = "leave the name out of it"
    if problem:
        raise InvalidInput(Violation(field, problem))
