"""What every route goes through: who asks, whether they may, how often; and every failure as one JSON shape."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import grpc.aio
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.responses import Response

from common import ids
from common.errors import DomainError, NotAuthenticated, NotPermitted, Unavailable
from common.infra import diagnostics
from services.gateway.adapters.sessions import Person
from services.gateway.convert.errors import (
    Refusal,
    refusal_of_call,
    refusal_of_domain,
    refusal_of_values,
)
from services.gateway.server.cookies import session_token
from services.gateway.server.parts import parts_of, refused

ROLES_KEY = "x-roles"

log = diagnostics.logger(__name__)

_KNOWN_STATUSES = {
    404: ("NO_SUCH_ROUTE", "there is no such address here; /api/openapi.json lists them"),
    405: ("NO_SUCH_ROUTE", "this address takes another method; /api/openapi.json lists them"),
    413: ("BODY_TOO_LARGE", "send less at once"),
}


class GuardedRoute(APIRoute):
    """A route for the roles that its openapi_extra names; for everybody where it names none. Who asks is looked up
    before the body is read."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler behind the guard."""
        handler = super().get_route_handler()
        roles = frozenset((self.openapi_extra or {}).get(ROLES_KEY, ()))

        async def guarded(request: Request) -> Response:
            try:
                if roles:
                    request.state.person = await permitted(request, roles)
                return await handler(request)
            except Exception as error:  # every failure has an answer; what nobody foresaw is logged
                return refused(refusal_of(error))

        return guarded


async def permitted(connection: HTTPConnection, roles: frozenset[str]) -> Person:
    """Who asks. Raises NotAuthenticated, NotPermitted, TooMuch."""
    parts = parts_of(connection)
    token = session_token(connection, parts.settings)
    person = await parts.sessions.find(token) if token else None
    if person is None:
        raise NotAuthenticated("sign in")
    if person.role not in roles:
        raise NotPermitted("NOT_PERMITTED", f"{person.name} is {person.role}; this is for {', '.join(sorted(roles))}")
    parts.rates.take(person.session)
    return person


def refusal_of(error: Exception) -> Refusal:
    """The refusal that an error means."""
    match error:
        case Unavailable():  # the message may name hosts, which are nobody's business
            log.warning("unavailable", reason=error.reason, error=error.message)
            message = "a server that this stands on does not answer; try again"
            return Refusal(503, error.reason, message, retry_after_ms=error.retry_after_ms)
        case DomainError():
            return refusal_of_domain(error)
        case grpc.aio.AioRpcError():
            return refusal_of_call(error)
        case RequestValidationError():
            return refusal_of_values(list(error.errors()))
        case HTTPException():
            reason, message = _KNOWN_STATUSES.get(error.status_code, ("INVALID_INPUT", str(error.detail)))
            return Refusal(error.status_code, reason, message)
    work = diagnostics.trace()
    log_id = work.request_id if work else ids.request_id()
    log.error("request failed", log_id=log_id, exc_info=error)
    return Refusal(500, "INTERNAL", f"internal error; the log has it under {log_id}")
