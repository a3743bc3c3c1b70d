"""What the routes work with, and how they get at it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastapi import Request
from starlette.requests import HTTPConnection
from starlette.responses import Response

from common.clock import Clock
from services.gateway.adapters.accounts import Accounts
from services.gateway.adapters.api import Api
from services.gateway.adapters.audit import Audit, Deed
from services.gateway.adapters.guesses import Guesses
from services.gateway.adapters.live_hub import LiveHub
from services.gateway.adapters.passwords import Passwords
from services.gateway.adapters.sessions import Person, Sessions
from services.gateway.convert.errors import Refusal
from services.gateway.settings import GatewaySettings

if TYPE_CHECKING:
    from services.gateway.server.live import LiveStreams
    from services.gateway.server.rates import Rates


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything behind the routes."""

    settings: GatewaySettings
    clock: Clock
    api: Api
    hub: LiveHub
    accounts: Accounts
    sessions: Sessions
    guesses: Guesses
    passwords: Passwords
    audit: Audit
    rates: Rates
    streams: LiveStreams


def parts_of(connection: HTTPConnection) -> Parts:
    """The parts that this request's application has."""
    found: Parts = connection.app.state.parts
    return found


def person_of(request: Request) -> Person:
    """Who asks, on a route that not everybody may use."""
    found: Person = request.state.person
    return found


def address_of(connection: HTTPConnection) -> str:
    """Where the request came from; what a trusted proxy says has been taken over before."""
    return connection.client.host if connection.client else ""


@asynccontextmanager
async def noted(
    request: Request, action: str, subject: str, subject_id: object = "", /, **detail: Any
) -> AsyncIterator[Deed]:
    """Note what the person who asks is about to do, and how it ended."""
    name, address = person_of(request).name, address_of(request)
    async with parts_of(request).audit.noted(name, address, action, subject, subject_id, **detail) as deed:
        yield deed


def answer(value: Any, status: int = 200) -> Response:
    """A JSON answer, which nobody keeps."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Response(text.encode(), status, media_type="application/json")


def refused(refusal: Refusal) -> Response:
    """The answer to a request that was refused."""
    response = answer(refusal.body(), refusal.status)
    response.headers.update(refusal.headers())
    return response
