"""Where the base map's tiles come from."""

from __future__ import annotations

from fastapi import Request
from starlette.responses import Response

from services.gateway.server.parts import answer, parts_of
from services.gateway.settings import GatewaySettings


async def map_config(request: Request) -> Response:
    """The tile source; kind `none` for the shipped shapes alone."""
    settings = parts_of(request).settings
    return answer(
        {
            "kind": settings.map_kind,
            "urls": tile_urls(settings),
            "datum": settings.map_datum,
            "attribution": settings.map_attribution,
            "zoom_max": settings.map_zoom_max,
        }
    )


def tile_urls(settings: GatewaySettings) -> list[str]:
    """The templates, one for each subdomain."""
    if settings.map_url is None:
        return []
    subdomains = [part.strip() for part in settings.map_subdomains.split(",")]
    return list(dict.fromkeys(settings.map_url.replace("{s}", part) for part in subdomains))
