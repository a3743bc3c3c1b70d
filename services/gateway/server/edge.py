"""The outermost layer: request ids, security headers, foreign pages, sizes of bodies, metrics and a line in the log."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import urlsplit

from fastapi import HTTPException
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from common.errors import NotPermitted
from common.infra import diagnostics
from common.metrics import metrics
from services.gateway.convert.errors import refusal_of_domain
from services.gateway.server.map_config import tile_urls
from services.gateway.server.origins import check_origin
from services.gateway.server.parts import refused
from services.gateway.settings import GatewaySettings

BODY_BYTES_MAX = 1024 * 1024
FILE_BYTES_MAX = 32 * 1024 * 1024
FILE_PATHS = frozenset({"/api/fences/import"})
READS = frozenset({"GET", "HEAD", "OPTIONS"})
TOO_LARGE = 413
LOGGED_STATUS = 400

log = diagnostics.logger(__name__)


class Edge:
    """Wraps the application."""

    def __init__(self, app: ASGIApp, settings: GatewaySettings) -> None:
        self._app = app
        self._settings = settings
        self._headers = security_headers(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or pass a socket on."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        work = diagnostics.new_trace(traceparent=headers.get("traceparent"), request_id=headers.get("x-request-id"))
        with diagnostics.traced(work):
            if scope["type"] == "websocket":
                await self._app(scope, receive, send)
            else:
                await self._answer(scope, headers, receive, send)

    async def _answer(self, scope: Scope, headers: Headers, receive: Receive, send: Send) -> None:
        start_s = time.perf_counter()
        status = 0

        async def sent(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                self._add_headers(MutableHeaders(scope=message), api=scope["path"].startswith("/api/"))
            await send(message)

        try:
            if scope["method"] not in READS:
                check_origin(headers, self._settings)
            await self._app(scope, _bounded(scope, headers, receive), sent)
        except NotPermitted as error:
            await refused(refusal_of_domain(error))(scope, receive, sent)
        finally:
            _note(scope, status, time.perf_counter() - start_s)

    def _add_headers(self, headers: MutableHeaders, *, api: bool) -> None:
        work = diagnostics.trace()
        headers["x-request-id"] = work.request_id if work else ""
        headers.update(self._headers)
        if api:
            headers["cache-control"] = "no-store"


def security_headers(settings: GatewaySettings) -> dict[str, str]:
    """Headers of every answer. MapLibre runs its workers from blob: URLs; charts set style attributes."""
    tiles = " ".join(sorted({origin for url in tile_urls(settings) if (origin := _origin(url))}))
    policy = {
        "default-src": "'self'",
        "script-src": "'self'",
        "worker-src": "'self' blob:",
        "child-src": "blob:",
        "style-src": "'self'",
        "style-src-attr": "'unsafe-inline'",
        "img-src": f"'self' data: blob: {tiles}",
        "font-src": "'self' data:",
        "connect-src": f"'self' {tiles}",
        "object-src": "'none'",
        "base-uri": "'none'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
    }
    found = {
        "content-security-policy": "; ".join(f"{name} {value.strip()}" for name, value in policy.items()),
        "x-content-type-options": "nosniff",
        "referrer-policy": "strict-origin-when-cross-origin",
        "permissions-policy": "camera=(), microphone=(), geolocation=()",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
    }
    return found | ({"strict-transport-security": "max-age=31536000"} if settings.https else {})


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}" if parts.scheme else ""


def _bounded(scope: Scope, headers: Headers, receive: Receive) -> Receive:
    """The body up to what its route takes, whatever Content-Length says."""
    most = FILE_BYTES_MAX if scope["path"] in FILE_PATHS else BODY_BYTES_MAX
    declared = headers.get("content-length", "0")
    count = int(declared) if declared.isascii() and declared.isdigit() else 0

    async def bounded() -> Message:
        nonlocal count
        if count > most:
            raise HTTPException(TOO_LARGE)
        message = await receive()
        if declared == "0":
            count += len(message.get("body", b""))
        if count > most:
            raise HTTPException(TOO_LARGE)
        return message

    return bounded


def _note(scope: Scope, status: int, seconds: float) -> None:
    route: Any = scope.get("route")
    path = getattr(route, "path", "unmatched")
    metrics.http_seconds.labels(path, str(status)).observe(seconds)
    level = log.info if scope["method"] not in READS or status >= LOGGED_STATUS else log.debug
    level("request", method=scope["method"], path=scope["path"], status=status, ms=round(seconds * 1000, 1))
