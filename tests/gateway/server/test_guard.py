"""What routes go through, and what becomes of failures that nobody foresaw."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from common.infra import diagnostics
from services.gateway.server.guard import refusal_of
from services.gateway.server.openapi import openapi_page
from services.gateway.server.parts import answer, refused
from services.gateway.server.routes import ROUTES
from tests.gateway.gateway_serving import Gateway, reason, running_gateway

pytestmark = [pytest.mark.enable_socket, pytest.mark.services("postgres", "redis")]


@pytest_asyncio.fixture
async def gateway(postgres_url: str, redis_url: str) -> AsyncIterator[Gateway]:
    async with running_gateway(postgres_url, redis_url) as running:
        yield running


def test_an_error_that_nobody_foresaw_tells_where_the_log_has_it_and_nothing_more() -> None:
    with diagnostics.traced(diagnostics.new_trace(request_id="r-1")):
        refusal = refusal_of(RuntimeError("the password is hunter2"))
    assert (refusal.status, refusal.reason) == (500, "INTERNAL")
    assert refusal.message == "internal error; the log has it under r-1"
    assert b"hunter2" not in bytes(refused(refusal).body)


async def test_who_asks_is_looked_up_before_the_body_is_read(gateway: Gateway) -> None:
    client = await gateway.browser()
    response = await client.post("/api/fences", content=b"{", headers={"Content-Type": "application/json"})
    assert reason(response) == (401, "NOT_AUTHENTICATED")


async def test_a_form_is_not_taken_for_json(gateway: Gateway) -> None:
    response = await (await gateway.browser()).post("/api/sign-in", data={"name": "a", "password": "b"})
    assert reason(response) == (400, "BODY_UNREADABLE")


async def test_while_the_database_is_away_people_are_told_to_try_again(gateway: Gateway) -> None:
    client = await gateway.signed_in("operator")
    await gateway.parts.audit._pool.close()
    response = await client.get("/api/me")
    assert reason(response) == (503, "DATABASE_UNAVAILABLE") and response.headers["retry-after"]
    assert "postgres" not in response.text.lower()


def test_answers_are_short_and_have_no_values_that_json_does_not_know() -> None:
    assert bytes(answer({"名": [1, None]}).body).decode() == '{"名":[1,null]}'
    with pytest.raises(ValueError, match="JSON"):
        answer(float("nan"))


def test_the_openapi_page_is_a_route_like_the_others() -> None:
    assert any(row.endpoint is openapi_page for row in ROUTES)
