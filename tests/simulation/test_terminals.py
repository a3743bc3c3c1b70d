"""Terminals against a small platform on loopback that answers, refuses, stalls and hangs up as told."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from simulation import frames
from simulation.frames import Fix, FrameReader, Identity
from simulation.terminals import State, Terminals

pytestmark = pytest.mark.enable_socket


@dataclass
class Platform:
    """What it was sent, and how it is to behave."""

    messages: list[tuple[int, bytes]] = field(default_factory=list)
    damaged_count: int = 0
    hang_up_before: set[int] = field(default_factory=set)  # the n-th reports that end the link unanswered
    log_in_result: Callable[[int], int] = field(default=lambda _: 0)
    answering: bool = True
    port: int = 0

    @property
    def reports(self) -> list[bytes]:
        return [body for message_id, body in self.messages if message_id == frames.LOCATION]

    def answer(self, message: frames.Message) -> bytes | None:
        """What to say to a message: nothing, or None to hang up."""
        self.messages.append((message.message_id, message.body))
        if message.message_id == frames.LOCATION and len(self.reports) in self.hang_up_before:
            return None
        if not self.answering:
            return b""
        identity = Identity("1", "", 0)
        if message.message_id == frames.REGISTER:
            return frames.frame(identity, frames.REGISTER_ANSWER, 0, struct.pack(">HB", message.serial, 0) + b"CODE~}")
        result = self.log_in_result(len(self.messages)) if message.message_id == frames.AUTHENTICATE else 0
        body = struct.pack(">HHB", message.serial, message.message_id, result)
        return frames.frame(identity, frames.GENERAL_ANSWER, 0, body)


class PlatformLink(asyncio.Protocol):
    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._reader = FrameReader()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        for message in self._reader.feed(data):
            answer = self._platform.answer(message)
            if answer is None:
                self._transport.abort()
                return
            self._transport.write(answer)
        self._platform.damaged_count = self._reader.damaged_count


@asynccontextmanager
async def running(platform: Platform) -> AsyncIterator[Platform]:
    server = await asyncio.get_running_loop().create_server(lambda: PlatformLink(platform), "127.0.0.1", platform.port)
    platform.port = server.sockets[0].getsockname()[1]
    try:
        yield platform
    finally:
        server.close()
        await server.wait_closed()


def fix(second: int) -> Fix:
    return Fix(second * 1000, 1129381000, 282282000, 600, 90, 50, 0, 3)


async def test_a_terminal_registers_authenticates_and_reports_in_order() -> None:
    async with running(Platform()) as platform:
        async with Terminals("127.0.0.1", platform.port) as terminals:
            terminal = terminals.add(Identity("19900000001", "湘A00001", 2))
            for second in range(100):
                terminal.report(fix(second))
            await terminals.settled(timeout_s=5)
        assert [m for m, _ in platform.messages[:2]] == [frames.REGISTER, frames.AUTHENTICATE]
        assert platform.messages[1][1] == b"CODE~}"
        assert platform.reports == [frames.location_body(fix(second)) for second in range(100)]
        assert terminals.counts.positions_acknowledged == terminals.counts.positions_reported == 100


async def test_what_was_not_answered_is_sent_again_in_order_after_the_link_is_back() -> None:
    async with running(Platform(hang_up_before={20, 31})) as platform:
        async with Terminals("127.0.0.1", platform.port) as terminals:
            terminal = terminals.add(Identity("19900000001", "湘A00001", 2, 2019))
            for second in range(60):
                terminal.report(fix(second))
            await terminals.settled(timeout_s=10)
        seen = list(dict.fromkeys(platform.reports))
        assert seen == [frames.location_body(fix(second)) for second in range(60)]
        assert terminals.counts.connects == 3
        assert terminals.counts.frames_resent > 0
        assert terminals.counts.positions_acknowledged == 60


async def test_a_refused_code_leads_to_a_new_registration() -> None:
    async with running(Platform(log_in_result=lambda n: int(n < 3))) as platform:
        async with Terminals("127.0.0.1", platform.port) as terminals:
            terminal = terminals.add(Identity("19900000001", "湘A00001", 2))
            await terminals.settled(lambda: terminal.state is State.ONLINE, timeout_s=10)
        assert [m for m, _ in platform.messages] == [frames.REGISTER, frames.AUTHENTICATE] * 2
        assert terminals.counts.log_ins_refused == 1


async def test_no_more_than_the_window_is_in_flight() -> None:
    async with running(Platform()) as platform, Terminals("127.0.0.1", platform.port, window=4) as terminals:
        terminal = terminals.add(Identity("19900000001", "湘A00001", 2))
        await terminals.settled(lambda: terminal.state is State.ONLINE, timeout_s=5)
        platform.answering = False
        for second in range(10):
            terminal.report(fix(second))
        await terminals.settled(lambda: len(platform.reports) >= 4, timeout_s=5)
        await asyncio.sleep(0.1)
        assert len(platform.reports) == 4


async def test_a_damaged_frame_reaches_the_platform_damaged_and_awaits_no_answer() -> None:
    async with running(Platform()) as platform:
        async with Terminals("127.0.0.1", platform.port) as terminals:
            terminal = terminals.add(Identity("19900000001", "湘A00001", 2))
            terminal.report(fix(1), damaged=True)
            terminal.report(fix(2))
            await terminals.settled(timeout_s=5)
        await asyncio.sleep(0.05)
        assert platform.reports == [frames.location_body(fix(2))]
        assert platform.damaged_count == 1
        assert terminals.counts.frames_damaged == 1


async def test_blind_area_fixes_go_in_batches_that_fit_a_frame() -> None:
    async with running(Platform()) as platform:
        async with Terminals("127.0.0.1", platform.port) as terminals:
            terminal = terminals.add(Identity("19900000001", "湘A00001", 2))
            terminal.upload([fix(second) for second in range(40)], frames.BATCH_BLIND_AREA)
            await terminals.settled(timeout_s=5)
        batches = [body for message_id, body in platform.messages if message_id == frames.LOCATION_BATCH]
        assert [struct.unpack_from(">HB", body) for body in batches] == [(18, 1), (18, 1), (4, 1)]
        assert terminals.counts.positions_acknowledged == 40


async def test_terminals_wait_for_a_platform_that_is_not_up_yet(unused_tcp_port: int) -> None:
    async with Terminals("127.0.0.1", unused_tcp_port) as terminals:
        terminal = terminals.add(Identity("19900000001", "湘A00001", 2))
        terminal.report(fix(1))
        await asyncio.sleep(0.2)
        async with running(Platform(port=unused_tcp_port)) as platform:
            await terminals.settled(timeout_s=10)
            assert len(platform.reports) == 1
