"""Ticks: all that arrived on all links decoded at once, appended as one record a partition, and then answered."""

from __future__ import annotations

import asyncio

import numpy as np
from numpy.typing import NDArray

from common.clock import Clock
from common.errors import TooMuch, Unavailable
from common.infra import diagnostics
from common.metrics import count_rejections, metrics
from services.vehicle_tracking.adapters.access_answers import TickAnswers, tick_answers
from services.vehicle_tracking.adapters.access_judgement import (
    Judgement,
    Tick,
    end_unruly,
    judgement,
    message_counts,
    one_by_one,
)
from services.vehicle_tracking.adapters.access_letters import RefusedFrames
from services.vehicle_tracking.adapters.access_links import Links, Taken
from services.vehicle_tracking.adapters.access_logins import Desk
from services.vehicle_tracking.adapters.access_parts import Assembly
from services.vehicle_tracking.adapters.ingest import Publisher
from services.vehicle_tracking.domain.positions import PositionBatch
from services.vehicle_tracking.terminals import TerminalProtocol
from services.vehicle_tracking.terminals.jt808.answers import NO_ANSWER
from services.vehicle_tracking.terminals.jt808.frames import Room

TICK_S = 0.005  # waiting gathers frames: the more at once, the cheaper each is, and terminals have seconds
TICK_BYTES_MAX = 1024 * 1024  # decoding takes 20 bytes of memory for each

log = diagnostics.logger(__name__)


class Ticks:
    """Takes what the links collect. Only what needs durability, or the database, outlives the tick it came in."""

    def __init__(
        self,
        protocol: TerminalProtocol,
        links: Links,
        desk: Desk,
        assembly: Assembly,
        publisher: Publisher,
        clock: Clock,
        refused: RefusedFrames | None = None,
    ) -> None:
        self._protocol = protocol
        self._links = links
        self._desk = desk
        self._assembly = assembly
        self._publisher = publisher
        self._clock = clock
        self._refused = refused
        self._room = Room()
        self._publishing: set[asyncio.Task[None]] = set()
        self._awake = False
        links.wake = self.wake

    def wake(self) -> None:
        """Take what has arrived, soon."""
        if not self._awake:
            self._awake = True
            asyncio.get_running_loop().call_later(TICK_S, self._take_due)

    def take(self) -> None:
        """Decode what has arrived, see to it, and begin to publish its positions. While too much waits nothing is
        taken, so links stop reading, and what terminals send stays in their hands."""
        self._links.holding = self._publisher.full
        if not self._links.holding:
            taken = self._links.take(TICK_BYTES_MAX)
            if taken.links:
                self._see_to(self._decoded(taken))
            self._links.forget_lost()
            self._links.settle_paused()

    async def drain(self) -> None:
        """Take all that has arrived, and return once it is durable or refused."""
        while self._links.arrived or self._publishing:
            self.take()
            await asyncio.sleep(TICK_S)

    def _take_due(self) -> None:
        self._awake = False
        try:
            self.take()
        finally:
            if self._links.arrived:
                self.wake()

    def _decoded(self, taken: Taken) -> Tick:
        opened = self._links.rows["opened"][taken.rows]
        decoded = self._protocol.decode(taken.stream, taken.ends, opened, room=self._room)
        self._links.keep(taken, decoded.rest_starts, opened)
        rows = taken.rows[decoded.frames["link"]]
        phones, vehicle_ids = self._links.rows["phone"][rows], self._links.rows["vehicle_id"][rows]
        return Tick(taken, decoded, phones, vehicle_ids, self._clock.now_ms(), self._clock.monotonic_s())

    def _see_to(self, tick: Tick) -> None:
        frames = tick.decoded.frames
        separate = one_by_one(frames)
        for frame in np.flatnonzero(separate).tolist():
            self._see_to_one(tick, frame)
        judged = judgement(frames, tick.phones, separate)
        self._answers(tick, np.where(judged.durable, NO_ANSWER, judged.results)).write(tick.taken)
        if judged.durable.any():
            self._begin_publishing(tick, judged)
        self._count(tick)
        end_unruly(self._links, tick, judged)
        self._keep_refused(tick, judged)

    def _see_to_one(self, tick: Tick, frame: int) -> None:
        link = tick.link(frame)
        if link.ended is not None:
            return
        if not tick.decoded.frames["part_count"][frame]:
            self._desk.take(tick, frame)
        elif tick.logged_in(frame):
            self._assembly.take(tick, frame)
        else:
            self._desk.refuse(link, tick.decoded.frames[frame])

    def _begin_publishing(self, tick: Tick, judged: Judgement) -> None:
        vehicle_ids = np.where(judged.durable, tick.vehicle_ids, 0)
        positions = self._protocol.positions(tick.decoded, vehicle_ids, received_time_ms=tick.received_time_ms)
        answers = self._answers(tick, np.where(judged.durable, judged.results, NO_ANSWER))
        in_flight = tick.count(judged.durable)
        self._links.put_in_flight(tick.taken, in_flight)
        task = asyncio.create_task(self._publish(tick.taken, positions, in_flight, answers, tick.start_s))
        self._publishing.add(task)
        task.add_done_callback(self._publishing.discard)

    async def _publish(
        self, taken: Taken, positions: PositionBatch, in_flight: NDArray[np.int64], answers: TickAnswers, start_s: float
    ) -> None:
        """Answer once the positions are durable. Where they may not be there is no answer: what is not answered a
        terminal sends again, by the standard, while a negative answer lets many throw it away."""
        try:
            await self._publisher.publish(positions)
        except (Unavailable, TooMuch) as error:
            count_rejections("terminal", {error.reason: len(positions)})
        else:
            answers.write(taken)
            metrics.answer_seconds.labels(self._protocol.name).observe(self._clock.monotonic_s() - start_s)
        finally:
            self._links.land(taken, in_flight)
            self._links.settle_paused()

    def _answers(self, tick: Tick, results: NDArray[np.int8]) -> TickAnswers:
        return tick_answers(self._protocol, self._links, tick.taken, tick.decoded.frames, results)

    def _count(self, tick: Tick) -> None:
        metrics.received_bytes.labels(self._protocol.name).inc(int(tick.taken.fresh_counts.sum()))
        for message, count in message_counts(tick.decoded.frames).items():
            metrics.frames.labels(self._protocol.name, message).inc(count)
        if len(tick.decoded.rejections):
            count_rejections("terminal", tick.decoded.rejection_counts())

    def _keep_refused(self, tick: Tick, judged: Judgement) -> None:
        if self._refused is not None and (len(tick.decoded.rejections) or judged.refused.any()):
            self._refused.take(tick.decoded, tick.taken.stream, judged.refused)
