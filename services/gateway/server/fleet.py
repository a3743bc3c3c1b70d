"""Vehicles, their tracks, regions and enterprises."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import Query, Request
from starlette.responses import Response
from xiangtong.tracking.v1 import registry_service_pb2 as registry_pb
from xiangtong.tracking.v1 import tracking_service_pb2 as pb

from services.gateway.adapters.api import FILE_CALL_S
from services.gateway.convert.values import instant
from services.gateway.convert.vehicles import enterprise_json, position_filter, region_json, track_json, vehicle_json
from services.gateway.server.pages import PAGE_SIZE_MAX, Ids, PageSize, PageToken, Text, Words
from services.gateway.server.parts import answer, parts_of

TRACK_POSITIONS_MAX = 50_000

Time = Annotated[int, Query(ge=0, lt=2**43)]


async def list_vehicles(
    request: Request,
    page_size: PageSize = 100,
    page_token: PageToken = "",
    plate: Text = "",
    kinds: Words = [],  # noqa: B006 – FastAPI copies defaults
    region_codes: Words = [],  # noqa: B006 – FastAPI copies defaults
    enterprise_ids: Ids = [],  # noqa: B006 – FastAPI copies defaults
    bounding_box: Text = "",
) -> Response:
    """Vehicles with their latest state, by id."""
    wanted = position_filter(
        kinds=kinds, region_codes=region_codes, enterprise_ids=enterprise_ids, bounding_box=bounding_box
    )
    found = await parts_of(request).api.call(
        "ListTrackedVehicles",
        pb.ListTrackedVehiclesRequest(page_size=page_size, page_token=page_token, filter=wanted, plate_filter=plate),
    )
    return answer(
        {"vehicles": [vehicle_json(tracked) for tracked in found.vehicles], "next_page_token": found.next_page_token}
    )


async def get_vehicle(request: Request, vehicle_id: int) -> Response:
    """One vehicle with its latest state."""
    found = await parts_of(request).api.call("GetTrackedVehicle", pb.GetTrackedVehicleRequest(vehicle_id=vehicle_id))
    return answer(vehicle_json(found.vehicle))


async def get_track(
    request: Request,
    vehicle_id: int,
    start_time_ms: Time,
    end_time_ms: Time,
    page_size: Annotated[int, Query(ge=1, le=TRACK_POSITIONS_MAX)] = 10_000,
    page_token: PageToken = "",
) -> Response:
    """Where a vehicle was, as columns by fix time."""
    found = await parts_of(request).api.call(
        "GetTrack",
        pb.GetTrackRequest(
            vehicle_id=vehicle_id,
            start_time=instant(start_time_ms),
            end_time=instant(end_time_ms),
            page_size=page_size,
            page_token=page_token,
        ),
        FILE_CALL_S,
    )
    return await asyncio.to_thread(lambda: answer(track_json(vehicle_id, found)))


async def list_regions(request: Request) -> Response:
    """Hunan and its prefectures."""
    found = await parts_of(request).api.call("ListRegions", registry_pb.ListRegionsRequest(page_size=PAGE_SIZE_MAX))
    return answer({"regions": [region_json(region) for region in found.regions]})


async def list_enterprises(
    request: Request,
    page_size: PageSize = 100,
    page_token: PageToken = "",
    name: Text = "",
    region_code: Text = "",
) -> Response:
    """Enterprises by id."""
    found = await parts_of(request).api.call(
        "ListEnterprises",
        registry_pb.ListEnterprisesRequest(
            page_size=page_size, page_token=page_token, name_filter=name, region_code=region_code
        ),
    )
    return answer(
        {
            "enterprises": [enterprise_json(enterprise) for enterprise in found.enterprises],
            "next_page_token": found.next_page_token,
        }
    )
