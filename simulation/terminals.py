"""Terminals on real TCP: thousands of JT/T 808 links in one process that wait for answers and resend what got none."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from types import TracebackType
from typing import NamedTuple, Self, cast

from simulation import frames
from simulation.frames import Fix, FrameReader, Identity, Message

WINDOW = 16  # frames in flight a link, as a terminal with a small send queue
QUEUE_MAX = 20_000  # reports a terminal stores while the link is down: a week of a parked vehicle
QUEUE_ROOM = 1_000  # a replay waits while more than this is queued
ANSWER_TIMEOUT_S = 30.0
HEARTBEAT_S = 60.0
CONNECTING_MAX = 256  # a listen queue holds no more
BACKOFF_S_MIN, BACKOFF_S_MAX = 0.5, 30.0
ANSWER_TIMES_MAX = 100_000  # enough for percentiles
SWEEP_S = 1.0


class State(Enum):
    """Where a link stands."""

    CLOSED = "closed"
    CONNECTING = "connecting"
    REGISTERING = "registering"
    AUTHENTICATING = "authenticating"
    ONLINE = "online"


class Report(NamedTuple):
    """A message that awaits its answer."""

    message_id: int
    body: bytes
    position_count: int
    damaged: bool = False


@dataclass(slots=True)
class Counts:
    """What became of everything, over all links."""

    connects: int = 0
    frames_sent: int = 0
    frames_answered: int = 0
    frames_refused: int = 0
    frames_resent: int = 0
    frames_damaged: int = 0
    positions_reported: int = 0
    positions_acknowledged: int = 0
    positions_refused: int = 0
    positions_dropped: int = 0
    log_ins_refused: int = 0
    answer_times_ms: deque[float] = field(default_factory=lambda: deque(maxlen=ANSWER_TIMES_MAX))


class Terminal(asyncio.Protocol):
    """One device: registers, authenticates, reports in order, keeps what was not answered."""

    def __init__(self, identity: Identity, terminals: Terminals) -> None:
        self.identity = identity
        self.state = State.CLOSED
        self._terminals = terminals
        self._counts = terminals.counts
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._reader = FrameReader()
        self._code: str | None = None
        self._serial = 0
        self._queue: deque[Report] = deque()
        self._in_flight: dict[int, tuple[Report, float]] = {}
        self._attempts = 0
        self._last_sent_s = 0.0
        self._room: asyncio.Event = asyncio.Event()
        self._room.set()

    @property
    def pending_count(self) -> int:
        """Reports without an answer."""
        return len(self._queue) + len(self._in_flight)

    def report(self, fix: Fix, *, damaged: bool = False) -> None:
        """Send a location report; `damaged` spoils the check byte, so no answer is awaited."""
        self._enqueue(Report(frames.LOCATION, frames.location_body(fix), 1, damaged))

    def upload(self, fixes: Sequence[Fix], kind: int) -> None:
        """Send stored fixes as batches of `kind`."""
        for start in range(0, len(fixes), frames.BATCH_FIXES_MAX):
            part = fixes[start : start + frames.BATCH_FIXES_MAX]
            self._enqueue(Report(frames.LOCATION_BATCH, frames.batch_body(part, kind), len(part)))

    async def room(self) -> None:
        """Wait until there is room for more reports."""
        await self._room.wait()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by class
        self._reader = FrameReader()
        self._counts.connects += 1
        self._log_in()

    def data_received(self, data: bytes) -> None:
        try:
            messages = self._reader.feed(data)
        except ValueError:
            self.abort()
            return
        for message in messages:
            self._take(message)
        self._pump()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 – asyncio's signature
        self.state = State.CLOSED
        self._transport = None
        unanswered = [report for report, _ in self._in_flight.values() if report.position_count]
        self._counts.frames_resent += len(unanswered)
        self._queue.extendleft(reversed(unanswered))
        self._in_flight.clear()
        self._terminals.reconnect(self)

    def backoff_s(self, rng: random.Random) -> float:
        """How long to wait before the next attempt: doubling, with jitter."""
        self._attempts += 1
        return float(min(BACKOFF_S_MAX, BACKOFF_S_MIN * 2 ** min(self._attempts, 10)) * rng.uniform(0.5, 1.0))

    def abort(self) -> None:
        """Cut the link; it comes back by itself."""
        if self._transport is not None:
            self._transport.abort()

    def sweep(self, now_s: float) -> None:
        """Cut the link when an answer is overdue, send a heartbeat when nothing else went out."""
        oldest = next(iter(self._in_flight.values()), None)
        if oldest is not None and now_s - oldest[1] > ANSWER_TIMEOUT_S:
            self.abort()
        elif self.state is State.ONLINE and now_s - self._last_sent_s > HEARTBEAT_S:
            self._send([Report(frames.HEARTBEAT, b"", 0)])

    def _enqueue(self, report: Report) -> None:
        if len(self._queue) >= QUEUE_MAX:
            self._counts.positions_dropped += report.position_count
            return
        self._counts.positions_reported += 0 if report.damaged else report.position_count
        self._queue.append(report)
        if len(self._queue) >= QUEUE_ROOM:
            self._room.clear()
        self._pump()

    def _pump(self) -> None:
        if self.state is not State.ONLINE or not self._queue:
            return
        room = self._terminals.window - len(self._in_flight)
        ready = [self._queue.popleft() for _ in range(min(room, len(self._queue)))]
        if ready:
            self._send(ready)
        if len(self._queue) < QUEUE_ROOM:
            self._room.set()

    def _log_in(self) -> None:
        if self._code is None:
            self.state = State.REGISTERING
            self._send([Report(frames.REGISTER, frames.register_body(self.identity), 0)])
        else:
            self.state = State.AUTHENTICATING
            self._send([Report(frames.AUTHENTICATE, frames.authenticate_body(self.identity, self._code), 0)])

    def _send(self, reports: Iterable[Report]) -> None:
        assert self._transport is not None
        now_s = self._loop.time()
        wire = bytearray()
        for report in reports:
            sent = frames.frame(self.identity, report.message_id, self._serial, report.body)
            if report.damaged:
                self._counts.frames_damaged += 1
                wire += _spoilt(sent)
            else:
                self._in_flight[self._serial] = (report, now_s)
                self._counts.frames_sent += 1
                wire += sent
            self._serial = (self._serial + 1) & 0xFFFF
        self._last_sent_s = now_s
        self._transport.write(wire)

    def _take(self, message: Message) -> None:
        if message.message_id == frames.GENERAL_ANSWER and len(message.body) >= 5:
            serial, _, result = frames.general_answer(message.body)
            self._answered(serial, result)
        elif message.message_id == frames.REGISTER_ANSWER and len(message.body) >= 3:
            serial, result, code = frames.register_answer(message.body)
            self._code = code if result == 0 else None
            self._answered(serial, result)

    def _answered(self, serial: int, result: int) -> None:
        report, sent_s = self._in_flight.pop(serial, (None, 0.0))
        if report is None:
            return
        if report.message_id == frames.REGISTER:
            self._registered(result)
        elif report.message_id == frames.AUTHENTICATE:
            self._authenticated(result)
        self._counts.frames_answered += 1
        self._counts.answer_times_ms.append((self._loop.time() - sent_s) * 1000)
        if result in (0, 4):
            self._counts.positions_acknowledged += report.position_count
        else:
            self._counts.frames_refused += 1
            self._counts.positions_refused += report.position_count

    def _registered(self, result: int) -> None:
        if result == 0:
            self._log_in()
        else:
            self._refused()

    def _authenticated(self, result: int) -> None:
        if result == 0:
            self.state = State.ONLINE
            self._attempts = 0
        else:
            self._code = None
            self._refused()

    def _refused(self) -> None:
        self._counts.log_ins_refused += 1
        self.abort()

    def attach(self) -> Self:
        """Mark as connecting; the loop's protocol factory."""
        self.state = State.CONNECTING
        return self


