"""The OpenAPI page, made from the routes and their models."""

from __future__ import annotations

from fastapi import Request
from starlette.responses import Response

from services.gateway.server.parts import answer


async def openapi_page(request: Request) -> Response:
    """OpenAPI 3.1 of every route."""
    return answer(request.app.openapi())
