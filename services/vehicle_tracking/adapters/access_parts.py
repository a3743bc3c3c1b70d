"""Messages that come in parts: put together, published, and only then answered in full."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np

from common.clock import Clock
from common.errors import TooMuch, Unavailable
from common.metrics import count_rejections
from services.vehicle_tracking.adapters.access_answers import answer
from services.vehicle_tracking.adapters.access_judgement import LOCATION, LOCATION_BATCH, Tick
from services.vehicle_tracking.adapters.access_links import Links
from services.vehicle_tracking.adapters.ingest import Publisher
from services.vehicle_tracking.domain.positions import PositionBatch
from services.vehicle_tracking.terminals import TerminalProtocol
from services.vehicle_tracking.terminals.jt808 import parts
from services.vehicle_tracking.terminals.jt808.answers import BAD_MESSAGE, OK, UNSUPPORTED, peer, resend_parts
from services.vehicle_tracking.terminals.jt808.columns import FRAME, Reason
from services.vehicle_tracking.terminals.jt808.frames import decode_bodies

_NONE = parts.Parts()


class Assembly:
    """Parts of all links. A part is answered when it has come, because many terminals send the next only then; the one
    that completes a message is answered once the positions are durable. A terminal forgets a message when its last
    part is answered, so after a crash before that it sends all of it again."""

    def __init__(self, protocol: TerminalProtocol, links: Links, publisher: Publisher, clock: Clock) -> None:
        self._protocol = protocol
        self._links = links
        self._publisher = publisher
        self._clock = clock
        self._parts: dict[int, parts.Parts] = {}  # by link: after an outage thousands upload at once
        self._byte_count = 0
        self._running: set[asyncio.Task[None]] = set()

    def take(self, tick: Tick, frame: int) -> None:
        """Take one part from a terminal that is logged in."""
        link = tick.link(frame)
        number = self._links.number(link)
        part = parts.part(tick.decoded, frame, link=number)
        if part.header["reason"]:
            answer(self._links, link, part.header, BAD_MESSAGE)
        elif part.header["part_count"] > parts.PARTS_MAX:
            answer(self._links, link, part.header, UNSUPPORTED)
        elif self._byte_count + len(part.body) > parts.BYTES_MAX:
            count_rejections("terminal", {Reason.PART_BOUNDS.name: 1})  # no answer: it is to come again later
        else:
            joined = parts.joined(self._parts.get(number, _NONE), [part], now_s=self._clock.monotonic_s())
            self._keep(number, joined.parts, joined.dropped)
            if not joined.whole:
                answer(self._links, link, part.header, OK)
            for whole in joined.whole:
                self._complete(tick, frame, whole, part.header)

    def look(self) -> None:
        """Ask for parts that are overdue, give up what never comes, forget links that have ended."""
        for number, begun in list(self._parts.items()):
            link = self._links.find(number)
            if link is None:
                self._keep(number, _NONE, ())
                continue
            overdue = parts.overdue(begun, now_s=self._clock.monotonic_s())
            self._keep(number, overdue.parts, overdue.dropped)
            for missing in overdue.missing:
                wire = resend_parts(
                    peer(missing.header),
                    serial=self._links.next_serial(link),
                    first_serial=missing.first_serial,
                    part_indexes=missing.part_indexes,
                )
                link.write(wire)

    async def drain(self) -> None:
        """Return once nothing waits for durability any more."""
        while self._running:
            await asyncio.wait(self._running)

    def _complete(self, tick: Tick, frame: int, whole: parts.Whole, last_header: Any) -> None:
        link = tick.link(frame)
        if whole.header["message_id"] not in (LOCATION, LOCATION_BATCH):
            answer(self._links, link, last_header, UNSUPPORTED)
            return
        decoded = decode_bodies(np.array([whole.header], FRAME), [whole.body])
        count_rejections("terminal", decoded.rejection_counts())
        vehicle_ids = np.array([tick.vehicle_ids[frame]], np.int64)
        positions = self._protocol.positions(decoded, vehicle_ids, received_time_ms=tick.received_time_ms)
        if decoded.frames["reason"][0]:
            answer(self._links, link, last_header, BAD_MESSAGE)
        else:
            task = asyncio.create_task(self._publish(positions, self._links.number(link), last_header))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _publish(self, positions: PositionBatch, number: int, last_header: Any) -> None:
        try:
            await self._publisher.publish(positions)
        except (Unavailable, TooMuch) as error:
            count_rejections("terminal", {error.reason: len(positions)})
        else:
            link = self._links.find(number)
            if link is not None:
                answer(self._links, link, last_header, OK)

    def _keep(self, number: int, now: parts.Parts, dropped: tuple[parts.Dropped, ...]) -> None:
        """Remember what a link has begun, and count what came to nothing."""
        self._byte_count += now.byte_count - self._parts.pop(number, _NONE).byte_count
        if now.begun:
            self._parts[number] = now
        for each in dropped:
            count_rejections("terminal", {each.reason.name: each.part_count})
