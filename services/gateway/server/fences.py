"""Fences: listed, drawn, changed, removed, and as files."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Request
from starlette.responses import Response
from xiangtong.tracking.v1 import tracking_service_pb2 as pb

from common.errors import InvalidInput, Violation
from services.gateway.adapters.api import FILE_CALL_S
from services.gateway.convert.bodies import FenceBody
from services.gateway.convert.fences import fence_json, fence_message
from services.gateway.convert.words import FENCE_FORMATS
from services.gateway.server.pages import Ids, PageSize, PageToken, Text
from services.gateway.server.parts import answer, noted, parts_of

CREATED, NO_CONTENT = 201, 204
ENVELOPE_BYTES = 4096  # of a gRPC message around a file

FILES = {
    "geojson": ("fences.geojson", "application/geo+json"),
    "shapefile": ("fences.zip", "application/zip"),
    "gpkg": ("fences.gpkg", "application/geopackage+sqlite3"),
    "kml": ("fences.kml", "application/vnd.google-earth.kml+xml"),
}

Word = Annotated[str, Query(max_length=20)]


async def list_fences(
    request: Request,
    page_size: PageSize = 100,
    page_token: PageToken = "",
    name: Text = "",
) -> Response:
    """Fences by id."""
    found = await parts_of(request).api.call(
        "ListFences", pb.ListFencesRequest(page_size=page_size, page_token=page_token, name_filter=name)
    )
    return answer({"fences": [fence_json(fence) for fence in found.fences], "next_page_token": found.next_page_token})


async def get_fence(request: Request, fence_id: int) -> Response:
    """One fence."""
    found = await parts_of(request).api.call("GetFence", pb.GetFenceRequest(fence_id=fence_id))
    return answer(fence_json(found.fence))


async def add_fence(request: Request, body: FenceBody) -> Response:
    """A new fence, in force within a second."""
    async with noted(request, "add", "fence", name=body.name) as deed:
        message = pb.CreateFenceRequest(fence=fence_message(body), request_id=body.request_id)
        found = await parts_of(request).api.call("CreateFence", message)
        deed.subject_id = str(found.fence.fence_id)
    return answer(fence_json(found.fence), CREATED)


async def change_fence(request: Request, fence_id: int, body: FenceBody) -> Response:
    """Replace a fence."""
    async with noted(request, "change", "fence", fence_id, name=body.name, enabled=body.enabled):
        message = pb.UpdateFenceRequest(fence=fence_message(body, fence_id))
        found = await parts_of(request).api.call("UpdateFence", message)
    return answer(fence_json(found.fence))


async def remove_fence(request: Request, fence_id: int, etag: Text = "") -> Response:
    """Remove a fence."""
    async with noted(request, "remove", "fence", fence_id):
        await parts_of(request).api.call("DeleteFence", pb.DeleteFenceRequest(fence_id=fence_id, etag=etag))
    return Response(status_code=NO_CONTENT)


async def import_fences(request: Request, format: Word, datum: Word) -> Response:
    """Add the fences of a file, which is the body. One result a feature."""
    parts, content = parts_of(request), await request.body()
    most = parts.settings.grpc_message_bytes_max - ENVELOPE_BYTES
    if not content or len(content) > most:
        raise InvalidInput(Violation("body", f"send the file itself, 1 to {most} bytes"))
    message = pb.ImportFencesRequest(content=content, format=_format(format), datum=datum)
    async with noted(request, "import", "fence", format=format, datum=datum, bytes=len(content)):
        found = await parts.api.call("ImportFences", message, FILE_CALL_S)
    return answer({"results": [{"fence_id": one.fence_id, "message": one.message} for one in found.results]})


async def export_fences(request: Request, format: Word, datum: Word, fence_ids: Ids = []) -> Response:  # noqa: B006 – FastAPI copies defaults
    """Fences as a file."""
    message = pb.ExportFencesRequest(fence_ids=fence_ids, format=_format(format), datum=datum)
    async with noted(request, "export", "fence", format=format, datum=datum):
        found = await parts_of(request).api.call("ExportFences", message, FILE_CALL_S)
    name, media_type = FILES[format]
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(found.content, media_type=media_type, headers=headers)


def _format(word: str) -> pb.FenceFileFormat.ValueType:
    return pb.FenceFileFormat.ValueType(FENCE_FORMATS.number(word, "format"))
