"""The fence methods of TrackingService."""

# ruff: noqa: N802, ARG002 – the generated base class names the methods and their arguments

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from xiangtong.tracking.v1 import tracking_service_pb2 as pb

from common.datums import Datum
from common.errors import InvalidInput, NotFound, Violation
from services.vehicle_tracking.adapters import fences as rows
from services.vehicle_tracking.adapters.changes import Change, Pool
from services.vehicle_tracking.adapters.fence_files import FileFormat, fences_in, file_of
from services.vehicle_tracking.convert.fences import fence_from, fence_message
from services.vehicle_tracking.domain.fence_checks import fence_violations
from services.vehicle_tracking.domain.fences import Fence
from services.vehicle_tracking.server.pages import cut, id_after, page_size, place
from services.vehicle_tracking.server.writes import check, created, etag_violations, written

EXPORT_FENCES_MAX = 10_000


class FenceMethods:
    """Fences over gRPC, on a pool of PostgreSQL connections."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def GetFence(self, request: pb.GetFenceRequest, context: Any) -> pb.GetFenceResponse:
        found = await asyncio.to_thread(rows.get_fence, self._pool, request.fence_id)
        return pb.GetFenceResponse(fence=fence_message(found))

    async def ListFences(self, request: pb.ListFencesRequest, context: Any) -> pb.ListFencesResponse:
        size, after = page_size(request.page_size), place(request, id_after)
        found = await asyncio.to_thread(
            rows.list_fences, self._pool, after_id=after, count=size + 1, name_filter=request.name_filter
        )
        page, token = cut(found, size, request, lambda fence: fence.fence_id)
        return pb.ListFencesResponse(fences=map(fence_message, page), next_page_token=token)

    async def CreateFence(self, request: pb.CreateFenceRequest, context: Any) -> pb.CreateFenceResponse:
        fence = replace(fence_from(request.fence), fence_id=0)
        check("fence", await asyncio.to_thread(fence_violations, fence))
        return await created(
            self._pool,
            request,
            pb.CreateFenceResponse,
            lambda writing: pb.CreateFenceResponse(fence=fence_message(rows.add_fence(writing, fence))),
        )

    async def UpdateFence(self, request: pb.UpdateFenceRequest, context: Any) -> pb.UpdateFenceResponse:
        fence = fence_from(request.fence)
        check("fence", [*await asyncio.to_thread(fence_violations, fence), *etag_violations(fence.etag)])
        stored = await written(self._pool, rows.replace_fence, fence)
        return pb.UpdateFenceResponse(fence=fence_message(stored))

    async def DeleteFence(self, request: pb.DeleteFenceRequest, context: Any) -> pb.DeleteFenceResponse:
        await written(self._pool, rows.remove_fence, request.fence_id, etag=request.etag)
        return pb.DeleteFenceResponse()

    async def ImportFences(self, request: pb.ImportFencesRequest, context: Any) -> pb.ImportFencesResponse:
        file_format, datum = _format(request.format), _datum(request.datum)
        found = await asyncio.to_thread(fences_in, request.content, file_format, datum)
        return pb.ImportFencesResponse(results=await written(self._pool, _added, found))

    async def ExportFences(self, request: pb.ExportFencesRequest, context: Any) -> pb.ExportFencesResponse:
        file_format, datum = _format(request.format), _datum(request.datum)
        if len(request.fence_ids) > EXPORT_FENCES_MAX:
            raise InvalidInput(Violation("fence_ids", f"name at most {EXPORT_FENCES_MAX}"))
        return pb.ExportFencesResponse(
            content=await asyncio.to_thread(self._exported, list(request.fence_ids), file_format, datum)
        )

    def _exported(self, fence_ids: list[int], file_format: FileFormat, datum: Datum) -> bytes:
        if fence_ids:
            found = rows.find_fences(self._pool, fence_ids)
            missing = set(fence_ids) - {fence.fence_id for fence in found}
            if missing:
                raise NotFound("fence", min(missing))
        else:
            found = rows.list_fences(self._pool, after_id=0, count=EXPORT_FENCES_MAX + 1)
            if len(found) > EXPORT_FENCES_MAX:
                raise InvalidInput(Violation("fence_ids", f"there are more than {EXPORT_FENCES_MAX}; name some"))
        return file_of(found, file_format, datum)


def _added(writing: Change, found: list[Fence | str]) -> list[pb.FenceImportResult]:
    return [
        pb.FenceImportResult(message=feature)
        if isinstance(feature, str)
        else pb.FenceImportResult(fence_id=rows.add_fence(writing, feature).fence_id)
        for feature in found
    ]


def _format(given: int) -> FileFormat:
    if given not in tuple(FileFormat):
        raise InvalidInput(Violation("format", "say GEOJSON, SHAPEFILE, GPKG or KML"))
    return FileFormat(given)


def _datum(given: str) -> Datum:
    if given not in tuple(Datum):
        raise InvalidInput(Violation("datum", "say WGS84, GCJ02 or BD09; it is never guessed"))
    return Datum(given)
