"""The live stream's sockets: one a browser, each told as fast as it draws."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from common.clock import Clock
from common.errors import DomainError, Unavailable
from common.infra import diagnostics
from common.metrics import metrics
from services.gateway.adapters.live_browser import NONE, Browser
from services.gateway.adapters.live_hub import LiveHub
from services.gateway.adapters.sessions import Sessions
from services.gateway.convert.bodies import LiveSeen, LiveView, Resume
from services.gateway.convert.live import FrameKind, frame, said, source_text, view_of
from services.gateway.server.guard import permitted, refusal_of
from services.gateway.server.origins import check_origin
from services.gateway.server.parts import parts_of, refused
from services.gateway.server.rates import Rates
from services.gateway.server.routes import ALL

FIRST_VIEW_S_MAX = 10.0
SEEN_S_MAX = 30.0  # a browser that has drawn nothing for so long is gone, or will never catch up
UNSEEN_FRAMES_MAX = 2
HEARTBEAT_S = 10.0
LOOK_AROUND_S = 1.0  # how often a stream without news looks at its clock
SESSION_CHECK_S = 5.0
READY_S_MAX = 5.0
SAYINGS_PER_S = 20.0
REASON_CHARACTERS_MAX = 40  # a close frame takes 123 bytes, and a character up to three

UNREADABLE, SIGNED_OUT, TOO_SLOW, TRY_LATER = 4400, 4401, 4408, 1013
ABNORMAL = 1006  # the connection broke without a word

log = diagnostics.logger(__name__)


class Closing(Exception):
    """The stream ends. `code`: for the browser."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class LiveStreams:
    """The open streams of this process, and whether their sessions are."""

    def __init__(self, sessions: Sessions) -> None:
        self.open: set[LiveStream] = set()
        self._sessions = sessions
        self._recheck = asyncio.Event()

    def recheck(self) -> None:
        """Look at the sessions now: one has ended."""
        self._recheck.set()

    async def watch_sessions(self) -> NoReturn:
        """Close streams whose session has ended, for good."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(SESSION_CHECK_S):
                    await self._recheck.wait()
            self._recheck.clear()
            try:
                alive = await self._sessions.alive({stream.session for stream in self.open}) if self.open else set()
            except Unavailable as error:
                log.warning("sessions not checked", error=error.message)
                continue
            for stream in self.open:
                if stream.session not in alive:
                    stream.end()


class LiveStream:
    """One browser's socket."""

    def __init__(self, socket: WebSocket, hub: LiveHub, clock: Clock, session: bytes) -> None:
        self.session = session
        self._socket = socket
        self._hub = hub
        self._clock = clock
        self._rates = Rates(clock, SAYINGS_PER_S)
        self._awake = asyncio.Event()
        self._looking = asyncio.Event()
        self._browser: Browser | None = None
        self._alarm_number: int | None = None
        self._unseen: deque[tuple[int, float]] = deque()
        self._told_s = clock.monotonic_s()
        self._ended = False
        self._told_live = True

    def end(self) -> None:
        """The session is over."""
        self._ended = True
        self.wake()

    def wake(self) -> None:
        """There may be something to tell."""
        self._awake.set()
        self._looking.set()

    async def run(self) -> None:
        """Tell and listen until either side ends. Raises Closing, WebSocketDisconnect."""
        listening = asyncio.create_task(self._listen())
        telling = asyncio.create_task(self._tell())
        try:
            done, _ = await asyncio.wait((listening, telling), return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in (listening, telling):
                task.cancel()
            await asyncio.gather(listening, telling, return_exceptions=True)

    async def _listen(self) -> NoReturn:
        while True:
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                raise WebSocketDisconnect(message.get("code", ABNORMAL), message.get("reason"))
            try:
                self._rates.take(None)
                self._hear(said(message.get("text") or ""))
            except DomainError as error:
                raise Closing(UNREADABLE, error.message) from None

    def _hear(self, message: LiveView | LiveSeen) -> None:
        if isinstance(message, LiveSeen):
            while self._unseen and self._unseen[0][0] <= message.number:
                self._unseen.popleft()
        elif self._browser is None:
            self._begin(message)
        else:
            self._browser.look(view_of(message))
        self.wake()

    def _begin(self, message: LiveView) -> None:
        since = self._resumed(message.resume)
        self._browser = Browser(self._hub.encoder, view_of(message), since=since)
        if since is not None and message.resume is not None:
            self._alarm_number = message.resume.alarm_number

    def _resumed(self, resume: Resume | None) -> int | None:
        table = self._hub.table
        if resume is None or resume.epoch != table.epoch or not 0 < resume.number <= table.number:
            return None
        return resume.number

    async def _tell(self) -> NoReturn:
        browser = await self._first_view()
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_AROUND_S):
                    await self._awake.wait()
            self._awake.clear()
            self._check_ends()
            await self._tell_texts()
            if browser.behind and len(self._unseen) < UNSEEN_FRAMES_MAX:
                telling = browser.next_telling(self._clock.now_ms())
                await self._send(telling.text)
                for part in telling.frames:
                    await self._send(part)
                if telling.frames:
                    self._expect_seen(browser)
            elif self._clock.monotonic_s() - self._told_s >= HEARTBEAT_S:
                await self._send(self._heartbeat(browser))
                self._expect_seen(browser)

    async def _tell_texts(self) -> None:
        if self._told_live != self._hub.live:
            self._told_live = self._hub.live
            await self._send(source_text(live=self._told_live))
        texts, self._alarm_number = self._hub.news.after(self._alarm_number), self._hub.news.number
        for text in texts:
            await self._send(text)

    async def _first_view(self) -> Browser:
        deadline_s = self._clock.monotonic_s() + FIRST_VIEW_S_MAX
        while self._browser is None:
            self._check_ends()
            if self._clock.monotonic_s() >= deadline_s:
                raise Closing(UNREADABLE, f"no view was sent within {FIRST_VIEW_S_MAX:g} s")
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_AROUND_S):
                    await self._looking.wait()
            self._looking.clear()
        self._awake.set()
        return self._browser

    def _check_ends(self) -> None:
        if self._ended:
            raise Closing(SIGNED_OUT, "the session is over")
        if self._unseen and self._clock.monotonic_s() - self._unseen[0][1] > SEEN_S_MAX:
            metrics.watchers_dropped.labels("browser").inc()
            raise Closing(TOO_SLOW, f"nothing was seen for {SEEN_S_MAX:g} s")

    async def _send(self, part: str | bytes) -> None:
        if not part:
            return
        try:
            async with asyncio.timeout(SEEN_S_MAX):
                await (self._socket.send_text(part) if isinstance(part, str) else self._socket.send_bytes(part))
        except TimeoutError:
            metrics.watchers_dropped.labels("browser").inc()
            raise Closing(TOO_SLOW, f"nothing was read for {SEEN_S_MAX:g} s") from None

    def _expect_seen(self, browser: Browser) -> None:
        assert browser.since is not None
        self._told_s = self._clock.monotonic_s()
        self._unseen.append((browser.since, self._told_s))

    def _heartbeat(self, browser: Browser) -> bytes:
        table = self._hub.table
        return frame(
            FrameKind.HEARTBEAT,
            NONE,
            table.records(NONE),
            NONE,
            epoch=table.epoch,
            number=browser.since or 0,
            base_time_ms=self._clock.now_ms(),
        )


