"""Writes on behalf of a caller: checked, once per request id, away from the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from google.protobuf.message import Message

from common.errors import InvalidInput, Violation
from common.infra.callers import caller
from services.vehicle_tracking.adapters.changes import Change, Pool, change

REQUEST_ID_CHARACTERS_MAX = 100

T = TypeVar("T")
M = TypeVar("M", bound=Message)


def check(field: str, violations: list[Violation]) -> None:
    """Raise InvalidInput for violations of a message in `field` of the request."""
    if violations:
        raise InvalidInput(*(Violation(f"{field}.{v.field}", v.message) for v in violations))


def etag_violations(etag: str) -> list[Violation]:
    """An edit must say what it was made on."""
    return [] if etag else [Violation("etag", "send the etag that was read")]


async def created(pool: Pool, request: Any, response_class: type[M], add: Callable[[Change], M]) -> M:
    """The answer of `add`, or the first answer when the request's id was seen."""
    if len(request.request_id) > REQUEST_ID_CHARACTERS_MAX:
        raise InvalidInput(Violation("request_id", f"shorten it to {REQUEST_ID_CHARACTERS_MAX} characters"))
    name, body = request.DESCRIPTOR.name, request.SerializeToString(deterministic=True)

    def once(writing: Change) -> bytes:
        return writing.once(name, request.request_id, body, lambda: add(writing).SerializeToString())

    return response_class.FromString(await written(pool, once))


async def written(pool: Pool, write: Callable[..., T], *values: Any, **named: Any) -> T:
    """What `write` gives, in one change on behalf of the caller, away from the event loop."""
    name = caller().name

    def run() -> T:
        with change(pool, name) as writing:
            return write(writing, *values, **named)

    return await asyncio.to_thread(run)
