"""Which terminals may report: by the register in memory, and where that may be old, by the database."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from hmac import compare_digest
from typing import Protocol, TypeVar

from common.errors import TooMuch, Violation
from services.vehicle_tracking.adapters import registry
from services.vehicle_tracking.adapters.changes import Pool
from services.vehicle_tracking.adapters.fence_changes import Register
from services.vehicle_tracking.domain.register import (
    REGIONS,
    RegisterRow,
    Terminal,
    find_region_code,
    row_violations,
)
from services.vehicle_tracking.domain.vehicles import VehicleKind
from services.vehicle_tracking.terminals.jt808.answers import NO_SUCH_TERMINAL, NO_SUCH_VEHICLE, REGISTERED
from services.vehicle_tracking.terminals.jt808.logins import Registration

THREADS = 2  # of their own: a rush of log-ins must not keep positions from being appended
WAITING_MAX = 4096  # a terminal that is not answered asks again
CODE_BYTES = 8  # as 16 hexadecimal digits: within what every edition carries

PROVINCE = REGIONS[0].region_code

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Applicant:
    """A terminal as it presents itself, and the vehicle that it says it is on."""

    terminal: Terminal
    plate: str
    plate_colour: int
    region_code: str


class Registrar(Protocol):
    """Decides who may report."""

    def find(self, phone: str) -> Terminal | None:
        """The terminal of that phone as far as this process knows."""

    def known(self, phone: str, code: str) -> Terminal | None:
        """The terminal whose code that is, as far as this process knows."""

    async def admitted(self, phone: str, code: str) -> Terminal | None:
        """The terminal whose code that is; None when it is nobody's or another's. Raises Unavailable, TooMuch."""

    async def registered(self, applicant: Applicant) -> tuple[Terminal | None, int]:
        """The terminal with the code that is now bound to it, or None and why not, as a result of 0x8100. Raises
        Unavailable, TooMuch."""

    async def log_out(self, phone: str) -> None:
        """Make the terminal's code invalid. Raises Unavailable, TooMuch."""

    def close(self) -> None:
        """Let go of threads."""


class StoredRegistrar:
    """The registrar on PostgreSQL. `registry_open`: whether unknown terminals that register are added."""

    def __init__(self, pool: Pool, register: Register, *, registry_open: bool) -> None:
        self._pool = pool
        self._register = register
        self._registry_open = registry_open
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="registrar")
        self._waiting = 0

    def find(self, phone: str) -> Terminal | None:
        """The terminal of that phone as far as this process knows."""
        return self._register.find_terminal(phone)

    def known(self, phone: str, code: str) -> Terminal | None:
        """The terminal whose code that is, as far as this process knows."""
        return owner(self.find(phone), code)

    async def admitted(self, phone: str, code: str) -> Terminal | None:
        """The terminal whose code that is, by the database: another access process may have bound it a moment ago."""
        terminal = await self._call(lambda: registry.find_terminal(self._pool, phone))
        if terminal is not None:
            self._register.note(terminal)
        return owner(terminal, code)

    async def registered(self, applicant: Applicant) -> tuple[Terminal | None, int]:
        """The terminal with its code, stored. One that has a code keeps it: whoever knows no more than a phone must not
        be able to lock its owner out."""
        if self._registry_open and violations(applicant):
            return None, NO_SUCH_VEHICLE
        terminal = await self._call(lambda: self._stored(applicant))
        if terminal is None:
            return None, NO_SUCH_TERMINAL
        self._register.note(terminal)
        return terminal, REGISTERED

    async def log_out(self, phone: str) -> None:
        """Make the terminal's code invalid: it is to register again."""
        terminal = self.find(phone)
        if terminal is not None:
            without = replace(terminal, auth_code="")
            await self._call(lambda: self._store_code(without))
            self._register.note(without)

    def close(self) -> None:
        """Let the threads go."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _stored(self, applicant: Applicant) -> Terminal | None:
        known = registry.find_terminal(self._pool, applicant.terminal.phone)
        code = (known.auth_code if known else "") or secrets.token_hex(CODE_BYTES)
        if self._registry_open:
            return registry.register_terminal(
                self._pool,
                replace(applicant.terminal, auth_code=code),
                plate=applicant.plate,
                plate_colour=applicant.plate_colour,
                region_code=applicant.region_code,
            )
        if known is None:
            return None
        terminal = replace(known, auth_code=code, protocol_year=applicant.terminal.protocol_year)
        return terminal if terminal == known or self._store_code(terminal) else None

    def _store_code(self, terminal: Terminal) -> bool:
        return registry.store_auth_code(
            self._pool, phone=terminal.phone, auth_code=terminal.auth_code, protocol_year=terminal.protocol_year
        )

    async def _call(self, work: Callable[[], T]) -> T:
        if self._waiting >= WAITING_MAX:
            raise TooMuch("REGISTRAR_FULL", "too many terminals log in at once")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._waiting -= 1


def applicant(phone: int, said: Registration) -> Applicant:
    """A terminal as its registration presents it. A region that is not one of ours becomes the province."""
    terminal = Terminal(
        phone=str(phone),
        vehicle_id=0,
        protocol_year=said.edition,
        terminal_number=_plain(said.terminal_number),
        maker=_plain(said.maker),
        model=_plain(said.model),
    )
    region_code = find_region_code(said.region_code) or PROVINCE
    return Applicant(terminal, said.plate, said.plate_colour, region_code)


def violations(applicant: Applicant) -> list[Violation]:
    """What keeps an unknown terminal from being added, a violation per field."""
    row = RegisterRow(
        plate=applicant.plate,
        plate_colour=applicant.plate_colour,
        kind=VehicleKind.OTHER,
        region_code=applicant.region_code,
        phone=applicant.terminal.phone,
    )
    return row_violations(row)


def owner(terminal: Terminal | None, code: str) -> Terminal | None:
    """The terminal, if the code is its own; a wrong one takes the same time wherever it differs."""
    if terminal is None or not terminal.auth_code:
        return None
    return terminal if compare_digest(terminal.auth_code.encode(), code.encode()) else None


def _plain(text: str) -> str:
    """PostgreSQL keeps no NUL, which some terminals pad with in the middle."""
    return text.replace("\0", " ")
