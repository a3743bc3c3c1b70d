"""The desk: terminals that come, go, and guess."""

from __future__ import annotations

import pytest

from common.errors import Unavailable
from services.vehicle_tracking.adapters import access_logins
from services.vehicle_tracking.adapters.access_registrar import Applicant
from services.vehicle_tracking.domain.register import Terminal
from simulation import frames
from simulation.frames import Identity
from tests.vehicle_tracking.access_world import CODE, IDENTITY, PHONE, BlockingLog, MemoryRegistrar, access, fix, known

pytestmark = pytest.mark.enable_socket


class AwayRegistrar(MemoryRegistrar):
    """A registrar whose database is away."""

    async def admitted(self, phone: str, code: str) -> Terminal | None:
        raise Unavailable("POSTGRES_UNAVAILABLE", "away")

    async def registered(self, applicant: Applicant) -> tuple[Terminal | None, int]:
        raise Unavailable("POSTGRES_UNAVAILABLE", "away")


async def test_without_the_database_known_terminals_log_in_and_others_get_no_answer() -> None:
    async with access(registrar=AwayRegistrar(known())) as world:
        stranger = await world.connected(Identity("13900000002", "湘A00002", 2))
        stranger.send(stranger.frame(frames.AUTHENTICATE, b"code"))
        stranger.send(stranger.frame(frames.REGISTER, frames.register_body(IDENTITY)))
        assert await stranger.silent()
        client = await world.logged_in()
        assert await client.report() == 0


async def test_a_2019_log_in_that_is_cut_short_is_a_bad_message() -> None:
    async with access() as world:
        client = await world.connected(IDENTITY._replace(edition=2019))
        assert await client.ask(frames.AUTHENTICATE, b"\x10abc") == 2


async def test_a_log_in_forgives_the_refusals_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_logins, "REFUSALS_MAX", 5)
    async with access() as world:
        client = await world.connected()
        for _ in range(4):
            for _ in range(2):
                assert await client.ask(frames.AUTHENTICATE, b"wrong") == 1
            assert await client.ask(frames.AUTHENTICATE, CODE.encode()) == 0


async def test_a_log_out_of_somebody_else_is_refused() -> None:
    async with access(registrar=MemoryRegistrar(known(), known("13900000002", 8))) as world:
        client = await world.logged_in()
        client.identity = Identity("13900000002", "湘A00002", 2)
        assert await client.ask(frames.LOG_OUT) == 1
        client.identity = IDENTITY
        assert await client.report() == 0


async def test_registering_on_a_link_that_is_logged_in_keeps_the_log_in() -> None:
    async with access() as world:
        client = await world.logged_in()
        client.send(client.frame(frames.REGISTER, frames.register_body(IDENTITY)))
        assert frames.register_answer((await client.message()).body)[1:] == (0, CODE)
        assert await client.report() == 0


def location(second: int) -> bytes:
    """Body of a report."""
    return frames.location_body(fix(second))


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
