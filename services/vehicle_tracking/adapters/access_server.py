"""The access role's TCP server: terminals come in, and what they say is durable before it is answered."""

from __future__ import annotations

import asyncio
import resource
import socket

from common.clock import Clock
from common.infra import diagnostics
from services.vehicle_tracking.adapters.access_letters import RefusedFrames
from services.vehicle_tracking.adapters.access_links import Ended, Link, LinkBounds, Links
from services.vehicle_tracking.adapters.access_logins import Desk
from services.vehicle_tracking.adapters.access_parts import Assembly
from services.vehicle_tracking.adapters.access_registrar import Registrar, StoredRegistrar
from services.vehicle_tracking.adapters.access_ticks import Ticks
from services.vehicle_tracking.adapters.changes import Pool
from services.vehicle_tracking.adapters.fence_changes import Register
from services.vehicle_tracking.adapters.ingest import Publisher
from services.vehicle_tracking.settings import TrackingSettings
from services.vehicle_tracking.terminals import PROTOCOLS

BACKLOG = 4096  # a province that comes back after a broken line
KERNEL_BYTES = 16 * 1024  # what the kernel may hold for a link beside our own bounds
SWEEP_S = 1.0
DRAIN_S = 10.0
CLOSE_S = 1.0
OTHER_FILES = 500  # connections to the database and brokers, of programs, and whatever libraries open

log = diagnostics.logger(__name__)


class AccessServer:
    """A running server. `port`: where it listens."""

    def __init__(self, links: Links, ticks: Ticks, desk: Desk, assembly: Assembly) -> None:
        self.links = links
        self._ticks, self._desk, self._assembly = ticks, desk, assembly
        self.port = 0

    async def listen(self, host: str, port: int) -> None:
        """Take terminals in."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.create_server((host, port), family=family, backlog=BACKLOG)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, KERNEL_BYTES)  # links inherit it
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(lambda: Link(self.links), sock=listening, backlog=BACKLOG)
        self._sweeping = asyncio.create_task(self._sweep())
        self.port = int(listening.getsockname()[1])
        log.info("access listens", host=host, port=self.port)

    def sweep(self) -> None:
        """End links whose time is up or whose terminal has left the register; ask for parts that are missing."""
        self.links.end_overdue()
        self._desk.follow_register()
        self._assembly.look()

    async def drain(self, timeout_s: float = DRAIN_S) -> None:
        """Take nobody in any more, answer what has arrived, and close. What is not durable by then stays unanswered:
        its terminals send it again, to another server or to the next one here."""
        self._listener.close()
        self._sweeping.cancel()
        self.links.stop_reading()
        try:
            async with asyncio.timeout(timeout_s):
                await self._ticks.drain()
                await self._desk.drain()
                await self._assembly.drain()
        except TimeoutError:
            log.warning("drained in part", links=len(self.links))
        self._desk.close()
        self.links.end_all(Ended.DRAINED)
        try:
            async with asyncio.timeout(CLOSE_S):
                while len(self.links):  # noqa: ASYNC110 – links end by themselves, one by one
                    await asyncio.sleep(CLOSE_S / 100)
        except TimeoutError:
            self.links.cut_all()

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_S)
            self.sweep()


async def serve_access(
    settings: TrackingSettings,
    register: Register,
    publisher: Publisher,
    clock: Clock,
    *,
    pool: Pool,
    refused: RefusedFrames | None = None,
) -> AccessServer:
    """Listen for terminals until `drain`, which answers what has arrived and is to come before `publisher.drain`.

    `register` is kept current by a `Watch` of the role's; terminals that register are written through `pool`. The
    publisher is the one that positions of programs go through too, so that the bound on waiting positions holds for
    both. `refused`: keeps some of the frames that cannot be used. The loop ought to be uvloop's.
    """
    registrar = StoredRegistrar(pool, register, registry_open=settings.terminal_registry_open)
    return await serve_terminals(settings, registrar, publisher, clock, refused)


async def serve_terminals(
    settings: TrackingSettings,
    registrar: Registrar,
    publisher: Publisher,
    clock: Clock,
    refused: RefusedFrames | None = None,
) -> AccessServer:
    """Listen for the terminals that `registrar` lets in; `drain` closes it."""
    (protocol,) = PROTOCOLS  # a second protocol will need a port of its own
    links_max = links_possible(settings.access_links_max)
    bounds = LinkBounds(protocol.name, links_max, settings.access_login_s, settings.access_idle_s)
    links = Links(bounds, clock)
    desk, assembly = Desk(links, registrar), Assembly(protocol, links, publisher, clock)
    ticks = Ticks(protocol, links, desk, assembly, publisher, clock, refused)
    server = AccessServer(links, ticks, desk, assembly)
    await server.listen(settings.access_host, settings.access_port)
    return server


def links_possible(links_max: int) -> int:
    """How many of `links_max` links this process may open, after asking the system for as many: most systems start
    processes with 1,024 files, and a server that runs out of them accepts nobody and cannot say why."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = links_max + OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return links_max
    possible = max(1, soft - OTHER_FILES)
    log.warning("fewer links than set: raise the limit of open files", links=possible, links_max=links_max, files=soft)
    return possible
