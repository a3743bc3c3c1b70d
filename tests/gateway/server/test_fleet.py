"""Vehicles, tracks, regions, enterprises and alarms over HTTP, from a real api role."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from google.protobuf.timestamp_pb2 import Timestamp
from xiangtong.tracking.v1 import alarms_pb2
from xiangtong.tracking.v1.registry_service_pb2 import CreateEnterpriseRequest, Enterprise

from services.gateway.server import alarms, fleet
from tests.gateway.gateway_serving import Gateway, reason, running_gateway

pytestmark = [pytest.mark.enable_socket, pytest.mark.services("postgres", "redis")]

assert alarms and fleet  # what is tested here, through routes.py


@pytest_asyncio.fixture
async def gateway(postgres_url: str, redis_url: str) -> AsyncIterator[Gateway]:
    async with running_gateway(postgres_url, redis_url) as running:
        yield running


@pytest_asyncio.fixture
async def client(gateway: Gateway) -> httpx.AsyncClient:
    return await gateway.signed_in("operator")


async def test_a_vehicle_comes_with_words_and_degrees(gateway: Gateway, client: httpx.AsyncClient) -> None:
    key = await gateway.api.add_vehicle("湘A60001", kind=4, speed_kmh_max=80)
    unseen = (await client.get(f"/api/vehicles/{key}")).json()
    assert unseen["plate"] == "湘A60001" and unseen["kind"] == "hazmat" and unseen["latest_position"] is None
    await gateway.api.move(key, 1_700_000_000_000, lon_e7=1_129_345_678)
    found = unseen
    while not found["online"]:
        found = (await client.get(f"/api/vehicles/{key}")).json()
    assert found["latest_position"]["longitude"] == 112.9345678
    assert found["latest_position"]["fix_time_ms"] == 1_700_000_000_000


async def test_vehicles_are_filtered_and_come_in_pages(gateway: Gateway, client: httpx.AsyncClient) -> None:
    for number, kind in enumerate((1, 4, 4, 6)):
        await gateway.api.add_vehicle(f"湘A6100{number}", kind=kind)
    query: dict[str, Any] = {"kinds": ["hazmat", "taxi"], "page_size": 2}
    first = (await client.get("/api/vehicles", params=query)).json()
    rest = (await client.get("/api/vehicles", params=query | {"page_token": first["next_page_token"]})).json()
    assert [v["plate"] for v in first["vehicles"] + rest["vehicles"]] == ["湘A61001", "湘A61002", "湘A61003"]
    assert rest["next_page_token"] == ""
    assert [v["plate"] for v in (await client.get("/api/vehicles?plate=6100&kinds=coach")).json()["vehicles"]] == [
        "湘A61000"
    ]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("kinds=tank", "kinds"),
        ("bounding_box=1,2,3", "bounding_box"),
        ("bounding_box=113,28,112,29", "bounding_box"),
        ("page_size=0", "page_size"),
        ("region_codes=43", "region_codes"),
    ],
)
async def test_a_wrong_filter_is_named(client: httpx.AsyncClient, query: str, field: str) -> None:
    response = await client.get(f"/api/vehicles?{query}")
    assert reason(response) == (400, "INVALID_INPUT") and field in response.json()["fields"]


async def test_what_the_api_does_not_find_is_not_found_here(client: httpx.AsyncClient) -> None:
    response = await client.get("/api/vehicles/999999")
    assert reason(response) == (404, "VEHICLE_NOT_FOUND")
    assert response.json()["message"] == "no vehicle 999999"


async def test_a_track_comes_as_columns_in_pages(gateway: Gateway, client: httpx.AsyncClient) -> None:
    key = await gateway.api.add_vehicle("湘A62000")
    query = {"start_time_ms": 0, "end_time_ms": 25_000, "page_size": 20}
    first = (await client.get(f"/api/vehicles/{key}/track", params=query)).json()
    assert len(first["fix_times_ms"]) == len(first["longitudes_e7"]) == len(first["quality_flags"]) == 20
    query["page_token"] = first["next_page_token"]
    rest = (await client.get(f"/api/vehicles/{key}/track", params=query)).json()
    assert first["fix_times_ms"] + rest["fix_times_ms"] == [1000 * second for second in range(25)]
    assert rest["next_page_token"] == ""


async def test_tens_of_thousands_of_positions_come_at_once_and_compressed(
    gateway: Gateway, client: httpx.AsyncClient
) -> None:
    key = await gateway.api.add_vehicle("湘A62001")
    response = await client.get(
        f"/api/vehicles/{key}/track?start_time_ms=0&end_time_ms=40000000&page_size=40000",
        headers={"Accept-Encoding": "gzip"},
    )
    assert len(response.json()["fix_times_ms"]) == 40_000 and response.headers["content-encoding"] == "gzip"


async def test_a_range_that_is_too_long_is_refused_by_the_api_with_the_field(
    gateway: Gateway, client: httpx.AsyncClient
) -> None:
    key = await gateway.api.add_vehicle("湘A62002")
    response = await client.get(f"/api/vehicles/{key}/track?start_time_ms=0&end_time_ms=9999999999")
    assert reason(response) == (400, "INVALID_INPUT") and "end_time" in response.json()["fields"]


async def test_the_regions_are_hunan_and_its_prefectures(client: httpx.AsyncClient) -> None:
    regions = (await client.get("/api/regions")).json()["regions"]
    assert len(regions) == 15 and regions[1] == {
        "region_code": "430100",
        "name": "长沙市",
        "english_name": "Changsha",
        "plate_prefix": "湘A",
    }


async def test_enterprises_are_found_by_a_part_of_their_name(gateway: Gateway, client: httpx.AsyncClient) -> None:
    for name in ("长沙客运", "株洲危运"):
        enterprise = Enterprise(name=name, region_code="430100")
        await gateway.api.registry.CreateEnterprise(CreateEnterpriseRequest(enterprise=enterprise))
    found = (await client.get("/api/enterprises", params={"name": "危运"})).json()["enterprises"]
    assert [enterprise["name"] for enterprise in found] == ["株洲危运"]


async def test_an_alarm_is_listed_with_its_plate_and_acknowledged_by_who_is_signed_in(
    gateway: Gateway, client: httpx.AsyncClient
) -> None:
    key = await gateway.api.add_vehicle("湘A63000")
    values: dict[str, Any] = {"level": 3, "state": 1}
    gateway.api.alarms.by_id["a-1"] = alarms_pb2.Alarm(
        alarm_id="a-1", rule="overspeed", vehicle_id=key, **values, raise_time=Timestamp(seconds=5), etag="1"
    )
    alarm = (await client.get("/api/alarms?state=open&rules=overspeed")).json()["alarms"][0]
    assert (alarm["plate"], alarm["level"], alarm["raise_time_ms"], alarm["clear_time_ms"]) == (
        "湘A63000",
        "high",
        5000,
        None,
    )
    stale = await client.post("/api/alarms/a-1/acknowledge", json={"etag": "0"})
    assert reason(stale) == (412, "STALE_ETAG")
    done = (await client.post("/api/alarms/a-1/acknowledge", json={"remark": "已电话提醒", "etag": "1"})).json()
    assert (done["state"], done["acknowledged_by"], done["remark"]) == ("acknowledged", "operator-1", "已电话提醒")
    assert reason(await client.get("/api/alarms?state=closed")) == (400, "INVALID_INPUT")


async def test_while_the_api_is_away_people_are_told_to_try_again(
    postgres_url: str, redis_url: str, free_port: int
) -> None:
    async with running_gateway(postgres_url, redis_url, api_port=free_port, gateway_api=None) as gateway:
        client = await gateway.signed_in("operator")
        response = await client.get("/api/regions")
        assert reason(response) == (503, "API_UNAVAILABLE") and response.json()["retry_after_ms"] > 0
