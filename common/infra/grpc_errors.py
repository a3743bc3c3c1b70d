"""From domain errors to google.rpc.Status: the code, one ErrorInfo always, and at most one other detail."""

from __future__ import annotations

from typing import Any

import grpc
import grpc.aio
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2

from common.errors import (
    AlreadyExists,
    DomainError,
    InvalidInput,
    NotAllowedNow,
    NotAuthenticated,
    NotFound,
    NotPermitted,
    Stale,
    TooMuch,
    Unavailable,
)

ERROR_DOMAIN = "xiangtong"
DETAILS_KEY = "grpc-status-details-bin"
MESSAGE_CHARACTERS_MAX = 200
VIOLATIONS_BYTES_MAX = 3000  # a status travels in HTTP/2 trailers, base64, and clients refuse more than 8 KiB of them
VIOLATION_CHARACTERS_MAX = 200

_CODES: dict[type[DomainError], grpc.StatusCode] = {
    InvalidInput: grpc.StatusCode.INVALID_ARGUMENT,
    NotFound: grpc.StatusCode.NOT_FOUND,
    AlreadyExists: grpc.StatusCode.ALREADY_EXISTS,
    Stale: grpc.StatusCode.ABORTED,
    NotAllowedNow: grpc.StatusCode.FAILED_PRECONDITION,
    NotPermitted: grpc.StatusCode.PERMISSION_DENIED,
    NotAuthenticated: grpc.StatusCode.UNAUTHENTICATED,
    TooMuch: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Unavailable: grpc.StatusCode.UNAVAILABLE,
}


def code(error: DomainError) -> grpc.StatusCode:
    """The status code of a domain error; UNKNOWN for a kind that the table does not list."""
    return next((code for kind, code in _CODES.items() if isinstance(error, kind)), grpc.StatusCode.UNKNOWN)


def status(error: DomainError) -> status_pb2.Status:
    """The whole status of a domain error."""
    return _packed(code(error), error.reason, error.message, detail=_detail(error))


def internal_status(log_id: str) -> status_pb2.Status:
    """The status of an error that nobody foresaw: where to find it in the log, nothing more."""
    message = f"internal error; the log has it under {log_id}"
    return _packed(grpc.StatusCode.INTERNAL, "INTERNAL", message, metadata={"log_id": log_id})


def deadline_status(limit_s: float) -> status_pb2.Status:
    """The status of a call that took longer than it may."""
    return _packed(grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED", f"not done within {limit_s:g} s")


def trailers(found: status_pb2.Status) -> tuple[tuple[str, bytes], ...]:
    """The trailing metadata that carries the details."""
    return ((DETAILS_KEY, found.SerializeToString()),)


def reason(error: grpc.aio.AioRpcError) -> str:
    """The ErrorInfo reason that a failed call carries, for clients; empty when it carries none."""
    trailing: Any = error.trailing_metadata()  # a Metadata, which the type stubs call one of its own pairs
    for key, value in trailing or ():
        if key == DETAILS_KEY:
            return next((info.reason for info in _error_infos(value)), "")
    return ""


def _packed(
    status_code: grpc.StatusCode,
    reason_name: str,
    message: str,
    *,
    detail: Message | None = None,
    metadata: dict[str, str] | None = None,
) -> status_pb2.Status:
    number = code_pb2.Code.Value(status_code.name)
    found = status_pb2.Status(code=number, message=message[:MESSAGE_CHARACTERS_MAX])
    info = error_details_pb2.ErrorInfo(reason=reason_name, domain=ERROR_DOMAIN, metadata=metadata or {})
    for part in (info, detail):
        if part is not None:
            found.details.add().Pack(part)
    return found


def _detail(error: DomainError) -> Message | None:
    found: Message | None = None
    match error:
        case InvalidInput():
            found = _bad_request(error)
        case NotFound():
            found = error_details_pb2.ResourceInfo(resource_type=error.kind, resource_name=error.identity)
        case NotAllowedNow():
            violation = error_details_pb2.PreconditionFailure.Violation(type=error.reason, description=error.message)
            found = error_details_pb2.PreconditionFailure(violations=[violation])
        case TooMuch() | Unavailable():
            seconds, rest_ms = divmod(error.retry_after_ms, 1000)
            found = error_details_pb2.RetryInfo(retry_delay=Duration(seconds=seconds, nanos=rest_ms * 1_000_000))
    return found


def _bad_request(error: InvalidInput) -> error_details_pb2.BadRequest:
    found = error_details_pb2.BadRequest()
    for violation in error.violations:
        found.field_violations.add(
            field=violation.field[:VIOLATION_CHARACTERS_MAX], description=violation.message[:VIOLATION_CHARACTERS_MAX]
        )
        if found.ByteSize() > VIOLATIONS_BYTES_MAX:
            found.field_violations.pop()
            break
    return found


def _error_infos(serialized: bytes) -> list[error_details_pb2.ErrorInfo]:
    infos = []
    for detail in status_pb2.Status.FromString(serialized).details:
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info):
            infos.append(info)
    return infos
