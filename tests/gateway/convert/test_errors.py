"""Every kind of refusal has a status, a reason and one shape."""

from __future__ import annotations

from typing import Any

import grpc
import grpc.aio
import pytest

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
    Violation,
)
from common.infra import grpc_errors
from services.gateway.convert.bodies import ErrorBody
from services.gateway.convert.errors import refusal_of_call, refusal_of_domain, refusal_of_values

ERRORS: list[tuple[DomainError, int]] = [
    (InvalidInput(Violation("name", "give one"), Violation("shape.rings", "give one")), 400),
    (NotAuthenticated(), 401),
    (NotPermitted("NOT_PERMITTED", "no"), 403),
    (NotFound("fence", 7), 404),
    (AlreadyExists("NAME_TAKEN", "name: taken"), 409),
    (NotAllowedNow("LAST_ADMIN", "no"), 409),
    (Stale("fence", 7), 412),
    (TooMuch("TOO_MANY_REQUESTS", "slow down", retry_after_ms=1500), 429),
    (Unavailable("DATABASE_UNAVAILABLE", "away"), 503),
]


def failed(code: grpc.StatusCode, details: str, trailing: Any = ()) -> grpc.aio.AioRpcError:
    metadata = grpc.aio.Metadata(*trailing)
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), metadata, details=details)


@pytest.mark.parametrize(("error", "status"), ERRORS, ids=lambda value: type(value).__name__)
def test_our_own_refusal_and_the_apis_look_alike(error: DomainError, status: int) -> None:
    own = refusal_of_domain(error)
    ErrorBody.model_validate(own.body())
    assert (own.status, own.reason) == (status, error.reason)
    found = grpc_errors.status(error)
    call = failed(grpc_errors.code(error), found.message, grpc_errors.trailers(found))
    if status in (401, 403):
        assert refusal_of_call(call).reason == "API_REFUSES_GATEWAY"  # whoever asks has nothing to do with it
    else:
        assert refusal_of_call(call) == own


def test_fields_are_named_as_browsers_send_them() -> None:
    error = InvalidInput(Violation("fence.name", "give one"), Violation("filter.region_codes", "six digits"))
    found = grpc_errors.status(error)
    call = failed(grpc_errors.code(error), found.message, grpc_errors.trailers(found))
    assert refusal_of_call(call).fields == {"name": "give one", "region_codes": "six digits"}


def test_a_refusal_that_may_pass_says_when_to_try_again() -> None:
    found = refusal_of_domain(ERRORS[7][0])
    assert found.body()["retry_after_ms"] == 1500 and found.headers() == {"Retry-After": "2"}


@pytest.mark.parametrize(
    ("code", "status", "reason"),
    [
        (grpc.StatusCode.UNAVAILABLE, 503, "API_UNAVAILABLE"),
        (grpc.StatusCode.CANCELLED, 503, "API_UNAVAILABLE"),
        (grpc.StatusCode.DEADLINE_EXCEEDED, 504, "DEADLINE_EXCEEDED"),
        (grpc.StatusCode.UNKNOWN, 500, "UNKNOWN"),
    ],
)
def test_a_call_that_failed_on_the_way_has_no_details(code: grpc.StatusCode, status: int, reason: str) -> None:
    found = refusal_of_call(failed(code, "what gRPC says"))
    assert (found.status, found.reason) == (status, reason)


def test_values_that_do_not_fit_are_named_without_the_place_they_stood_in() -> None:
    problems = [{"loc": ("body", "shape", "rings", 0), "msg": "Value error, too short", "type": "value_error"}]
    assert refusal_of_values(problems).fields == {"shape.rings.0": "too short"}
    assert refusal_of_values([{"loc": ("body", 1), "msg": "", "type": "json_invalid"}]).reason == "BODY_UNREADABLE"
    assert refusal_of_values([{"loc": ("body",), "msg": "Field required", "type": "missing"}]).fields == {
        "body": "Field required"
    }
