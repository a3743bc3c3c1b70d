"""Errors as they arrive at a client."""

from __future__ import annotations

from typing import Any

import grpc
import grpc.aio
import pytest
import structlog
from google.rpc import error_details_pb2, status_pb2
from xiangtong.tracking.v1 import tracking_service_pb2 as pb
from xiangtong.tracking.v1.tracking_service_pb2_grpc import TrackingServiceStub

from common.errors import (
    AlreadyExists,
    InvalidInput,
    NotAllowedNow,
    NotAuthenticated,
    NotFound,
    NotPermitted,
    Stale,
    TooMuch,
    Unavailable,
    Violation,
)
from common.infra import grpc_errors
from tests.common.infra.grpc_serving import (
    Tracking,
    failed_call,
    plain_channel,
    refuse,
    serving,
)

pytestmark = pytest.mark.enable_socket


def details(error: grpc.aio.AioRpcError) -> list[Any]:
    trailing: Any = error.trailing_metadata()
    found = status_pb2.Status.FromString(dict(trailing)[grpc_errors.DETAILS_KEY])
    kinds = [
        getattr(error_details_pb2, name)
        for name in ("ErrorInfo", "BadRequest", "ResourceInfo", "PreconditionFailure", "RetryInfo")
    ]
    unpacked = []
    for detail in found.details:
        for kind in kinds:
            message = kind()
            if detail.Unpack(message):
                unpacked.append(message)
    return unpacked


@pytest.mark.parametrize(
    ("error", "code", "reason", "detail"),
    [
        (InvalidInput(Violation("name", "is empty")), "INVALID_ARGUMENT", "INVALID_INPUT", "BadRequest"),
        (NotFound("fence", 7), "NOT_FOUND", "FENCE_NOT_FOUND", "ResourceInfo"),
        (AlreadyExists("PLATE_TAKEN", "plate"), "ALREADY_EXISTS", "PLATE_TAKEN", None),
        (Stale("fence", 7), "ABORTED", "STALE_ETAG", None),
        (NotAllowedNow("ALARM_CLOSED", "closed"), "FAILED_PRECONDITION", "ALARM_CLOSED", "PreconditionFailure"),
        (NotPermitted("NOT_OPERATOR", "no"), "PERMISSION_DENIED", "NOT_OPERATOR", None),
        (NotAuthenticated(), "UNAUTHENTICATED", "NOT_AUTHENTICATED", None),
        (TooMuch("TOO_MANY", "no", retry_after_ms=1500), "RESOURCE_EXHAUSTED", "TOO_MANY", "RetryInfo"),
        (Unavailable("LOG_DOWN", "no"), "UNAVAILABLE", "LOG_DOWN", "RetryInfo"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
async def test_a_domain_error_arrives_with_its_code_and_details(
    error: Exception, code: str, reason: str, detail: str | None
) -> None:
    failure = await failed_call(refuse(error))
    info, *others = details(failure)
    assert (failure.code().name, info.reason, info.domain) == (code, reason, "xiangtong")
    assert grpc_errors.reason(failure) == reason
    assert [type(other).__name__ for other in others] == ([detail] if detail else [])


async def test_details_name_the_field_the_thing_and_the_delay() -> None:
    _, bad_request = details(await failed_call(refuse(InvalidInput(Violation("circle.radius_m", "at least 1")))))
    assert [(v.field, v.description) for v in bad_request.field_violations] == [("circle.radius_m", "at least 1")]
    _, resource = details(await failed_call(refuse(NotFound("fence", 7))))
    assert (resource.resource_type, resource.resource_name) == ("fence", "7")
    _, retry = details(await failed_call(refuse(TooMuch("TOO_MANY", "no", retry_after_ms=1500))))
    assert retry.retry_delay.ToMilliseconds() == 1500


async def test_a_thousand_violations_still_arrive_as_one_error() -> None:
    violations = [Violation(f"vehicles[{row}].plate" * 10, "长" * 400) for row in range(1000)]
    failure = await failed_call(refuse(InvalidInput(*violations)))
    assert failure.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert 1 <= len(details(failure)[1].field_violations) < 1000


async def test_an_unforeseen_error_tells_the_caller_a_log_id_and_nothing_else() -> None:
    with structlog.testing.capture_logs() as lines:
        failure = await failed_call(refuse(KeyError("secret of the inside")))
    (info,) = details(failure)
    assert failure.code() is grpc.StatusCode.INTERNAL
    assert "secret" not in str(failure.details())
    assert info.metadata["log_id"] in str(failure.details())
    assert info.metadata["log_id"] in [line.get("log_id") for line in lines]


async def test_an_error_in_the_middle_of_a_watch_has_details_too() -> None:
    servicer = Tracking(refuse(TooMuch("WATCHER_TOO_SLOW", "read faster")))
    async with serving(servicer) as running, plain_channel(running) as c:
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            async for _ in TrackingServiceStub(c).WatchAlarms(pb.WatchAlarmsRequest()):
                pass
    assert grpc_errors.reason(failure.value) == "WATCHER_TOO_SLOW"
