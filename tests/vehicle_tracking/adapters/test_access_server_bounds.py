"""The bounds of the access server on real TCP: how long, how many, how much, and how it ends."""

from __future__ import annotations

import asyncio
import resource

import pytest

from common.clock import ManualClock
from common.metrics import metrics
from services.vehicle_tracking.adapters import access_links
from services.vehicle_tracking.adapters.access_links import Ended
from services.vehicle_tracking.adapters.access_server import links_possible
from simulation import frames
from simulation.frames import Identity
from tests.vehicle_tracking.access_world import (
    PHONE,
    BlockingLog,
    Client,
    MemoryRegistrar,
    World,
    access,
    fix,
    known,
)

pytestmark = pytest.mark.enable_socket


def location(second: int) -> bytes:
    """Body of a report."""
    return frames.location_body(fix(second))


def ended(why: Ended) -> float:
    """How many links have ended for that reason since the start of the process."""
    return float(metrics.links_closed.labels("jt808", why)._value.get())


async def until_taken(world: World, link_count: int) -> None:
    """Wait until the server knows of as many links."""
    async with asyncio.timeout(5):
        while len(world.server.links) != link_count:  # noqa: ASYNC110 – links come and go by themselves
            await asyncio.sleep(0.005)


async def test_a_new_log_in_closes_the_older_link() -> None:
    before = ended(Ended.REPLACED)
    async with access() as world:
        older = await world.logged_in()
        newer = await world.logged_in()
        assert await older.closed()
        assert await newer.report() == 0
        assert ended(Ended.REPLACED) == before + 1


async def test_a_link_that_does_not_log_in_is_closed() -> None:
    clock = ManualClock(1_767_225_600_000)
    async with access(clock=clock, access_login_s=30) as world:
        client = await world.connected()
        await until_taken(world, 1)
        clock.advance(29_000)
        assert await client.ask(frames.HEARTBEAT) == 0  # heartbeats are no log-in
        clock.advance(2_000)
        world.server.sweep()
        assert await client.closed()


async def test_a_silent_link_is_closed_and_one_that_speaks_is_not() -> None:
    clock = ManualClock(1_767_225_600_000)
    registrar = MemoryRegistrar(known(), known("13900000002", 8))
    async with access(registrar=registrar, clock=clock, access_idle_s=60) as world:
        silent, speaking = await world.logged_in(), await world.logged_in(Identity("13900000002", "湘A00002", 2))
        clock.advance(59_000)
        assert await speaking.ask(frames.HEARTBEAT) == 0
        clock.advance(2_000)
        world.server.sweep()
        assert await silent.closed()
        assert await speaking.report() == 0


async def test_no_more_links_than_the_setting_allows() -> None:
    before = ended(Ended.FULL)
    async with access(access_links_max=2) as world:
        first = await world.logged_in()
        await world.connected()
        await until_taken(world, 2)
        third = await world.connected()
        assert await third.closed()
        assert ended(Ended.FULL) == before + 1
        await first.close()
        await until_taken(world, 1)
        assert await (await world.connected()).ask(frames.HEARTBEAT) == 0


async def test_a_terminal_that_leaves_the_register_is_cut_off() -> None:
    registrar = MemoryRegistrar(known())
    async with access(registrar=registrar) as world:
        client = await world.logged_in()
        registrar.terminals.clear()
        world.server.sweep()
        assert await client.closed()


async def test_a_terminal_on_another_vehicle_reports_for_that_one() -> None:
    log, registrar = BlockingLog(), MemoryRegistrar(known())
    async with access(log, registrar) as world:
        client = await world.logged_in()
        registrar.terminals[PHONE] = known(vehicle_id=9)
        world.server.sweep()
        assert await client.report() == 0
    positions = log.positions()
    assert positions is not None and positions.vehicle_ids.tolist() == [9]


async def test_reading_stops_while_too_much_waits_and_goes_on_after() -> None:
    log = BlockingLog()
    async with access(log, waiting_positions_max=10) as world:
        client = await world.logged_in()
        log.go_on.clear()
        for first in (0, 10, 20):
            client.send(*(client.frame(frames.LOCATION, location(first + second)) for second in range(10)))
            await asyncio.sleep(0.05)
        assert world.server.links.holding
        assert world.server.links.paused_count == 1
        log.go_on.set()
        assert [await client.result() for _ in range(30)] == [0] * 30
        assert world.server.links.paused_count == 0
        assert log.position_count() == 30


async def test_one_link_has_only_so_many_frames_in_flight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_links, "LINK_FRAMES_MAX", 20)
    log = BlockingLog()
    async with access(log) as world:
        client = await world.logged_in()
        log.go_on.clear()
        client.send(*(client.frame(frames.LOCATION, location(second)) for second in range(25)))
        await asyncio.sleep(0.1)
        assert world.server.links.paused_count == 1
        log.go_on.set()
        assert [await client.result() for _ in range(25)] == [0] * 25
        assert await client.report() == 0


async def test_a_terminal_that_reads_no_answers_is_not_read_either(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = ManualClock(1_767_225_600_000)
    async with access(clock=clock, access_idle_s=60) as world:
        client = await world.logged_in()
        client.pause()
        beats = b"".join(client.frame(frames.HEARTBEAT) for _ in range(1000))
        async with asyncio.timeout(10):
            while not world.server.links.paused_count:
                client.send(beats)
                await asyncio.sleep(0.005)
        clock.advance(61_000)
        world.server.sweep()
        clock.advance(10_000)
        world.server.sweep()
        await until_taken(world, 0)


async def test_a_drain_answers_what_has_arrived_and_closes() -> None:
    log = BlockingLog()
    async with access(log) as world:
        client = await world.logged_in()
        log.go_on.clear()
        client.send(client.frame(frames.LOCATION, location(1)))
        await asyncio.sleep(0.05)
        draining = asyncio.create_task(world.server.drain())
        await asyncio.sleep(0.05)
        assert not draining.done()
        with pytest.raises(OSError):
            await world.connected()
        log.go_on.set()
        assert await client.result() == 0
        assert await client.closed()
        await draining
        assert len(world.server.links) == 0


async def test_a_drain_does_not_wait_forever() -> None:
    log = BlockingLog()
    async with access(log) as world:
        client = await world.logged_in()
        log.go_on.clear()
        client.send(client.frame(frames.LOCATION, location(1)))
        await asyncio.sleep(0.05)
        await world.server.drain(timeout_s=0.1)
        with pytest.raises(ConnectionError):
            await client.message()
        log.go_on.set()


async def test_open_links_are_counted_until_they_end() -> None:
    gauge = metrics.links.labels("jt808")._value
    before = gauge.get()
    async with access() as world:
        client: Client = await world.logged_in()
        assert gauge.get() == before + 1
        await client.close()
        await until_taken(world, 0)
        assert gauge.get() == before


@pytest.mark.parametrize(
    ("before", "links", "after"),
    [
        ((1024, 100_000), 50_000, (50_500, 100_000)),
        ((1024, 4096), 3596, (4096, 4096)),
        ((60_000, 60_000), 50_000, (60_000, 60_000)),
        ((1024, resource.RLIM_INFINITY), 50_000, (50_500, resource.RLIM_INFINITY)),
        ((resource.RLIM_INFINITY, resource.RLIM_INFINITY), 50_000, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)),
    ],
)
def test_links_are_bounded_by_the_files_that_the_system_allows(
    before: tuple[int, int], links: int, after: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = [before]
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda _, new: limits.append(new))
    assert links_possible(50_000) == links
    assert limits[-1] == after
