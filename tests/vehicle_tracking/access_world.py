"""A running access server on a log in memory, and terminals that say one thing at a time."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

from common.clock import Clock, SystemClock
from common.infra.log import NewRecord, Producer
from services.vehicle_tracking.adapters.access_letters import RefusedFrames
from services.vehicle_tracking.adapters.access_registrar import Applicant, owner, violations
from services.vehicle_tracking.adapters.access_server import AccessServer, serve_terminals
from services.vehicle_tracking.adapters.ingest import Publisher
from services.vehicle_tracking.convert.positions import decode
from services.vehicle_tracking.domain.positions import PositionBatch, joined
from services.vehicle_tracking.domain.register import Terminal
from services.vehicle_tracking.domain.topics import POSITIONS
from services.vehicle_tracking.settings import TrackingSettings
from services.vehicle_tracking.terminals.jt808.answers import NO_SUCH_TERMINAL, NO_SUCH_VEHICLE, REGISTERED
from simulation import frames
from simulation.frames import Fix, FrameReader, Identity, Message
from tests.vehicle_tracking.memory_log import MemoryLog

PARTITIONS = 4
PATIENCE_S = 5.0
PHONE = "13900000001"
CODE = "c0de"
IDENTITY = Identity(PHONE, "湘A00001", 2)


def fix(second: int, **changed: int) -> Fix:
    """A fix near Changsha, `second` seconds into 2026."""
    return Fix(1_767_225_600_000 + second * 1000, 1_129_381_000, 282_282_000, 600, 90, 50, 0, 3)._replace(**changed)


class BlockingLog(MemoryLog):
    """A log whose appends wait until told to go on. `crash`: they fail in a way that nobody foresaw."""

    def __init__(self) -> None:
        super().__init__()
        self.crash = False
        self.go_on = threading.Event()
        self.go_on.set()

    def producer(self) -> Producer:
        return BlockingProducer(self, super().producer())

    def positions(self) -> PositionBatch | None:
        """Everything that was appended."""
        values = self.values(POSITIONS)
        return joined([decode(value) for value in values]) if values else None

    def position_count(self) -> int:
        """How many positions were appended."""
        positions = self.positions()
        return 0 if positions is None else len(positions)


class BlockingProducer:
    def __init__(self, log: BlockingLog, producer: Producer) -> None:
        self._log = log
        self._producer = producer

    def append(self, records: Sequence[NewRecord], *, timeout_s: float = 30.0) -> list[int]:
        assert self._log.go_on.wait(PATIENCE_S)
        if self._log.crash:
            raise RuntimeError("a fault of our own")
        return self._producer.append(records, timeout_s=timeout_s)

    def close(self) -> None:
        self._producer.close()


class MemoryRegistrar:
    """A registrar without a database. `elsewhere`: terminals that only the database would know."""

    def __init__(self, *terminals: Terminal, registry_open: bool = False) -> None:
        self.terminals = {terminal.phone: terminal for terminal in terminals}
        self.elsewhere: dict[str, Terminal] = {}
        self.registry_open = registry_open

    def find(self, phone: str) -> Terminal | None:
        return self.terminals.get(phone)

    def known(self, phone: str, code: str) -> Terminal | None:
        return owner(self.find(phone), code)

    async def admitted(self, phone: str, code: str) -> Terminal | None:
        await asyncio.sleep(0)
        self.terminals |= self.elsewhere
        return self.known(phone, code)

    async def registered(self, applicant: Applicant) -> tuple[Terminal | None, int]:
        await asyncio.sleep(0)
        phone = applicant.terminal.phone
        known = self.terminals.get(phone)
        if known is None and not self.registry_open:
            return None, NO_SUCH_TERMINAL
        if known is None and violations(applicant):
            return None, NO_SUCH_VEHICLE
        terminal = replace(known or replace(applicant.terminal, vehicle_id=1000 + len(self.terminals)), auth_code=CODE)
        self.terminals[phone] = terminal
        return terminal, REGISTERED

    async def log_out(self, phone: str) -> None:
        self.terminals[phone] = replace(self.terminals[phone], auth_code="")

    def close(self) -> None:
        pass


def known(phone: str = PHONE, vehicle_id: int = 7) -> Terminal:
    """A terminal in the register that has a code."""
    return Terminal(phone, vehicle_id, auth_code=CODE)


class Client:
    """One connection that writes what it is told and reads answers."""

    def __init__(self, identity: Identity, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.identity = identity
        self._reader, self._writer = reader, writer
        self._frames = FrameReader()
        self._messages: list[Message] = []
        self.serial = 0

    def frame(self, message_id: int, body: bytes = b"", **part: Any) -> bytes:
        """The next frame of this terminal."""
        self.serial += 1
        return frames.frame(self.identity, message_id, self.serial - 1, body, **part)

    def send(self, *wire: bytes) -> None:
        """Write bytes as they are."""
        self._writer.write(b"".join(wire))

    async def message(self, timeout_s: float = PATIENCE_S) -> Message:
        """The next message of the platform."""
        async with asyncio.timeout(timeout_s):
            while not self._messages:
                received = await self._reader.read(65536)
                if not received:
                    raise ConnectionError("the platform closed the link")
                self._messages += self._frames.feed(received)
        return self._messages.pop(0)

    async def result(self, timeout_s: float = PATIENCE_S) -> int:
        """The result of the next general answer."""
        message = await self.message(timeout_s)
        assert message.message_id == frames.GENERAL_ANSWER
        return frames.general_answer(message.body)[2]

    async def ask(self, message_id: int, body: bytes = b"") -> int:
        """Send one message; the result of its answer."""
        serial = self.serial
        self.send(self.frame(message_id, body))
        message = await self.message()
        assert message.message_id == frames.GENERAL_ANSWER
        assert frames.general_answer(message.body)[:2] == (serial, message_id)
        return frames.general_answer(message.body)[2]

    async def report(self, second: int = 1) -> int:
        """Report one fix; the result of its answer."""
        return await self.ask(frames.LOCATION, frames.location_body(fix(second)))

    async def silent(self, span_s: float = 0.1) -> bool:
        """Whether nothing comes for a while."""
        try:
            await self.message(span_s)
        except TimeoutError:
            return True
        return False

    async def closed(self, timeout_s: float = PATIENCE_S) -> bool:
        """Whether the platform closes the link; what it still says is read."""
        try:
            while True:
                await self.message(timeout_s)
        except ConnectionError:
            return True
        except TimeoutError:
            return False

    def pause(self) -> None:
        """Read no more."""
        self._writer.transport.pause_reading()  # type: ignore[attr-defined]  # every transport of a socket can

    async def close(self) -> None:
        """Hang up."""
        self._writer.close()
        with suppress(ConnectionError):
            await self._writer.wait_closed()


class World:
    """A running server and the terminals that are connected to it."""

    def __init__(self, server: AccessServer) -> None:
        self.server = server
        self.clients: list[Client] = []

    async def connected(self, identity: Identity = IDENTITY) -> Client:
        """A link without a log-in."""
        client = Client(identity, *await asyncio.open_connection("127.0.0.1", self.server.port))
        self.clients.append(client)
        return client

    async def logged_in(self, identity: Identity = IDENTITY, code: str = CODE) -> Client:
        """A link whose terminal is logged in."""
        client = await self.connected(identity)
        assert await client.ask(frames.AUTHENTICATE, frames.authenticate_body(identity, code)) == 0
        return client


@asynccontextmanager
async def access(
    log: BlockingLog | None = None,
    registrar: MemoryRegistrar | None = None,
    clock: Clock | None = None,
    *,
    waiting_positions_max: int = 100_000,
    refused: RefusedFrames | None = None,
    **settings: Any,
) -> AsyncIterator[World]:
    """A server on any free port, with one known terminal unless told otherwise."""
    publisher = Publisher(
        (log or BlockingLog()).producer(), partition_count=PARTITIONS, waiting_positions_max=waiting_positions_max
    )
    server = await serve_terminals(
        TrackingSettings(access_port=0, **settings),
        registrar or MemoryRegistrar(known()),
        publisher,
        clock or SystemClock(),
        refused,
    )
    world = World(server)
    try:
        yield world
    finally:
        await server.drain(timeout_s=1.0)
        for client in world.clients:
            await client.close()
        await publisher.drain()
