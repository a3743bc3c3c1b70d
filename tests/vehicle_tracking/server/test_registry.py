"""RegistryService over the loopback interface, on real PostgreSQL and Redis."""

from __future__ import annotations

from collections.abc import AsyncIterator

import grpc
import pytest
import pytest_asyncio
from xiangtong.tracking.v1 import registry_service_pb2 as pb

from services.vehicle_tracking.adapters.registry import load_terminals, load_vehicles
from services.vehicle_tracking.domain.register import REGIONS
from tests.vehicle_tracking.server.api_serving import Api, refusal, running_api

pytestmark = [pytest.mark.enable_socket, pytest.mark.services("postgres", "redis")]
INVALID = grpc.StatusCode.INVALID_ARGUMENT


@pytest_asyncio.fixture
async def api(postgres_url: str, redis_url: str) -> AsyncIterator[Api]:
    async with running_api(postgres_url, redis_url) as running:
        running.pool.open()
        with running.pool.connection() as connection:
            connection.execute("TRUNCATE vehicles, terminals, enterprises, fences, request_ids, audit_log")
        yield running


def vehicle(plate: str = "湘A10001", **values: object) -> pb.Vehicle:
    return pb.Vehicle(**{"plate": plate, "plate_colour": 2, "kind": 1, "region_code": "430100"} | values)  # type: ignore[arg-type]


async def test_a_vehicle_is_stored_and_read_back(api: Api) -> None:
    created = (await api.registry.CreateVehicle(pb.CreateVehicleRequest(vehicle=vehicle(speed_kmh_max=90)))).vehicle
    read = (await api.registry.GetVehicle(pb.GetVehicleRequest(vehicle_id=created.vehicle_id))).vehicle
    assert read == created
    assert (read.plate, read.speed_kmh_max) == ("湘A10001", 90)


async def test_the_same_request_id_returns_the_first_answer(api: Api) -> None:
    request = pb.CreateVehicleRequest(vehicle=vehicle(), request_id="one")
    assert await api.registry.CreateVehicle(request) == await api.registry.CreateVehicle(request)


