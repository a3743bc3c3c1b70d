"""What holds for every request: headers, foreign pages, sizes, ids, rates and the shape of errors."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from starlette.datastructures import Headers

from common.errors import NotPermitted
from common.metrics import registry
from services.gateway.server.edge import BODY_BYTES_MAX, security_headers
from services.gateway.server.origins import check_origin
from services.gateway.settings import GatewaySettings
from tests.common.infra.certificates import Authority
from tests.gateway.gateway_serving import PASSWORD, Gateway, reason, running_gateway

pytestmark = [pytest.mark.enable_socket, pytest.mark.services("postgres", "redis")]

PLAIN = GatewaySettings()


@pytest_asyncio.fixture
async def gateway(postgres_url: str, redis_url: str, tmp_path: Path) -> AsyncIterator[Gateway]:
    (tmp_path / "index.html").write_text("<!doctype html><title>湘通</title>")
    async with running_gateway(
        postgres_url, redis_url, gateway_console=tmp_path, gateway_requests_per_s=2.0
    ) as running:
        yield running


async def test_scripts_run_from_our_own_files_only(gateway: Gateway) -> None:
    page = await (await gateway.browser()).get("/")
    policy = dict(part.split(" ", 1) for part in page.headers["content-security-policy"].split("; "))
    assert policy["script-src"] == "'self'" and policy["worker-src"] == "'self' blob:"
    assert policy["default-src"] == "'self'" and policy["frame-ancestors"] == "'none'"
    assert page.headers["x-content-type-options"] == "nosniff"
    assert "server" not in page.headers


def test_tiles_may_come_from_the_origin_that_is_set_and_from_no_other() -> None:
    settings = GatewaySettings(
        map_kind="wmts", map_url="https://t{s}.tiles.example/{z}/{x}/{y}?tk=1", map_subdomains="0,1"
    )
    policy = security_headers(settings)["content-security-policy"]
    assert "connect-src 'self' https://t0.tiles.example https://t1.tiles.example;" in policy
    assert "img-src 'self' data: blob: https://t0.tiles.example https://t1.tiles.example;" in policy
    assert "tk=1" not in policy


def test_over_https_browsers_are_told_to_stay_there() -> None:
    assert "strict-transport-security" in security_headers(GatewaySettings(gateway_https_outside=True))
    assert "strict-transport-security" not in security_headers(PLAIN)


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example", "sec-fetch-site": "cross-site"},
        {"origin": "http://127.0.0.1:9999", "sec-fetch-site": "same-site"},
        {"origin": "null"},
        {"origin": "https://gateway.example"},
        {},
    ],
)
def test_a_foreign_page_may_not_write(headers: dict[str, str]) -> None:
    with pytest.raises(NotPermitted, match="GATEWAY_ORIGINS"):
        check_origin(Headers({"host": "gateway.example"} | headers), PLAIN)


@pytest.mark.parametrize(
    ("headers", "settings"),
    [
        ({"origin": "http://gateway.example"}, PLAIN),
        ({"origin": "https://gateway.example"}, GatewaySettings(gateway_https_outside=True)),
        ({"sec-fetch-site": "same-origin"}, PLAIN),
        ({"origin": "https://b.example"}, GatewaySettings(gateway_origins="https://a.example, https://b.example")),
    ],
)
def test_our_own_pages_may_write(headers: dict[str, str], settings: GatewaySettings) -> None:
    check_origin(Headers({"host": "gateway.example"} | headers), settings)


async def test_a_write_from_a_foreign_page_does_nothing(gateway: Gateway) -> None:
    client = await gateway.signed_in("operator")
    response = await client.post("/api/sign-out", headers={"Origin": "https://evil.example"})
    assert reason(response) == (403, "FOREIGN_ORIGIN")
    assert (await client.get("/api/me")).status_code == 200


async def test_a_body_that_is_too_large_is_refused_whether_or_not_it_says_so(gateway: Gateway) -> None:
    client = await gateway.browser()
    large = b"x" * (BODY_BYTES_MAX + 1)

    async def parts() -> AsyncIterator[bytes]:
        for start in range(0, len(large), 65536):
            yield large[start : start + 65536]

    kind = {"Content-Type": "application/json"}
    assert reason(await client.post("/api/sign-in", content=large, headers=kind)) == (413, "BODY_TOO_LARGE")
    assert reason(await client.post("/api/sign-in", content=parts(), headers=kind)) == (413, "BODY_TOO_LARGE")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'"text"', b"\xff\xfe"])
async def test_a_body_that_is_no_json_object_is_refused(gateway: Gateway, content: bytes) -> None:
    client = await gateway.browser()
    response = await client.post("/api/sign-in", content=content, headers={"Content-Type": "application/json"})
    assert response.status_code == 400 and response.json()["reason"] in ("BODY_UNREADABLE", "INVALID_INPUT")


async def test_each_wrong_field_is_named(gateway: Gateway) -> None:
    response = await (await gateway.browser()).post("/api/sign-in", json={"name": "", "extra": 1})
    assert reason(response) == (400, "INVALID_INPUT")
    assert set(response.json()["fields"]) == {"name", "password", "extra"}


async def test_a_request_keeps_the_id_it_came_with_and_gets_one_otherwise(gateway: Gateway) -> None:
    client = await gateway.browser()
    assert (await client.get("/api/me", headers={"X-Request-Id": "mine-1"})).headers["x-request-id"] == "mine-1"
    assert len((await client.get("/api/me", headers={"X-Request-Id": "bad id"})).headers["x-request-id"]) == 32


async def test_answers_of_the_api_are_kept_by_nobody(gateway: Gateway) -> None:
    assert (await (await gateway.browser()).get("/api/me")).headers["cache-control"] == "no-store"


async def test_a_session_that_asks_without_pause_is_slowed_down(gateway: Gateway) -> None:
    client = await gateway.signed_in("operator")
    responses = [await client.get("/api/me") for _ in range(30)]
    refused = [response for response in responses if response.status_code == 429]
    assert refused and reason(refused[0])[1] == "TOO_MANY_REQUESTS" and refused[0].json()["retry_after_ms"] > 0


async def test_requests_are_measured_by_route_and_not_by_address(gateway: Gateway) -> None:
    client = await gateway.signed_in("operator")
    await client.get("/api/vehicles/424242")
    labels = {"route": "/api/vehicles/{vehicle_id}", "code": "404"}
    assert (registry.get_sample_value("xiangtong_http_request_seconds_count", labels) or 0) >= 1
    assert all("424242" not in str(sample) for metric in registry.collect() for sample in metric.samples)


async def test_the_map_is_as_set(gateway: Gateway) -> None:
    client = await gateway.signed_in("operator")
    none = {"kind": "none", "urls": [], "datum": "WGS84", "attribution": "", "zoom_max": 18}
    assert (await client.get("/api/map/config")).json() == none


@pytest.mark.parametrize(("proxies", "address"), [(None, "127.0.0.1"), ("127.0.0.1", "203.0.113.9")])
async def test_where_people_come_from_is_believed_of_known_proxies_only(
    postgres_url: str, redis_url: str, proxies: str | None, address: str
) -> None:
    async with running_gateway(postgres_url, redis_url, gateway_proxies=proxies) as gateway:
        await gateway.add_account("li", "auditor")
        client = await gateway.browser(**{"X-Forwarded-For": "203.0.113.9"})
        await client.post("/api/sign-in", json={"name": "li", "password": PASSWORD})
        assert (await client.get("/api/audit")).json()["entries"][0]["address"] == address


async def test_with_a_certificate_browsers_come_over_https(postgres_url: str, redis_url: str, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.issue("localhost")
    async with running_gateway(
        postgres_url, redis_url, gateway_certificate=certificate, gateway_private_key=key
    ) as gateway:
        await gateway.add_account("li", "auditor")
        origin = f"https://localhost:{gateway.port}"
        trust = ssl.create_default_context(cafile=str(authority.certificate_path))
        async with httpx.AsyncClient(base_url=origin, headers={"Origin": origin}, verify=trust) as client:
            response = await client.post("/api/sign-in", json={"name": "li", "password": PASSWORD})
            assert response.headers["set-cookie"].startswith("__Host-xiangtong_session=")
            assert (await client.get("/api/me")).status_code == 200
