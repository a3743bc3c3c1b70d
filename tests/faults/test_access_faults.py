"""Whoever else finds the port of the access role, beside an honest terminal: scanners, junk, damaged frames."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator

import pytest

from common.clock import ManualClock
from common.metrics import metrics
from services.vehicle_tracking.adapters.access_judgement import BAD_FRAMES_MAX, JUNK_BYTES_MAX, UNFRAMED_BYTES_MAX
from services.vehicle_tracking.adapters.access_links import Ended
from simulation import frames
from simulation.frames import Identity
from tests.vehicle_tracking.access_world import (
    BlockingLog,
    Client,
    MemoryRegistrar,
    World,
    access,
    fix,
    known,
)

pytestmark = pytest.mark.enable_socket

NOW_MS = 1_767_225_600_000
TLS_HELLO = bytes.fromhex("1603010200010001fc0303") + bytes(range(200))
SCANNERS = [
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST /x HTTP/1.0\r\n\r\n",
    b"SSH-2.0-scanner\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    TLS_HELLO,
]


def ended(why: Ended) -> float:
    return float(metrics.links_closed.labels("jt808", why)._value.get())


def noise(rng: random.Random, size: int, *, without: bytes = b"") -> bytes:
    octets = [octet for octet in range(256) if octet not in without]
    return bytes(rng.choices(octets, k=size))


async def ends(client: Client, why: Ended, before: float) -> bool:
    """Whether the link is closed, for that reason."""
    return await client.closed() and ended(why) == before + 1


@pytest.mark.parametrize("opening", SCANNERS, ids=lambda opening: repr(opening[:8]))
async def test_another_protocol_is_recognised_and_closed_at_once(opening: bytes) -> None:
    before = ended(Ended.FOREIGN)
    async with access() as world:
        client = await world.connected()
        client.send(opening)
        assert await ends(client, Ended.FOREIGN, before)


async def test_bytes_without_a_delimiter_close_the_link() -> None:
    before = ended(Ended.JUNK)
    async with access() as world:
        client = await world.connected()
        client.send(noise(random.Random(1), JUNK_BYTES_MAX + 1, without=b"\x7e"))
        assert await ends(client, Ended.JUNK, before)


async def test_a_frame_that_never_ends_closes_the_link() -> None:
    before = ended(Ended.JUNK)
    async with access() as world:
        client = await world.logged_in()
        client.send(b"\x7e", b"x" * (UNFRAMED_BYTES_MAX + 1))
        assert await ends(client, Ended.JUNK, before)


async def test_too_many_bad_frames_in_a_row_close_the_link_and_a_few_do_not() -> None:
    before = ended(Ended.BAD_FRAMES)
    async with access() as world:
        client = await world.logged_in()
        for _ in range(5):
            client.send(b"\x7ebad frame\x7e" * (BAD_FRAMES_MAX - 1))
            await asyncio.sleep(0.02)
            assert await client.report() == 0
        client.send(b"\x7ebad frame\x7e" * (BAD_FRAMES_MAX + 1))
        assert await ends(client, Ended.BAD_FRAMES, before)


async def test_a_slow_loris_is_closed_with_or_without_a_log_in() -> None:
    clock, before = ManualClock(NOW_MS), (ended(Ended.LOGIN_TIMEOUT), ended(Ended.IDLE))
    async with access(clock=clock, access_login_s=30, access_idle_s=300) as world:
        stranger, client = await world.connected(), await world.logged_in()
        for link in (stranger, client):
            link.send(b"\x7e")
        for _ in range(32):
            for link in (stranger, client):
                link.send(b"\x02")
            await asyncio.sleep(0.01)
            clock.advance(10_000)
            world.server.sweep()
        assert await stranger.closed() and await client.closed()
    assert (ended(Ended.LOGIN_TIMEOUT), ended(Ended.IDLE)) == (before[0] + 1, before[1] + 1)


async def test_a_rush_of_scanners_leaves_nothing_behind_and_an_honest_terminal_reports_on() -> None:
    log = BlockingLog()
    async with access(log) as world:
        honest = await world.logged_in()
        for round_number in range(10):
            strangers = [await world.connected() for _ in range(20)]
            for number, stranger in enumerate(strangers):
                stranger.send(SCANNERS[number % len(SCANNERS)])
                if number % 3 == 0:
                    await stranger.close()
            assert await honest.report(round_number) == 0
        async with asyncio.timeout(5):
            while len(world.server.links) > 1:  # noqa: ASYNC110 – they end by themselves
                await asyncio.sleep(0.01)
        assert log.position_count() == 10
        assert world.server.links.waiting_bytes == 0


async def storm(world: World, registrar: MemoryRegistrar, rng: random.Random, *, links: int, rounds: int) -> None:
    """Links that log in and then send frames of which a part is damaged in any way, cut, or hung up upon."""
    known_terminals = dict(registrar.terminals)
    for _ in range(rounds):
        registrar.terminals |= known_terminals  # a frame by chance may have been a log-out
        clients = [await world.logged_in(Identity(str(13_900_000_001 + n), "湘A00001", 2)) for n in range(links)]
        for client in clients:
            client.send(b"".join(mutated(client, rng)))
        await asyncio.sleep(0.02)
        for client in clients:
            await client.close()
            world.clients.remove(client)


def mutated(client: Client, rng: random.Random) -> Iterator[bytes]:
    for second in range(rng.randrange(1, 60)):
        kind = rng.choice((frames.LOCATION, frames.LOCATION_BATCH, frames.HEARTBEAT, rng.randrange(0x10000)))
        body = frames.location_body(fix(second))
        if kind == frames.LOCATION_BATCH:
            body = frames.batch_body([fix(second)] * rng.randrange(1, 5), rng.randrange(2))
        part = (rng.randrange(6), rng.randrange(6)) if rng.random() < 0.1 else None
        wire = bytearray(client.frame(kind, body, part=part))
        for _ in range(rng.choice((0, 0, 0, 1, 3))):
            wire[rng.randrange(len(wire))] = rng.randrange(256)
        if rng.random() < 0.1:
            wire = wire[: rng.randrange(len(wire))]
        yield bytes(wire)


async def survive(seed: int, *, rounds: int) -> None:
    """A storm, after which an honest terminal is served and nothing is held for those that went."""
    print(f"seed {seed}")  # noqa: T201 – whoever sees it fail needs it
    log, links = BlockingLog(), 8
    registrar = MemoryRegistrar(*(known(str(13_900_000_001 + n), n + 1) for n in range(links + 1)))
    async with access(log, registrar) as world:
        honest = await world.logged_in(Identity(str(13_900_000_001 + links), "湘A00001", 2))
        await storm(world, registrar, random.Random(seed), links=links, rounds=rounds)
        assert await honest.report() == 0
        async with asyncio.timeout(5):
            while len(world.server.links) > 1:  # noqa: ASYNC110 – they end by themselves
                await asyncio.sleep(0.01)
        assert world.server.links.waiting_bytes == 0
        assert world.server.links.rows["in_flight"][world.server.links.rows["used"]].tolist() == [0]
    positions = log.positions()
    assert positions is not None and set(positions.vehicle_ids.tolist()) <= set(range(1, links + 2))


async def test_damaged_and_odd_frames_never_stop_the_server() -> None:
    await survive(808, rounds=10)


@pytest.mark.faults
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", range(20))
async def test_long_storms_of_damaged_and_odd_frames_never_stop_the_server(seed: int) -> None:
    await survive(seed, rounds=200)
