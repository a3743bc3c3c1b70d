"""HTTP of the gateway: who may, convert, call, convert back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI
from redis.asyncio import Redis
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from common.clock import Clock, SystemClock
from services.gateway.adapters.accounts import Accounts
from services.gateway.adapters.api import Api
from services.gateway.adapters.audit import Audit
from services.gateway.adapters.database import Pool
from services.gateway.adapters.guesses import Guesses
from services.gateway.adapters.live_hub import LiveHub, following
from services.gateway.adapters.passwords import Passwords
from services.gateway.adapters.sessions import Sessions
from services.gateway.convert.bodies import ErrorBody
from services.gateway.server.edge import Edge
from services.gateway.server.guard import ROLES_KEY, GuardedRoute, refusal_of
from services.gateway.server.live import LiveStreams, live_stream
from services.gateway.server.parts import Parts, refused
from services.gateway.server.rates import Rates
from services.gateway.server.routes import LIVE_PATH, ROUTES
from services.gateway.settings import GatewaySettings

COMPRESSED_FROM_BYTES = 2000
COMPRESSION_LEVEL = 1  # a third of the bytes for a tenth of level 9's time


@asynccontextmanager
async def running_parts(
    *,
    settings: GatewaySettings,
    pool: Pool,
    redis: Redis,
    api: Api,
    clock: Clock | None = None,
    passwords: Passwords | None = None,
) -> AsyncIterator[Parts]:
    """Everything behind the routes, while the live stream and the sessions are followed."""
    clock = clock or SystemClock()
    sessions = Sessions(pool, clock, idle_s=settings.session_idle_s, age_s=settings.session_age_s)
    streams = LiveStreams(sessions)
    async with following(LiveHub(api, interval_ms=settings.gateway_live_interval_ms)) as hub:
        watching = asyncio.create_task(streams.watch_sessions())
        try:
            yield Parts(
                settings=settings,
                clock=clock,
                api=api,
                hub=hub,
                accounts=Accounts(pool),
                sessions=sessions,
                guesses=Guesses(redis),
                passwords=passwords or Passwords(),
                audit=Audit(pool),
                rates=Rates(clock, settings.gateway_requests_per_s),
                streams=streams,
            )
        finally:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching


def application(parts: Parts) -> ASGIApp:
    """The whole HTTP edge."""
    app = FastAPI(title="湘通 Xiangtong", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.parts = parts
    app.router.route_class = GuardedRoute
    app.router.redirect_slashes = False
    for row in ROUTES:
        app.add_api_route(
            row.path,
            row.endpoint,
            methods=[row.method],
            status_code=row.status,
            response_model=None,
            responses={"default": {"model": ErrorBody}},
            include_in_schema=row.path.startswith("/api/"),
            openapi_extra={ROLES_KEY: sorted(row.roles)},
        )
    app.add_api_websocket_route(LIVE_PATH, live_stream)
    app.add_exception_handler(HTTPException, _refused)
    return Edge(_compressed(app), parts.settings)


def _compressed(app: ASGIApp) -> ASGIApp:
    """Answers of the API compressed; the console's files are already, or are read in ranges."""
    compressing = GZipMiddleware(app, minimum_size=COMPRESSED_FROM_BYTES, compresslevel=COMPRESSION_LEVEL)

    async def chosen(scope: Scope, receive: Receive, send: Send) -> None:
        target = compressing if scope["path"].startswith("/api/") else app
        await target(scope, receive, send)

    return chosen


async def _refused(_: Request, error: Exception) -> Response:
    return refused(refusal_of(error))
