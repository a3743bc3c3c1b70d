"""The access server on real TCP: what terminals see, and what is in the log when they see it."""

from __future__ import annotations

import asyncio

import pytest

from common.metrics import metrics
from services.vehicle_tracking.adapters.access_links import Ended
from services.vehicle_tracking.domain.positions import PositionSource
from simulation import frames
from simulation.frames import Identity
from simulation.terminals import Terminals
from tests.vehicle_tracking.access_world import (
    BlockingLog,
    MemoryRegistrar,
    World,
    access,
    fix,
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


async def test_a_position_is_answered_and_in_the_log_under_its_vehicle() -> None:
    log = BlockingLog()
    async with access(log) as world:
        client = await world.logged_in()
        assert await client.report(5) == 0
    positions = log.positions()
    assert positions is not None
    assert positions.vehicle_ids.tolist() == [7]
    assert positions.fix_times_ms.tolist() == [fix(5).fix_time_ms]
    assert positions.longitudes_e7.tolist() == [fix(5).longitude_e7]
    assert positions.sources.tolist() == [PositionSource.TERMINAL]


async def test_an_answer_never_comes_before_durability() -> None:
    log = BlockingLog()
    async with access(log) as world:
        client = await world.logged_in()
        log.go_on.clear()
        client.send(client.frame(frames.LOCATION, location(1)))
        assert await client.silent(0.2)
        assert log.position_count() == 0
        log.go_on.set()
        assert await client.result() == 0
        assert log.position_count() == 1


async def test_other_answers_do_not_wait_for_the_log() -> None:
    log = BlockingLog()
    async with access(log) as world:
        client = await world.logged_in()
        log.go_on.clear()
        client.send(client.frame(frames.LOCATION, location(1)))
        assert await client.ask(frames.HEARTBEAT) == 0
        log.go_on.set()
        assert await client.result() == 0


async def test_a_log_that_is_away_means_no_answer_and_what_is_sent_again_is_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("services.vehicle_tracking.adapters.ingest.RETRY_DELAYS_S", (0.0, 0.0))
    log = BlockingLog()
    async with access(log) as world:
        client = await world.logged_in()
        log.away = True
        client.send(client.frame(frames.LOCATION, location(1)))
        assert await client.silent(0.2)
        log.away = False
        assert await client.report(1) == 0
        assert log.position_count() == 1


async def test_an_append_that_crashes_means_no_answer() -> None:
    log = BlockingLog()
    async with access(log) as world:
        client = await world.logged_in()
        log.crash = True
        client.send(client.frame(frames.LOCATION, location(1)))
        assert await client.silent(0.2)
        log.crash = False
        assert await client.report(2) == 0


async def test_positions_of_a_tick_share_a_record_and_keep_their_order() -> None:
    log = BlockingLog()
    async with access(log) as world:
        client = await world.logged_in()
        client.send(*(client.frame(frames.LOCATION, location(second)) for second in range(50)))
        assert [await client.result() for _ in range(50)] == [0] * 50
    positions = log.positions()
    assert positions is not None
    assert positions.fix_times_ms.tolist() == [fix(second).fix_time_ms for second in range(50)]
    assert len(log.values("positions")) <= 3


async def test_a_frame_that_comes_byte_by_byte_is_put_together() -> None:
    async with access() as world:
        client = await world.logged_in()
        for octet in client.frame(frames.LOCATION, location(1)):
            client.send(bytes((octet,)))
            await asyncio.sleep(0.002)
        assert await client.result() == 0


async def test_the_last_fix_before_the_line_breaks_is_kept() -> None:
    log = BlockingLog()
    async with access(log) as world:
        client = await world.logged_in()
        client.send(client.frame(frames.LOCATION, location(1)))
        await client.close()
        await until_taken(world, 0)
        await asyncio.sleep(0.05)
        assert log.position_count() == 1


async def test_what_we_do_not_support_is_said_so_and_the_link_lives() -> None:
    async with access() as world:
        client = await world.logged_in()
        assert await client.ask(0x0900, b"\xf0data") == 3
        assert await client.report() == 0


async def test_a_terminals_own_answer_is_not_answered() -> None:
    async with access() as world:
        client = await world.logged_in()
        client.send(client.frame(0x0001, b"\0\0\x81\x03\0"))
        assert await client.silent()


async def test_a_location_that_cannot_be_read_is_a_bad_message() -> None:
    log = BlockingLog()
    async with access(log) as world:
        client = await world.logged_in()
        assert await client.ask(frames.LOCATION, location(1)[:20]) == 2
        assert log.position_count() == 0


async def test_a_blind_area_batch_is_kept_as_such() -> None:
    log = BlockingLog()
    async with access(log) as world:
        client = await world.logged_in()
        fixes = [fix(second) for second in range(3)]
        assert await client.ask(frames.LOCATION_BATCH, frames.batch_body(fixes, frames.BATCH_BLIND_AREA)) == 0
    positions = log.positions()
    assert positions is not None
    assert positions.sources.tolist() == [PositionSource.BLIND_AREA] * 3
    assert positions.fix_times_ms.tolist() == [one.fix_time_ms for one in fixes]


async def test_a_damaged_frame_is_dropped_and_the_link_lives() -> None:
    log = BlockingLog()
    async with access(log) as world:
        client = await world.logged_in()
        damaged = bytearray(client.frame(frames.LOCATION, location(1)))
        damaged[20] ^= 1
        client.send(bytes(damaged))
        assert await client.report(2) == 0
        assert log.position_count() == 1


@pytest.mark.parametrize("stray", [b"\x7e", b"x", b"\x7d", b"\x7e\x7e\x7e", b"(0123)"])
async def test_after_stray_bytes_frames_are_found_again(stray: bytes) -> None:
    async with access() as world:
        client = await world.logged_in()
        client.send(client.frame(frames.LOCATION, location(1)), stray, client.frame(frames.LOCATION, location(2)))
        assert [await client.result() for _ in range(2)] == [0, 0]
        assert await client.report(3) == 0


async def test_a_fleet_of_terminals_gets_every_position_into_the_log() -> None:
    log, registrar = BlockingLog(), MemoryRegistrar(registry_open=True)
    async with access(log, registrar) as world:
        async with Terminals("127.0.0.1", world.server.port) as terminals:
            for number in range(60):
                phone = str(13_900_001_000 + number)
                edition = (2011, 2013, 2019)[number % 3]
                terminal = terminals.add(Identity(phone, f"湘A{number:05}", 2, edition))
                for second in range(40):
                    terminal.report(fix(second), damaged=second % 10 == 9)
                terminal.upload([fix(second) for second in range(100, 130)], frames.BATCH_BLIND_AREA)
            await terminals.settled(timeout_s=20)
        assert terminals.counts.positions_acknowledged == 60 * (36 + 30)
        assert terminals.counts.frames_refused == 0
    positions = log.positions()
    assert positions is not None
    assert len(set(zip(positions.vehicle_ids.tolist(), positions.fix_times_ms.tolist(), strict=True))) == 60 * 66
