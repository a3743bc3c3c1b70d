"""Which pages may write and open the live stream: our own."""

from __future__ import annotations

from starlette.datastructures import Headers

from common.errors import NotPermitted
from services.gateway.settings import GatewaySettings


def check_origin(headers: Headers, settings: GatewaySettings) -> None:
    """Raise NotPermitted for a request that no page of ours has made. Browsers always say which page asks."""
    if headers.get("sec-fetch-site") == "same-origin":
        return
    own = f"{'https' if settings.https else 'http'}://{headers.get('host', '')}"
    if headers.get("origin") not in {own, *_further(settings)}:
        raise NotPermitted(
            "FOREIGN_ORIGIN",
            f"ask from a page of {own}, or add the page's origin to XIANGTONG_GATEWAY_ORIGINS"
            " (behind a proxy that speaks HTTPS, set XIANGTONG_GATEWAY_HTTPS_OUTSIDE)",
        )


def _further(settings: GatewaySettings) -> list[str]:
    return [origin.strip() for origin in (settings.gateway_origins or "").split(",") if origin.strip()]
