"""Refusals of any kind as one JSON shape and an HTTP status."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import grpc
import grpc.aio
from google.rpc import error_details_pb2, status_pb2

from common.errors import DomainError, InvalidInput, TooMuch, Unavailable
from common.infra import grpc_errors

INTERNAL_STATUS = 500
PLACES = ("body", "query", "path")  # where a value stood is no part of its name
OUTER_NAMES = ("fence.", "filter.")  # fields of the api's requests that browsers send the inside of

_STATUSES = {
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.OUT_OF_RANGE: 400,
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.ALREADY_EXISTS: 409,
    grpc.StatusCode.FAILED_PRECONDITION: 409,
    grpc.StatusCode.ABORTED: 412,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request was not answered. `status`: of HTTP; `fields`: what is wrong, by field."""

    status: int
    reason: str
    message: str
    fields: dict[str, str] = field(default_factory=dict)
    retry_after_ms: int | None = None

    def body(self) -> dict[str, Any]:
        """The JSON that the browser gets."""
        found: dict[str, Any] = {"reason": self.reason, "message": self.message, "fields": self.fields}
        return found if self.retry_after_ms is None else found | {"retry_after_ms": self.retry_after_ms}

    def headers(self) -> dict[str, str]:
        """Headers beside it."""
        return {} if self.retry_after_ms is None else {"Retry-After": str(-(-self.retry_after_ms // 1000))}


def refusal_of_domain(error: DomainError) -> Refusal:
    """A refusal of our own."""
    return Refusal(
        status=_STATUSES.get(grpc_errors.code(error), INTERNAL_STATUS),
        reason=error.reason,
        message=error.message,
        fields={v.field: v.message for v in error.violations} if isinstance(error, InvalidInput) else {},
        retry_after_ms=error.retry_after_ms if isinstance(error, TooMuch | Unavailable) else None,
    )


def refusal_of_call(error: grpc.aio.AioRpcError) -> Refusal:
    """A refusal of the api, with the details that its status carries."""
    code, details = error.code(), _details(error)
    if code in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED):
        return Refusal(503, "API_REFUSES_GATEWAY", "the api does not accept this gateway: check XIANGTONG_GRPC_TOKEN")
    status = _STATUSES.get(code, INTERNAL_STATUS)
    if details is None and code == grpc.StatusCode.UNAVAILABLE:
        return Refusal(status, "API_UNAVAILABLE", "the api does not answer; try again", retry_after_ms=1000)
    if details is None and code == grpc.StatusCode.CANCELLED:
        return Refusal(503, "API_UNAVAILABLE", "the call was cut off; try again", retry_after_ms=1000)
    info, bad_request, retry = details or _Details()
    return Refusal(
        status=status,
        reason=info.reason or code.name,
        message=error.details() or code.name,
        fields={_inner(violation.field): violation.description for violation in bad_request.field_violations},
        retry_after_ms=retry.retry_delay.ToMilliseconds() if retry.HasField("retry_delay") else None,
    )


def refusal_of_values(problems: list[dict[str, Any]]) -> Refusal:
    """A refusal of values that do not fit their models. `problems`: as pydantic lists them."""
    if any(problem["type"] in ("json_invalid", "model_attributes_type") for problem in problems):
        return Refusal(400, "BODY_UNREADABLE", "send a JSON object with Content-Type: application/json")
    fields = {_path(problem["loc"]): str(problem["msg"]).removeprefix("Value error, ") for problem in problems}
    return Refusal(400, "INVALID_INPUT", "; ".join(f"{name}: {what}" for name, what in fields.items()), fields)


class _Details(tuple[Any, Any, Any]):
    """ErrorInfo, BadRequest and RetryInfo, empty where the status has none."""

    def __new__(cls) -> _Details:
        return super().__new__(
            cls, (error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest(), error_details_pb2.RetryInfo())
        )


def _details(error: grpc.aio.AioRpcError) -> _Details | None:
    trailing: Any = error.trailing_metadata()
    for key, value in trailing or ():
        if key == grpc_errors.DETAILS_KEY:
            found = _Details()
            for detail in status_pb2.Status.FromString(value).details:
                for message in found:
                    detail.Unpack(message)
            return found
    return None


def _inner(field_name: str) -> str:
    for outer in OUTER_NAMES:
        field_name = field_name.removeprefix(outer)
    return field_name


def _path(location: tuple[Any, ...]) -> str:
    parts = location[1:] if location and location[0] in PLACES else location
    return ".".join(map(str, parts)) or "body"