async def live_stream(socket: WebSocket) -> None:
    """GET /api/live: refused before it opens where somebody may not, else told until it ends."""
    parts = parts_of(socket)
    try:
        check_origin(socket.headers, parts.settings)
        person = await permitted(socket, ALL)
    except Exception as error:  # every failure has an answer; what nobody foresaw is logged
        await socket.send_denial_response(refused(refusal_of(error)))
        return
    await socket.accept()
    try:
        if len(parts.streams.open) >= parts.settings.gateway_browsers_max:
            raise Closing(TRY_LATER, "too many live streams")
        await _wait_until_ready(parts.hub)
        stream = LiveStream(socket, parts.hub, parts.clock, person.session)
        with _counted(parts.streams, parts.hub, stream), metrics.watchers.labels("browser").track_inprogress():
            await stream.run()
    except Closing as closing:
        await _close(socket, closing)
    except WebSocketDisconnect:
        pass


async def _wait_until_ready(hub: LiveHub) -> None:
    try:
        async with asyncio.timeout(READY_S_MAX):
            await hub.ready.wait()
    except TimeoutError:
        raise Closing(TRY_LATER, "the api is away") from None


@contextmanager
def _counted(streams: LiveStreams, hub: LiveHub, stream: LiveStream) -> Iterator[None]:
    streams.open.add(stream)
    hub.wakers.add(stream.wake)
    try:
        yield
    finally:
        streams.open.discard(stream)
        hub.wakers.discard(stream.wake)


async def _close(socket: WebSocket, closing: Closing) -> None:
    if socket.application_state == WebSocketState.CONNECTED:
        with suppress(WebSocketDisconnect, RuntimeError):
            await socket.close(closing.code, closing.reason[:REASON_CHARACTERS_MAX])
