"""Access servers in a process of their own, for bench.access: ours, and one that takes frame by frame.

`python -m bench.access_process ours|plain POSTGRES_URL` prints `port` and its port among its log lines, and serves
until it is killed.
"""

from __future__ import annotations

import asyncio
import struct
import sys
from datetime import datetime

import uvloop

from common.clock import SHANGHAI, SystemClock, milliseconds
from common.infra.log import NewRecord, Producer
from common.infra.log_postgres import PostgresLog
from services.vehicle_tracking.adapters.access_registrar import Applicant, owner
from services.vehicle_tracking.adapters.access_server import serve_terminals
from services.vehicle_tracking.adapters.ingest import Publisher
from services.vehicle_tracking.convert.positions import encode
from services.vehicle_tracking.domain.positions import PositionSource, batch
from services.vehicle_tracking.domain.register import Terminal
from services.vehicle_tracking.domain.topics import POSITIONS
from services.vehicle_tracking.settings import TrackingSettings
from services.vehicle_tracking.terminals.jt808.answers import NO_SUCH_TERMINAL, Peer, general_answer

FIRST_PHONE = 13_900_000_000
CODE = "c0de"
PARTITIONS = 8


class EveryTerminal:
    """A registrar that knows every phone from FIRST_PHONE on."""

    def find(self, phone: str) -> Terminal | None:
        """The terminal of that phone."""
        return Terminal(phone, int(phone) - FIRST_PHONE + 1, auth_code=CODE)

    def known(self, phone: str, code: str) -> Terminal | None:
        """The terminal whose code that is."""
        return owner(self.find(phone), code)

    async def admitted(self, phone: str, code: str) -> Terminal | None:
        """The terminal whose code that is."""
        return self.known(phone, code)

    async def registered(self, applicant: Applicant) -> tuple[Terminal | None, int]:  # noqa: ARG002 – the interface
        """Nobody: all are known."""
        return None, NO_SUCH_TERMINAL

    async def log_out(self, phone: str) -> None:
        """Nobody leaves."""

    def close(self) -> None:
        """Nothing is held."""


async def ours(producer: Producer) -> None:
    """The access role's server."""
    publisher = Publisher(producer, partition_count=PARTITIONS, waiting_positions_max=200_000)
    server = await serve_terminals(TrackingSettings(access_port=0), EveryTerminal(), publisher, SystemClock())
    print("port", server.port, flush=True)
    await asyncio.Event().wait()


async def plain(producer: Producer) -> None:
    """What one would write first: each link reads a frame, decodes it, appends it, answers it."""

    async def link(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await reader.readuntil(b"\x7e")
                piece = (await reader.readuntil(b"\x7e"))[:-1]
                writer.write(await _answered(producer, piece))
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(link, "127.0.0.1", 0, backlog=4096)
    print("port", server.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


async def _answered(producer: Producer, piece: bytes) -> bytes:
    message = piece.replace(b"\x7d\x02", b"\x7e").replace(b"\x7d\x01", b"\x7d")[:-1]
    message_id, serial = int.from_bytes(message[:2], "big"), int.from_bytes(message[10:12], "big")
    phone = int(message[4:10].hex())
    if message_id == 0x0200:
        alarm, status, latitude, longitude, altitude, speed, heading = struct.unpack_from(">iiIIhHH", message, 12)
        fix_time = datetime.strptime(message[34:40].hex(), "%y%m%d%H%M%S").replace(tzinfo=SHANGHAI)
        position = batch(
            SystemClock().now_ms(),
            vehicle_ids=[phone - FIRST_PHONE + 1],
            fix_times_ms=[milliseconds(fix_time)],
            longitudes_e7=[longitude * 10],
            latitudes_e7=[latitude * 10],
            speeds_01kmh=[speed],
            headings_deg=[heading],
            altitudes_m=[altitude],
            alarm_words=[alarm],
            status_words=[status],
            sources=[PositionSource.TERMINAL],
        )
        record = NewRecord(POSITIONS, phone % PARTITIONS, encode(position))
        await asyncio.to_thread(producer.append, [record])
    to = Peer(phone, is_2019=False, version=0)
    return general_answer(to, serial=0, answered_serial=serial, answered_id=message_id, result=0)


if __name__ == "__main__":
    kind, url = sys.argv[1:]
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run({"ours": ours, "plain": plain}[kind](PostgresLog(url).producer()))
