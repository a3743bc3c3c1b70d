"""The table of routes: who may, over HTTP, for every route and every role."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from services.gateway.server.routes import ALL, ANYBODY, LIVE_PATH, ROUTES, RouteRow
from tests.gateway.gateway_serving import reason, running_gateway

pytestmark = [pytest.mark.enable_socket, pytest.mark.services("postgres", "redis")]

GUARDED = [row for row in ROUTES if row.roles != ANYBODY]
ENDS_THE_SESSION = "/api/sign-out"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def browsers(postgres_url: str, redis_url: str) -> AsyncIterator[dict[str, httpx.AsyncClient]]:
    async with running_gateway(postgres_url, redis_url, gateway_requests_per_s=1000.0) as gateway:
        found = {role: await gateway.signed_in(role) for role in ALL}
        yield found | {"nobody": await gateway.browser()}


def path(row: RouteRow) -> str:
    return (
        row.path.replace("{vehicle_id}", "7")
        .replace("{fence_id}", "7")
        .replace("{account_id}", "7")
        .replace("{alarm_id}", "7")
    )


@pytest.mark.parametrize("role", [*sorted(ALL), "nobody"])
@pytest.mark.parametrize("row", GUARDED, ids=lambda row: f"{row.method} {row.path}")
@pytest.mark.asyncio(loop_scope="module")
async def test_a_route_is_open_to_its_roles_only(
    browsers: dict[str, httpx.AsyncClient], row: RouteRow, role: str
) -> None:
    if row.path == ENDS_THE_SESSION and role in row.roles:
        return  # that it works is shown beside the other ways to end a session
    response = await browsers[role].request(row.method, path(row))
    if role == "nobody":
        assert reason(response) == (401, "NOT_AUTHENTICATED")
    elif role not in row.roles:
        assert reason(response) == (403, "NOT_PERMITTED")
    else:
        assert response.status_code not in (401, 403)


def test_auditors_only_read_but_for_what_is_their_own() -> None:
    writes = {row.path for row in ROUTES if row.method != "GET" and "auditor" in row.roles}
    assert writes == {"/api/sign-out", "/api/me", "/api/password"}


def test_only_signing_in_and_the_console_are_open_to_anybody() -> None:
    assert {row.path for row in ROUTES if row.roles == ANYBODY} == {"/api/sign-in", "/{path:path}"}


@pytest.mark.asyncio(loop_scope="module")
async def test_the_openapi_page_names_every_route_with_its_roles(browsers: dict[str, httpx.AsyncClient]) -> None:
    page = (await browsers["operator"].get("/api/openapi.json")).json()
    assert page["openapi"].startswith("3.1")
    told = {
        (method.upper(), path): what["x-roles"] for path, ways in page["paths"].items() for method, what in ways.items()
    }
    assert told == {(row.method, row.path): sorted(row.roles) for row in ROUTES if row.path.startswith("/api/")}
    assert LIVE_PATH not in page["paths"]


@pytest.mark.asyncio(loop_scope="module")
async def test_an_address_that_is_not_there_says_so(browsers: dict[str, httpx.AsyncClient]) -> None:
    assert reason(await browsers["operator"].get("/api/nothing")) == (404, "NO_SUCH_ROUTE")
    assert reason(await browsers["operator"].put("/api/regions", json={})) == (405, "NO_SUCH_ROUTE")
