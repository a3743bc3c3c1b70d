"""Fences over HTTP: drawn, changed, removed, and as files, through a real api role."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from services.gateway.server import fences
from tests.gateway.gateway_serving import Gateway, reason, running_gateway

pytestmark = [pytest.mark.enable_socket, pytest.mark.services("postgres", "redis")]

SQUARE = [[112.9, 28.1], [113.1, 28.1], [113.1, 28.3], [112.9, 28.3]]
HOLE = [[112.95, 28.15], [113.0, 28.15], [113.0, 28.2], [112.95, 28.2]]
SHAPES: list[dict[str, Any]] = [
    {"type": "polygon", "rings": [SQUARE, HOLE]},
    {"type": "circle", "centre": [112.9388146, 28.2282132], "radius_m": 500},
    {"type": "corridor", "line": SQUARE, "width_m": 60},
]
RULES: dict[str, Any] = {
    "vehicle_kinds": ["coach", "hazmat"],
    "triggers": ["enter", "exit"],
    "level": "high",
    "speed_kmh_max": 60,
    "dwell_s": 12.5,
    "hysteresis_m": 30,
    "time_windows": [{"weekdays": [1, 7], "start_minute": 1320, "end_minute": 300}],
    "source_datum": "GCJ02",
    "enabled": False,
}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def gateway(postgres_url: str, redis_url: str) -> AsyncIterator[Gateway]:
    async with running_gateway(postgres_url, redis_url, gateway_requests_per_s=1000.0) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def client(gateway: Gateway) -> httpx.AsyncClient:
    return await gateway.signed_in("operator")


pytestmark.append(pytest.mark.asyncio(loop_scope="module"))


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: str(shape["type"]))
async def test_a_fence_comes_back_as_it_was_drawn(client: httpx.AsyncClient, shape: dict[str, Any]) -> None:
    drawn = RULES | {"name": f"桥 {shape['type']}", "shape": shape}
    added = await client.post("/api/fences", json=drawn)
    assert added.status_code == 201, added.text
    found = (await client.get(f"/api/fences/{added.json()['fence_id']}")).json()
    assert {name: found[name] for name in drawn} == drawn
    assert found["etag"] and found["update_time_ms"] > 0


async def test_what_is_left_out_has_its_default(client: httpx.AsyncClient) -> None:
    added = (await client.post("/api/fences", json={"name": "plain", "shape": SHAPES[1]})).json()
    assert (added["level"], added["enabled"], added["source_datum"], added["triggers"]) == ("medium", True, "WGS84", [])


async def test_a_fence_is_changed_on_the_version_that_was_read(client: httpx.AsyncClient) -> None:
    read = (await client.post("/api/fences", json={"name": "before", "shape": SHAPES[1]})).json()
    path = f"/api/fences/{read['fence_id']}"
    changed = (await client.put(path, json=read | {"name": "after", "shape": SHAPES[0]})).json()
    assert changed["name"] == "after" and changed["shape"]["type"] == "polygon"
    stale = await client.put(path, json=read | {"name": "too late"})
    assert reason(stale) == (412, "STALE_ETAG")
    assert (await client.delete(path, params={"etag": changed["etag"]})).status_code == 204
    assert reason(await client.get(path)) == (404, "FENCE_NOT_FOUND")


async def test_the_same_request_id_gives_the_first_answer(client: httpx.AsyncClient) -> None:
    body = {"name": "once", "shape": SHAPES[1], "request_id": "r-1"}
    first, second = await client.post("/api/fences", json=body), await client.post("/api/fences", json=body)
    assert first.json() == second.json()
    assert reason(await client.post("/api/fences", json=body | {"name": "other"})) == (409, "REQUEST_ID_REUSED")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": ""}, "name"),
        ({"shape": {"type": "polygon", "rings": [SQUARE[:2]]}}, "polygon"),
        ({"shape": {"type": "square"}}, "shape"),
        ({"shape": {"type": "circle", "centre": [200, 0], "radius_m": 1}}, "shape.circle.centre.0"),
        ({"level": "grave"}, "level"),
        ({"colour": "red"}, "colour"),
    ],
)
async def test_what_is_wrong_with_a_fence_is_said_by_field(
    client: httpx.AsyncClient, change: dict[str, Any], field: str
) -> None:
    response = await client.post("/api/fences", json={"name": "f", "shape": SHAPES[1]} | change)
    assert reason(response) == (400, "INVALID_INPUT")
    assert any(name.startswith(field) for name in response.json()["fields"]), response.text


async def test_fences_are_found_by_a_part_of_their_name_in_pages(client: httpx.AsyncClient) -> None:
    for number in range(3):
        await client.post("/api/fences", json={"name": f"加油站 {number}", "shape": SHAPES[1]})
    first = (await client.get("/api/fences", params={"name": "加油站", "page_size": 2})).json()
    query = {"name": "加油站", "page_token": first["next_page_token"], "page_size": "2"}
    rest = (await client.get("/api/fences", params=query)).json()
    assert [fence["name"] for fence in first["fences"] + rest["fences"]] == [f"加油站 {number}" for number in range(3)]


@pytest.mark.parametrize("file_format", sorted(fences.FILES))
async def test_fences_go_out_as_a_file_and_come_in_again(client: httpx.AsyncClient, file_format: str) -> None:
    added = (await client.post("/api/fences", json={"name": f"file {file_format}", "shape": SHAPES[0]})).json()
    query = {"format": file_format, "datum": "WGS84", "fence_ids": added["fence_id"]}
    file = await client.get("/api/fences/export", params=query)
    assert file.status_code == 200, file.text
    assert fences.FILES[file_format][0] in file.headers["content-disposition"]
    query = {"format": file_format, "datum": "WGS84"}
    response = await client.post("/api/fences/import", params=query, content=file.content)
    results = response.json()["results"]
    assert [result["message"] for result in results] == [""], response.text
    again = (await client.get(f"/api/fences/{results[0]['fence_id']}")).json()
    corners = {tuple(round(degree, 6) for degree in point) for ring in again["shape"]["rings"] for point in ring}
    assert corners == {tuple(point) for point in SQUARE + HOLE}


async def test_a_feature_that_is_no_fence_is_refused_by_itself(client: httpx.AsyncClient) -> None:
    features = [
        {"type": "Feature", "properties": {"name": name}, "geometry": geometry}
        for name, geometry in [
            ("good", {"type": "Polygon", "coordinates": [[*SQUARE, SQUARE[0]]]}),
            ("bad", {"type": "Polygon", "coordinates": [[SQUARE[0], SQUARE[2], SQUARE[1], SQUARE[3], SQUARE[0]]]}),
        ]
    ]
    content = json.dumps({"type": "FeatureCollection", "features": features}).encode()
    response = await client.post("/api/fences/import?format=geojson&datum=GCJ02", content=content)
    good, bad = response.json()["results"]
    assert good["fence_id"] > 0 and good["message"] == "" and bad["fence_id"] == 0 and bad["message"]


async def test_the_datum_of_a_file_is_never_guessed(client: httpx.AsyncClient) -> None:
    missing = await client.post("/api/fences/import?format=geojson", content=b"{}")
    assert reason(missing) == (400, "INVALID_INPUT") and "datum" in missing.json()["fields"]
    wrong = await client.get("/api/fences/export?format=kml&datum=MARS")
    assert reason(wrong) == (400, "INVALID_INPUT") and "datum" in wrong.json()["fields"]
    assert reason(await client.get("/api/fences/export?format=pdf&datum=WGS84")) == (400, "INVALID_INPUT")
    assert reason(await client.post("/api/fences/import?format=kml&datum=WGS84")) == (400, "INVALID_INPUT")


async def test_who_drew_a_fence_is_noted(gateway: Gateway, client: httpx.AsyncClient) -> None:
    fence_id = (await client.post("/api/fences", json={"name": "noted", "shape": SHAPES[1]})).json()["fence_id"]
    auditor = await gateway.signed_in("auditor")
    entry = next(e for e in (await auditor.get("/api/audit")).json()["entries"] if e["subject"] == "fence")
    assert (entry["name"], entry["action"], entry["subject_id"], entry["outcome"]) == (
        "operator-1",
        "add",
        str(fence_id),
        "DONE",
    )
