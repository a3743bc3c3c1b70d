"""The access server on real TCP: what terminals see, and what is in the log when they see it."""

from __future__ import annotations

import asyncio

import pytest

from common.clock import ManualClock
from common.metrics import metrics
from services.vehicle_tracking.adapters import access_links
from services.vehicle_tracking.adapters.access_links import Ended
from services.vehicle_tracking.domain.positions import PositionSource
from simulation import frames
from simulation.frames import Identity
from simulation.terminals import Terminals
from tests.vehicle_tracking.access_world import (
    CODE,
    IDENTITY,
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


async def test_positions_before_a_log_in_are_refused() -> None:
    log = BlockingLog()
    async with access(log) as world:
        client = await world.connected()
        assert await client.report() == 1
        assert log.position_count() == 0


async def test_positions_right_behind_a_log_in_come_under_it() -> None:
    log = BlockingLog()
    async with access(log) as world:
        client = await world.connected()
        before, log_in = client.frame(frames.LOCATION, location(1)), client.frame(frames.AUTHENTICATE, CODE.encode())
        client.send(before, log_in, client.frame(frames.LOCATION, location(2)))
        assert sorted([await client.result() for _ in range(3)]) == [0, 0, 1]
    positions = log.positions()
    assert positions is not None and positions.fix_times_ms.tolist() == [fix(2).fix_time_ms]


async def test_a_code_opens_only_for_its_own_phone() -> None:
    async with access(registrar=MemoryRegistrar(known(), known("13900000002", 8))) as world:
        client = await world.connected()
        assert await client.ask(frames.AUTHENTICATE, b"wrong") == 1
        assert await client.ask(frames.AUTHENTICATE, b"") == 1
        stranger = await world.connected(Identity("13900000003", "湘A00003", 2))
        assert await stranger.ask(frames.AUTHENTICATE, CODE.encode()) == 1
        assert await client.ask(frames.AUTHENTICATE, CODE.encode()) == 0


async def test_a_code_bound_by_another_process_a_moment_ago_is_right() -> None:
    registrar = MemoryRegistrar()
    registrar.elsewhere[PHONE] = known()
    async with access(registrar=registrar) as world:
        client = await world.logged_in()
        assert await client.report() == 0


async def test_a_link_that_guesses_codes_is_closed() -> None:
    async with access() as world:
        client = await world.connected()
        client.send(*(client.frame(frames.AUTHENTICATE, b"guess") for _ in range(100)))
        assert await client.closed()


async def test_nobody_reports_in_another_terminals_name() -> None:
    log = BlockingLog()
    async with access(log, MemoryRegistrar(known(), known("13900000002", 8))) as world:
        client = await world.logged_in()
        client.identity = Identity("13900000002", "湘A00002", 2)
        assert await client.report() == 1
        assert log.position_count() == 0


@pytest.mark.parametrize("edition", [2011, 2013, 2019])
async def test_a_terminal_registers_logs_in_and_reports(edition: int) -> None:
    identity = Identity(PHONE, "湘A00001", 2, edition)
    async with access(registrar=MemoryRegistrar(known())) as world:
        client = await world.connected(identity)
        client.send(client.frame(frames.REGISTER, frames.register_body(identity)))
        serial, result, code = frames.register_answer((await client.message()).body)
        assert (serial, result) == (0, 0)
        assert await client.ask(frames.AUTHENTICATE, frames.authenticate_body(identity, code)) == 0
        assert await client.report() == 0


async def test_an_unknown_terminal_is_refused_while_the_registry_is_closed() -> None:
    async with access(registrar=MemoryRegistrar()) as world:
        client = await world.connected()
        client.send(client.frame(frames.REGISTER, frames.register_body(IDENTITY)))
        assert frames.register_answer((await client.message()).body)[1:] == (4, "")


async def test_an_unknown_terminal_is_added_while_the_registry_is_open() -> None:
    log = BlockingLog()
    async with access(log, MemoryRegistrar(registry_open=True)) as world:
        client = await world.connected()
        client.send(client.frame(frames.REGISTER, frames.register_body(IDENTITY)))
        _, result, code = frames.register_answer((await client.message()).body)
        assert result == 0
        assert await client.ask(frames.AUTHENTICATE, code.encode()) == 0
        assert await client.report() == 0
    assert log.position_count() == 1


async def test_a_registration_that_cannot_be_read_is_a_bad_message() -> None:
    async with access() as world:
        client = await world.connected()
        assert await client.ask(frames.REGISTER, b"short") == 2


async def test_a_heartbeat_is_answered_also_before_a_log_in() -> None:
    async with access() as world:
        client = await world.connected()
        assert await client.ask(frames.HEARTBEAT) == 0


async def test_a_log_out_ends_the_log_in_and_its_code() -> None:
    async with access() as world:
        client = await world.logged_in()
        assert await client.ask(frames.LOG_OUT) == 0
        assert await client.report() == 1
        assert await client.ask(frames.AUTHENTICATE, CODE.encode()) == 1


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


async def test_open_links_are_counted_until_they_end() -> None:
    gauge = metrics.links.labels("jt808")._value
    before = gauge.get()
    async with access() as world:
        client: Client = await world.logged_in()
        assert gauge.get() == before + 1
        await client.close()
        await until_taken(world, 0)
        assert gauge.get() == before
