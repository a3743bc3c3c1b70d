"""Alarms: listed and acknowledged."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Request
from starlette.responses import Response
from xiangtong.tracking.v1 import tracking_service_pb2 as pb

from services.gateway.convert.alarms import alarm_filter, alarm_json
from services.gateway.convert.bodies import ID_MAX, Acknowledgement
from services.gateway.server.fleet import Time
from services.gateway.server.pages import PageSize, PageToken, Text, Words
from services.gateway.server.parts import answer, noted, parts_of, person_of

Id = Annotated[int, Query(ge=0, le=ID_MAX)]


async def list_alarms(
    request: Request,
    page_size: PageSize = 100,
    page_token: PageToken = "",
    vehicle_id: Id = 0,
    rules: Words = [],  # noqa: B006 – FastAPI copies defaults
    start_time_ms: Time | None = None,
    end_time_ms: Time | None = None,
    state: Text = "",
    fence_id: Id = 0,
) -> Response:
    """Alarms, newest first."""
    parts = parts_of(request)
    wanted = alarm_filter(
        vehicle_id=vehicle_id,
        rules=rules,
        start_time_ms=start_time_ms,
        end_time_ms=end_time_ms,
        state=state,
        fence_id=fence_id,
    )
    found = await parts.api.call(
        "ListAlarms", pb.ListAlarmsRequest(page_size=page_size, page_token=page_token, filter=wanted)
    )
    await parts.hub.plates([alarm.vehicle_id for alarm in found.alarms])
    alarms = [alarm_json(alarm, parts.hub.table.plate(alarm.vehicle_id)) for alarm in found.alarms]
    return answer({"alarms": alarms, "next_page_token": found.next_page_token})


async def acknowledge(request: Request, alarm_id: str, body: Acknowledgement) -> Response:
    """Note that the person who asks has seen an alarm."""
    parts = parts_of(request)
    async with noted(request, "acknowledge", "alarm", alarm_id, remark=body.remark):
        found = await parts.api.call(
            "AcknowledgeAlarm",
            pb.AcknowledgeAlarmRequest(
                alarm_id=alarm_id, remark=body.remark, etag=body.etag, operator=person_of(request).name
            ),
        )
    await parts.hub.plates([found.alarm.vehicle_id])
    return answer(alarm_json(found.alarm, parts.hub.table.plate(found.alarm.vehicle_id)))
