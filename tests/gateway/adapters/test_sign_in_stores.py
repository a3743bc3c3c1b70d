"""Accounts, sessions, guesses, passwords and deeds on real PostgreSQL and Redis, by the clock of the test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest
import pytest_asyncio
from argon2 import PasswordHasher

from common.clock import ManualClock
from common.errors import InvalidInput, NotFound, TooMuch, Unavailable
from common.infra.migrations import migrate
from common.infra.redis import connect_async
from services.gateway.adapters import accounts, audit, database, guesses, passwords, sessions
from services.gateway.adapters.database import Pool, opened_pool, rows

pytestmark = [pytest.mark.enable_socket, pytest.mark.services("postgres", "redis")]

MIGRATIONS = Path(__file__).resolve().parents[3] / "services" / "gateway" / "migrations"
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest_asyncio.fixture
async def pool(postgres_url: str) -> AsyncIterator[Pool]:
    migrate(postgres_url, MIGRATIONS)
    async with opened_pool(postgres_url) as opened:
        await rows(opened, "TRUNCATE accounts, sessions, person_audit_log")
        yield opened


@pytest_asyncio.fixture
async def limits(redis_url: str) -> AsyncIterator[guesses.Guesses]:
    redis = connect_async(redis_url)
    await redis.flushall()
    yield guesses.Guesses(redis)
    await redis.aclose()


async def account(pool: Pool, name: str = "li") -> int:
    added = await accounts.Accounts(pool).add(name=name, password_hash="x", role="operator", language="zh")
    return added.account_id


async def test_only_one_of_several_gateways_adds_the_first_admin(pool: Pool) -> None:
    store = accounts.Accounts(pool)
    assert sorted(await asyncio.gather(*(store.add_first("hash") for _ in range(5)))) == [False] * 4 + [True]
    found = await store.find("ADMIN")
    assert found is not None and found.role == "admin" and found.password_temporary


async def test_a_session_ends_after_idle_time_and_lives_on_with_use(pool: Pool) -> None:
    clock = ManualClock(1_764_000_000_000)
    store = sessions.Sessions(pool, clock, idle_s=600, age_s=3600)
    token = await store.open(await account(pool), "127.0.0.1")
    for _ in range(3):
        clock.advance(500_000)
        assert await store.find(token) is not None
    clock.advance(601_000)
    assert await store.find(token) is None


async def test_a_session_ends_at_its_age_whatever_it_does(pool: Pool) -> None:
    clock = ManualClock(1_764_000_000_000)
    store = sessions.Sessions(pool, clock, idle_s=600, age_s=1000)
    token = await store.open(await account(pool), "127.0.0.1")
    clock.advance(500_000)
    assert await store.find(token) is not None
    clock.advance(501_000)
    assert await store.find(token) is None


async def test_an_open_stream_does_not_keep_a_session_alive(pool: Pool) -> None:
    clock = ManualClock(1_764_000_000_000)
    store = sessions.Sessions(pool, clock, idle_s=600, age_s=3600)
    person = await store.find(await store.open(await account(pool), "127.0.0.1"))
    assert person is not None
    clock.advance(400_000)
    assert await store.alive({person.session, b"other"}) == {person.session}
    clock.advance(201_000)
    assert await store.alive({person.session}) == set()


async def test_sessions_that_ended_are_swept_away_and_ids_are_long_and_never_the_same(pool: Pool) -> None:
    clock = ManualClock(1_764_000_000_000)
    store = sessions.Sessions(pool, clock, idle_s=600, age_s=3600)
    key = await account(pool)
    tokens = {await store.open(key, "127.0.0.1") for _ in range(5)}
    assert len(tokens) == 5 and all(len(token) == 43 for token in tokens)
    clock.advance(700_000)
    await store.open(key, "127.0.0.1")
    assert len(await rows(pool, "SELECT account_id FROM sessions")) == 1


@pytest.mark.parametrize("token", ["", "x", "x" * 1000, "\0"])
async def test_a_token_that_never_was_is_nobody(pool: Pool, token: str) -> None:
    assert await sessions.Sessions(pool, ManualClock(10**12), idle_s=1, age_s=1).find(token) is None


@pytest.mark.slow
async def test_each_wrong_guess_makes_the_next_wait_longer(limits: guesses.Guesses) -> None:
    waits = []
    for _ in range(5):
        await limits.attempt("li", "10.0.0.1")
    for _ in range(3):
        with pytest.raises(TooMuch) as refusal:
            await limits.attempt("LI", "10.0.0.2")
        waits.append(refusal.value.retry_after_ms)
        await asyncio.sleep(waits[-1] / 1000)
        await limits.attempt("li", "10.0.0.3")
        if len(waits) == 2:
            break
    assert 500 < waits[0] <= 1000 < waits[1] <= 2000


async def test_many_guesses_at_once_gain_nothing(limits: guesses.Guesses) -> None:
    results = await asyncio.gather(*(limits.attempt("li", "10.0.0.1") for _ in range(50)), return_exceptions=True)
    assert sum(result is None for result in results) == 5


async def test_an_address_that_guesses_at_many_names_waits_and_ipv6_counts_by_network(limits: guesses.Guesses) -> None:
    for number in range(30):
        await limits.attempt(f"name-{number}", f"2001:db8::{number:x}")
    with pytest.raises(TooMuch):
        await limits.attempt("another", "2001:db8::ffff")
    await limits.attempt("another", "2001:db8:1::1")


async def test_right_passwords_leave_nothing_behind(limits: guesses.Guesses) -> None:
    for _ in range(100):
        await limits.attempt("li", "10.0.0.1")
        await limits.succeeded("li", "10.0.0.1")


async def test_a_password_matches_only_itself_and_nobody_has_none() -> None:
    store = passwords.Passwords(CHEAP)
    hashed = await store.hashed("correct-horse")
    assert hashed.startswith("$argon2id$")
    assert await store.matches("correct-horse", hashed)
    assert not await store.matches("correct-horsf", hashed)
    assert not await store.matches("correct-horse", None) and not await store.matches("x", "no hash")
    assert not store.outdated(hashed) and passwords.Passwords(PasswordHasher()).outdated(hashed)


async def test_a_flood_of_sign_ins_does_not_queue_up_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "WAITING_MAX", 3)
    store = passwords.Passwords(CHEAP)
    results = await asyncio.gather(*(store.hashed("x") for _ in range(10)), return_exceptions=True)
    assert sum(isinstance(result, TooMuch) for result in results) == 7
    assert isinstance(await store.hashed("x"), str)


def test_a_temporary_password_is_good_enough_itself() -> None:
    found = {passwords.temporary_password() for _ in range(20)}
    assert len(found) == 20
    for password in found:
        passwords.check_password(password, "admin", "password")
    with pytest.raises(InvalidInput):
        passwords.check_password("my-ADMIN-password", "admin", "password")


async def test_a_deed_that_was_cut_off_stays_noted(pool: Pool) -> None:
    log = audit.Audit(pool)
    with pytest.raises(asyncio.CancelledError):
        async with log.noted("li", "10.0.0.1", "change", "fence", 7, name="x" * 1000):
            raise asyncio.CancelledError
    with pytest.raises(NotFound):
        async with log.noted("li", "10.0.0.1", "remove", "fence", 8):
            raise NotFound("fence", 8)
    told = [(entry["subject_id"], entry["outcome"]) for entry in await log.list_before(2**62, 10, "li")]
    assert told == [("8", "FENCE_NOT_FOUND"), ("7", "FAILED")]
    assert len((await log.list_before(2**62, 10, ""))[1]["detail"]["name"]) == 500


async def test_a_database_that_is_away_is_unavailable(
    postgres_url: str, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "WAIT_S", 0.2)
    async with opened_pool(psycopg.conninfo.make_conninfo(postgres_url, port=free_port)) as pool:
        with pytest.raises(Unavailable, match="PostgreSQL does not answer"):
            await rows(pool, "SELECT 1")
