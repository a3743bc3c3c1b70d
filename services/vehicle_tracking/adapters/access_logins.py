"""Registrations, log-ins and log-outs of terminals."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from common.errors import TooMuch, Unavailable
from common.infra import diagnostics
from common.metrics import count_rejections
from services.vehicle_tracking.adapters.access_answers import answer
from services.vehicle_tracking.adapters.access_judgement import REFUSALS_MAX, Tick
from services.vehicle_tracking.adapters.access_links import Ended, Link, Links
from services.vehicle_tracking.adapters.access_registrar import Registrar, applicant
from services.vehicle_tracking.domain.register import Terminal
from services.vehicle_tracking.terminals.jt808.answers import (
    BAD_MESSAGE,
    FAILED,
    OK,
    peer,
    register_answer,
)
from services.vehicle_tracking.terminals.jt808.logins import (
    AUTHENTICATE,
    LOG_OUT,
    REGISTER,
    authentication,
    registration,
)

log = diagnostics.logger(__name__)


class Desk:
    """Lets terminals in and out. What needs the database goes on beside the ticks, and its answer waits for it."""

    def __init__(self, links: Links, registrar: Registrar) -> None:
        self._links = links
        self._registrar = registrar
        self._running: set[asyncio.Task[None]] = set()

    def take(self, tick: Tick, frame: int) -> None:
        """See to one frame. Those behind a log-in come under it at once where memory tells whose it is; else they are
        refused until the terminal was answered, for which it has to wait."""
        link, header = tick.link(frame), tick.decoded.frames[frame].copy()
        message_id, body = int(header["message_id"]), tick.decoded.body(frame)
        if header["reason"]:
            answer(self._links, link, header, BAD_MESSAGE)
        elif message_id == REGISTER:
            self._count_attempt(link)
            self._begin(self._register(link, header, body))
        elif message_id == AUTHENTICATE:
            self._authenticate(tick, frame, header, body)
        elif message_id == LOG_OUT and tick.logged_in(frame):
            self._links.log_out(link)
            tick.set_log_in(frame, phone=0, vehicle_id=0)
            self._begin(self._log_out(link, header))
        else:
            self.refuse(link, header)

    def refuse(self, link: Link, header: Any) -> None:
        """Say no, and remember that."""
        count_rejections("terminal", {"NOT_LOGGED_IN": 1})
        answer(self._links, link, header, FAILED)
        self._count_attempt(link)

    def follow_register(self) -> None:
        """End links whose terminals have left the register; note who has moved to another vehicle."""
        online = list(self._links.online.items())
        rows = [link.row for _, link in online]
        before = self._links.rows["vehicle_id"][rows].tolist()
        for (phone, link), vehicle_id in zip(online, before, strict=True):
            terminal = self._registrar.find(str(phone))
            if terminal is None:
                self._links.end(link, Ended.UNREGISTERED)
            elif terminal.vehicle_id != vehicle_id:
                self._links.rows["vehicle_id"][link.row] = terminal.vehicle_id

    async def drain(self) -> None:
        """Return once nothing is under way any more."""
        while self._running:
            await asyncio.wait(self._running)

    def close(self) -> None:
        """Let the registrar go."""
        self._registrar.close()

    def _authenticate(self, tick: Tick, frame: int, header: Any, body: bytes) -> None:
        link, shown = tick.link(frame), authentication(body, is_2019=bool(header["is_2019"]))
        if shown is None:
            answer(self._links, link, header, BAD_MESSAGE)
            return
        terminal = self._registrar.known(str(header["phone"]), shown.code)
        if terminal is None:
            self._count_attempt(link)
            self._begin(self._admit(link, header, shown.code))
        else:
            self._let_in(link, header, terminal)
            tick.set_log_in(frame, phone=int(header["phone"]), vehicle_id=terminal.vehicle_id)

    async def _admit(self, link: Link, header: Any, code: str) -> None:
        terminal = await self._registrar.admitted(str(header["phone"]), code)
        if link.ended is None:
            if terminal is None:
                self.refuse(link, header)
            else:
                self._let_in(link, header, terminal)

    def _let_in(self, link: Link, header: Any, terminal: Terminal) -> None:
        self._links.log_in(link, phone=int(header["phone"]), vehicle_id=terminal.vehicle_id)
        answer(self._links, link, header, OK)

    async def _register(self, link: Link, header: Any, body: bytes) -> None:
        said = registration(body, is_2019=bool(header["is_2019"]))
        if said is None:
            answer(self._links, link, header, BAD_MESSAGE)
            return
        terminal, result = await self._registrar.registered(applicant(int(header["phone"]), said))
        if link.ended is not None:
            return
        if terminal is None:
            count_rejections("terminal", {"NOT_REGISTERED": 1})
        code = terminal.auth_code if terminal else ""
        link.write(
            register_answer(
                peer(header),
                serial=self._links.next_serial(link),
                answered_serial=int(header["serial"]),
                result=result,
                auth_code=code,
            )
        )

    async def _log_out(self, link: Link, header: Any) -> None:
        await self._registrar.log_out(str(header["phone"]))
        answer(self._links, link, header, OK)

    def _count_attempt(self, link: Link) -> None:
        """End a link that tries and tries; a log-in forgives."""
        attempts = int(self._links.rows["refusals"][link.row]) + 1
        self._links.rows["refusals"][link.row] = attempts
        if attempts > REFUSALS_MAX:
            self._links.end(link, Ended.REFUSED)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(_answered_or_counted(work))
        self._running.add(task)
        task.add_done_callback(self._running.discard)


async def _answered_or_counted(work: Coroutine[Any, Any, None]) -> None:
    """A terminal that gets no answer asks again."""
    try:
        await work
    except (Unavailable, TooMuch) as error:
        count_rejections("terminal", {error.reason: 1})