class Terminals:
    """All links to one access address; an async context that closes them. `window`: frames in flight a link."""

    def __init__(self, host: str, port: int, *, seed: int = 0, window: int = WINDOW) -> None:
        self.counts = Counts()
        self.window = window
        self._host, self._port = host, port
        self._rng = random.Random(seed)  # noqa: S311 – jitter, not a secret
        self._terminals: list[Terminal] = []
        self._connecting = asyncio.Semaphore(CONNECTING_MAX)
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = False

    async def __aenter__(self) -> Self:
        self._start(self._sweep())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for terminal in self._terminals:
            terminal.abort()
        await asyncio.sleep(0)  # lets the transports close

    def add(self, identity: Identity) -> Terminal:
        """A new terminal, which connects at once."""
        terminal = Terminal(identity, self)
        self._terminals.append(terminal)
        self._start(self._connect(terminal, 0.0))
        return terminal

    def reconnect(self, terminal: Terminal) -> None:
        """Connect again after a back-off."""
        if not self._closing:
            self._start(self._connect(terminal, terminal.backoff_s(self._rng)))

    @property
    def online_count(self) -> int:
        """Links that are logged in."""
        return sum(terminal.state is State.ONLINE for terminal in self._terminals)

    @property
    def pending_count(self) -> int:
        """Reports without an answer, over all links."""
        return sum(terminal.pending_count for terminal in self._terminals)

    async def settled(self, condition: Callable[[], bool] | None = None, *, timeout_s: float | None = None) -> None:
        """Wait until every report is answered, or until `condition` holds."""
        async with asyncio.timeout(timeout_s):
            while not (condition() if condition is not None else self.pending_count == 0):  # noqa: ASYNC110 – any condition
                await asyncio.sleep(0.02)

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self, terminal: Terminal, delay_s: float) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(delay_s)
            try:
                async with self._connecting:
                    await loop.create_connection(terminal.attach, self._host, self._port)
                return
            except OSError:
                terminal.state = State.CLOSED
                delay_s = terminal.backoff_s(self._rng)

    async def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(SWEEP_S)
            for terminal in self._terminals:
                terminal.sweep(loop.time())


def _spoilt(sent: bytes) -> bytes:
    spoilt = bytearray(sent)
    spoilt[5] ^= 0x10  # in the phone: the check no longer holds, and no escape or delimiter appears
    return bytes(spoilt)
