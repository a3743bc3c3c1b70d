"""Tracks over the loopback interface, page by page."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
import pytest_asyncio
from google.protobuf.timestamp_pb2 import Timestamp
from xiangtong.tracking.v1 import tracking_service_pb2 as pb

from tests.vehicle_tracking.server.api_serving import Api, refusal, running_api

pytestmark = [pytest.mark.enable_socket, pytest.mark.services("postgres", "redis")]
INVALID = grpc.StatusCode.INVALID_ARGUMENT


@pytest_asyncio.fixture
async def api(postgres_url: str, redis_url: str) -> AsyncIterator[Api]:
    async with running_api(postgres_url, redis_url) as running:
        yield running


def track_request(key: int, start_s: int, end_s: int, **values: Any) -> pb.GetTrackRequest:
    start, end = Timestamp(seconds=start_s), Timestamp(seconds=end_s)
    return pb.GetTrackRequest(vehicle_id=key, start_time=start, end_time=end, **values)


async def test_the_pages_of_a_track_hold_every_position_once(api: Api) -> None:
    request = track_request(await api.add_vehicle("湘A50010"), 10, 20, page_size=4)
    times: list[int] = []
    while True:
        page = await api.tracking.GetTrack(request)
        times += page.positions.fix_times_ms
        assert len(page.quality_flags) == len(page.positions.vehicle_ids)
        request.page_token = page.next_page_token
        if not request.page_token:
            break
    assert times == [second * 1000 for second in range(10, 20)]


async def test_a_track_needs_a_range_of_at_most_31_days(api: Api) -> None:
    key = await api.add_vehicle("湘A50011")
    no_times = await refusal(lambda: api.tracking.GetTrack(pb.GetTrackRequest(vehicle_id=key)))
    assert no_times == (INVALID, "INVALID_INPUT", ["start_time", "end_time"])
    too_long = await refusal(lambda: api.tracking.GetTrack(track_request(key, 0, 32 * 86400)))
    assert too_long == (INVALID, "INVALID_INPUT", ["end_time"])
    unknown = await refusal(lambda: api.tracking.GetTrack(track_request(999_999, 0, 1)))
    assert unknown[:2] == (grpc.StatusCode.NOT_FOUND, "VEHICLE_NOT_FOUND")
