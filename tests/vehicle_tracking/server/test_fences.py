"""The fence methods over the loopback interface, on real PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator

import grpc
import pytest
import pytest_asyncio
from xiangtong.tracking.v1 import fences_pb2
from xiangtong.tracking.v1 import tracking_service_pb2 as pb

from services.vehicle_tracking.adapters.fences import load_fences
from tests.vehicle_tracking.server.api_serving import Api, refusal, running_api

pytestmark = [pytest.mark.enable_socket, pytest.mark.services("postgres", "redis")]
INVALID = grpc.StatusCode.INVALID_ARGUMENT


@pytest_asyncio.fixture
async def api(postgres_url: str, redis_url: str) -> AsyncIterator[Api]:
    async with running_api(postgres_url, redis_url) as running:
        with running.pool.connection() as connection:
            connection.execute("TRUNCATE fences, request_ids, audit_log")
        yield running


def circle(name: str = "圆", **values: object) -> fences_pb2.Fence:
    shape = fences_pb2.CircleShape(longitude_e7=1_129_000_000, latitude_e7=282_000_000, radius_m=500)
    return fences_pb2.Fence(**{"name": name, "circle": shape, "source_datum": "WGS84", "enabled": True} | values)  # type: ignore[arg-type]


async def stored(api: Api, fence: fences_pb2.Fence) -> fences_pb2.Fence:
    created: fences_pb2.Fence = (await api.tracking.CreateFence(pb.CreateFenceRequest(fence=fence))).fence
    return created


async def test_a_fence_is_stored_changed_and_removed_and_readers_learn_of_each(api: Api) -> None:
    fence = await stored(api, circle(vehicle_kinds=[1], triggers=[1, 2]))
    first = load_fences(api.pool)
    assert [one.fence_id for one in first.fences] == [fence.fence_id]
    fence.speed_kmh_max = 60
    changed = (await api.tracking.UpdateFence(pb.UpdateFenceRequest(fence=fence))).fence
    second = load_fences(api.pool, first.sequence)
    assert [one.speed_kmh_max for one in second.fences] == [60]
    await api.tracking.DeleteFence(pb.DeleteFenceRequest(fence_id=fence.fence_id, etag=changed.etag))
    assert load_fences(api.pool, second.sequence).deleted_ids == [fence.fence_id]
    missing = await refusal(lambda: api.tracking.GetFence(pb.GetFenceRequest(fence_id=fence.fence_id)))
    assert missing == (grpc.StatusCode.NOT_FOUND, "FENCE_NOT_FOUND", [])


async def test_a_stale_edit_or_removal_is_refused(api: Api) -> None:
    fence = await stored(api, circle())
    await api.tracking.UpdateFence(pb.UpdateFenceRequest(fence=fence))
    stale: tuple[grpc.StatusCode, str, list[str]] = (grpc.StatusCode.ABORTED, "STALE_ETAG", [])
    assert await refusal(lambda: api.tracking.UpdateFence(pb.UpdateFenceRequest(fence=fence))) == stale
    removal = pb.DeleteFenceRequest(fence_id=fence.fence_id, etag=fence.etag)
    assert await refusal(lambda: api.tracking.DeleteFence(removal)) == stale


async def test_a_fence_without_shape_or_datum_is_refused(api: Api) -> None:
    bare = pb.CreateFenceRequest(fence=fences_pb2.Fence(name="a", vehicle_kinds=[99]))  # type: ignore[list-item]
    found = await refusal(lambda: api.tracking.CreateFence(bare))
    assert found == (INVALID, "INVALID_INPUT", ["fence.vehicle_kinds", "fence.shape"])
    no_datum = pb.CreateFenceRequest(fence=circle(source_datum=""))
    assert (await refusal(lambda: api.tracking.CreateFence(no_datum)))[2] == ["fence.source_datum"]


@pytest.mark.parametrize("file_format", [1, 2, 3, 4])
async def test_what_is_exported_can_be_imported(api: Api, file_format: int) -> None:
    fence = await stored(api, circle("甲区", triggers=[1]))
    export = pb.ExportFencesRequest(format=file_format, datum="GCJ02")  # type: ignore[arg-type]
    content = (await api.tracking.ExportFences(export)).content
    request = pb.ImportFencesRequest(content=content, format=file_format, datum="GCJ02")  # type: ignore[arg-type]
    (result,) = (await api.tracking.ImportFences(request)).results
    copy = (await api.tracking.GetFence(pb.GetFenceRequest(fence_id=result.fence_id))).fence
    assert (copy.name, copy.source_datum, list(copy.triggers)) == ("甲区", "GCJ02", [1])
    assert abs(copy.circle.longitude_e7 - fence.circle.longitude_e7) <= 1


async def test_the_datum_is_never_guessed_nor_the_format(api: Api) -> None:
    no_datum = pb.ImportFencesRequest(content=b"{}", format=pb.FENCE_FILE_FORMAT_GEOJSON)
    assert (await refusal(lambda: api.tracking.ImportFences(no_datum)))[2] == ["datum"]
    no_format = pb.ExportFencesRequest(datum="WGS84")
    assert (await refusal(lambda: api.tracking.ExportFences(no_format)))[2] == ["format"]


async def test_a_file_that_is_none_is_refused(api: Api) -> None:
    request = pb.ImportFencesRequest(content=b"no file", format=pb.FENCE_FILE_FORMAT_GPKG, datum="WGS84")
    assert await refusal(lambda: api.tracking.ImportFences(request)) == (INVALID, "FENCE_FILE_UNREADABLE", ["content"])


async def test_fences_are_listed_in_pages(api: Api) -> None:
    for n in range(3):
        await stored(api, circle(f"区{n}"))
    first = await api.tracking.ListFences(pb.ListFencesRequest(page_size=2))
    second = await api.tracking.ListFences(pb.ListFencesRequest(page_size=2, page_token=first.next_page_token))
    assert [fence.name for page in (first, second) for fence in page.fences] == ["区0", "区1", "区2"]
    assert not second.next_page_token