async def test_a_request_id_with_another_body_is_refused(api: Api) -> None:
    await api.registry.CreateVehicle(pb.CreateVehicleRequest(vehicle=vehicle(), request_id="two"))
    other = pb.CreateVehicleRequest(vehicle=vehicle("湘A10002"), request_id="two")
    found = await refusal(lambda: api.registry.CreateVehicle(other))
    assert found == (grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED", [])


async def test_a_plate_of_the_same_colour_is_taken_once(api: Api) -> None:
    await api.add_vehicle("湘A10003")
    again = pb.CreateVehicleRequest(vehicle=vehicle("湘A10003"))
    found = await refusal(lambda: api.registry.CreateVehicle(again))
    assert found == (grpc.StatusCode.ALREADY_EXISTS, "PLATE_TAKEN", [])
    assert await api.add_vehicle("湘A10003", plate_colour=1)


async def test_every_wrong_field_is_named(api: Api) -> None:
    wrong = pb.CreateVehicleRequest(vehicle=pb.Vehicle(plate="x", plate_colour=7, speed_kmh_max=999, vin="short"))
    found = await refusal(lambda: api.registry.CreateVehicle(wrong))
    fields = ["plate", "plate_colour", "kind", "region_code", "speed_kmh_max", "vin"]
    assert found == (INVALID, "INVALID_INPUT", [f"vehicle.{field}" for field in fields])


async def test_a_stale_etag_is_refused_and_nothing_changes(api: Api) -> None:
    stored = (await api.registry.CreateVehicle(pb.CreateVehicleRequest(vehicle=vehicle()))).vehicle
    edit = pb.Vehicle()
    edit.CopyFrom(stored)
    edit.speed_kmh_max = 60
    await api.registry.UpdateVehicle(pb.UpdateVehicleRequest(vehicle=edit))
    edit.speed_kmh_max = 70
    found = await refusal(lambda: api.registry.UpdateVehicle(pb.UpdateVehicleRequest(vehicle=edit)))
    assert found == (grpc.StatusCode.ABORTED, "STALE_ETAG", [])
    read = (await api.registry.GetVehicle(pb.GetVehicleRequest(vehicle_id=stored.vehicle_id))).vehicle
    assert read.speed_kmh_max == 60


async def test_an_edit_without_an_etag_is_refused(api: Api) -> None:
    key = await api.add_vehicle("湘A10004")
    request = pb.UpdateVehicleRequest(vehicle=vehicle("湘A10004", vehicle_id=key))
    found = await refusal(lambda: api.registry.UpdateVehicle(request))
    assert found == (INVALID, "INVALID_INPUT", ["vehicle.etag"])


async def test_what_is_not_there_is_not_found(api: Api) -> None:
    missing = grpc.StatusCode.NOT_FOUND
    call = api.registry
    assert (await refusal(lambda: call.GetVehicle(pb.GetVehicleRequest(vehicle_id=9)))) == (
        missing,
        "VEHICLE_NOT_FOUND",
        [],
    )
    assert (await refusal(lambda: call.GetTerminal(pb.GetTerminalRequest(phone="9"))))[:2] == (
        missing,
        "TERMINAL_NOT_FOUND",
    )
    assert (await refusal(lambda: call.GetEnterprise(pb.GetEnterpriseRequest(enterprise_id=9))))[
        1
    ] == "ENTERPRISE_NOT_FOUND"


async def test_pages_hold_every_vehicle_once(api: Api) -> None:
    expected = [await api.add_vehicle(f"湘A2000{n}") for n in range(7)]
    found, request = [], pb.ListVehiclesRequest(page_size=3)
    while True:
        response = await api.registry.ListVehicles(request)
        found += [v.vehicle_id for v in response.vehicles]
        request.page_token = response.next_page_token
        if not request.page_token:
            break
    assert found == expected


async def test_a_negative_page_size_is_refused(api: Api) -> None:
    found = await refusal(lambda: api.registry.ListVehicles(pb.ListVehiclesRequest(page_size=-1)))
    assert found == (INVALID, "INVALID_INPUT", ["page_size"])


@pytest.mark.parametrize("token", ["nonsense", "AAAA", "é", "AAAAAAAAAAAAAA=="])
async def test_a_page_token_that_is_not_ours_is_refused(api: Api, token: str) -> None:
    found = await refusal(lambda: api.registry.ListVehicles(pb.ListVehiclesRequest(page_token=token)))
    assert found == (INVALID, "INVALID_INPUT", ["page_token"])


async def test_a_page_token_of_other_filters_is_refused(api: Api) -> None:
    for n in range(3):
        await api.add_vehicle(f"湘A3000{n}")
    token = (await api.registry.ListVehicles(pb.ListVehiclesRequest(page_size=1))).next_page_token
    other = pb.ListVehiclesRequest(page_size=1, page_token=token, region_code="430200")
    assert (await refusal(lambda: api.registry.ListVehicles(other)))[2] == ["page_token"]


async def test_an_enterprise_with_vehicles_stays(api: Api) -> None:
    firm = pb.Enterprise(name="甲公司", region_code="430100")
    key = (await api.registry.CreateEnterprise(pb.CreateEnterpriseRequest(enterprise=firm))).enterprise.enterprise_id
    vehicle_id = await api.add_vehicle("湘A10005", enterprise_id=key)
    request = pb.DeleteEnterpriseRequest(enterprise_id=key)
    found = await refusal(lambda: api.registry.DeleteEnterprise(request))
    assert found == (grpc.StatusCode.FAILED_PRECONDITION, "ENTERPRISE_HAS_VEHICLES", [])
    await api.registry.DeleteVehicle(pb.DeleteVehicleRequest(vehicle_id=vehicle_id))
    await api.registry.DeleteEnterprise(request)
    assert (await refusal(lambda: api.registry.DeleteEnterprise(request)))[1] == "ENTERPRISE_NOT_FOUND"


async def test_a_removed_vehicle_is_told_to_readers_with_its_terminals(api: Api) -> None:
    key = await api.add_vehicle("湘A10006")
    terminal = pb.Terminal(phone="013900000001", vehicle_id=key)
    stored = await api.registry.CreateTerminal(pb.CreateTerminalRequest(terminal=terminal))
    assert stored.terminal.phone == "13900000001"
    before = load_terminals(api.pool).sequence
    await api.registry.DeleteVehicle(pb.DeleteVehicleRequest(vehicle_id=key))
    rows = load_vehicles(api.pool, before).rows
    assert (rows.vehicle_ids.tolist(), rows.deleted.tolist()) == ([key], [True])
    assert load_terminals(api.pool, before).deleted_phones == ["13900000001"]


async def test_a_phone_is_on_one_terminal(api: Api) -> None:
    terminal = pb.Terminal(phone="13900000002", vehicle_id=await api.add_vehicle("湘A10007"))
    await api.registry.CreateTerminal(pb.CreateTerminalRequest(terminal=terminal))
    found = await refusal(lambda: api.registry.CreateTerminal(pb.CreateTerminalRequest(terminal=terminal)))
    assert found[:2] == (grpc.StatusCode.ALREADY_EXISTS, "PHONE_TAKEN")


async def test_the_regions_are_those_that_checks_know(api: Api) -> None:
    regions = (await api.registry.ListRegions(pb.ListRegionsRequest())).regions
    assert [(r.region_code, r.name, r.english_name, r.plate_prefix) for r in regions] == [tuple(r) for r in REGIONS]


async def test_each_import_row_gets_its_own_answer(api: Api) -> None:
    good = pb.RegisterRow(
        plate="湘A40001",
        plate_colour=2,
        kind=pb.VEHICLE_KIND_COACH,
        region_code="430100",
        phone="13900000003",
        enterprise_name="乙公司",
    )
    wrong = pb.RegisterRow(plate="湘A40002", plate_colour=2, region_code="430100")
    twice = pb.RegisterRow(
        plate="湘A40003", plate_colour=2, kind=pb.VEHICLE_KIND_COACH, region_code="430100", phone="13900000003"
    )
    outcomes = (await api.registry.ImportRegister(pb.ImportRegisterRequest(rows=[good, wrong, good, twice]))).results
    assert [(r.outcome, r.field) for r in outcomes] == [(1, ""), (4, "kind"), (4, "plate"), (4, "phone")]
    good.speed_kmh_max = 80
    again = pb.ImportRegisterRequest(rows=[good])
    assert [r.outcome for _ in range(2) for r in (await api.registry.ImportRegister(again)).results] == [2, 3]


async def test_every_write_is_in_the_audit_log_with_its_caller(api: Api) -> None:
    key = await api.add_vehicle("湘A10008")
    with api.pool.connection() as connection:
        rows = connection.execute(
            "SELECT caller, action, subject, subject_id, after->>'plate' FROM audit_log"
        ).fetchall()
    assert rows == [("local", "create", "vehicle", str(key), "湘A10008")]
