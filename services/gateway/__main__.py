"""Wiring of the gateway: servers, routes, and a drain on SIGTERM."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from collections.abc import AsyncIterator, Coroutine, Generator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from common.infra import diagnostics
from common.infra.callers import is_loopback
from common.infra.grpc import channel, stop_requested
from common.infra.health_http import Check, serve_health
from common.infra.redis import connect_async
from common.infra.servers import postgres_url, redis_url
from common.infra.settings import load
from services.gateway.adapters.accounts import FIRST_NAME, Accounts
from services.gateway.adapters.api import Api
from services.gateway.adapters.database import opened_pool, rows
from services.gateway.adapters.passwords import Passwords, temporary_password
from services.gateway.server import application, running_parts
from services.gateway.server.parts import Parts
from services.gateway.settings import GatewaySettings

CHECK_S = 3.0
CONNECTIONS_MAX = 5000  # besides live streams; more get 503 at once
SOCKET_MESSAGE_BYTES_MAX = 64 * 1024  # a view with every filter full

log = diagnostics.logger(__name__)


class Server(uvicorn.Server):
    """uvicorn that leaves signals to us."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Capture none."""
        yield


def run(role: str) -> None:
    """Run the gateway until a signal."""
    settings = load(GatewaySettings)
    diagnostics.configure(role, settings)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)  # we say ourselves where we listen and who asks what
    if not is_loopback(settings.gateway_host) and not settings.https:
        log.warning("passwords and positions cross the network unencrypted: set XIANGTONG_GATEWAY_CERTIFICATE")
    asyncio.run(serve(settings))


async def serve(settings: GatewaySettings) -> None:
    """Serve until SIGTERM or SIGINT, then let running requests end."""
    async with (
        opened_pool(postgres_url(settings)) as pool,
        channel(settings.api_address, settings) as api_channel,
        contextlib.aclosing(connect_async(redis_url(settings))) as redis,
        running_parts(settings=settings, pool=pool, redis=redis, api=Api(api_channel)) as parts,
    ):
        await add_first_admin(parts.accounts, parts.passwords)
        loop = asyncio.get_running_loop()

        def check(coroutine: Coroutine[Any, Any, object]) -> None:
            asyncio.run_coroutine_threadsafe(coroutine, loop).result(CHECK_S)

        health = serve_health(
            settings,
            alive={"event loop": lambda: check(asyncio.sleep(0)), "live stream": parts.hub.check_alive},
            ready={"postgres": lambda: check(rows(pool, "SELECT 1")), "api": _ready(parts)},
        )
        try:
            async with listening(application(parts), settings):
                await stop_requested()
        finally:
            health.close()


@asynccontextmanager
async def listening(app: ASGIApp, settings: GatewaySettings) -> AsyncIterator[int]:
    """The port that `app` is served on meanwhile. At the end browsers are told to come again, and requests may end."""
    server = Server(_uvicorn_config(app, settings))
    serving = asyncio.create_task(server.serve())
    try:
        while not server.started:
            if serving.done():
                raise SystemExit(f"cannot listen on {settings.gateway_host}:{settings.gateway_port}: see the log")
            await asyncio.sleep(0.01)
        port = int(server.servers[0].sockets[0].getsockname()[1])
        log.info(
            "gateway listens", host=settings.gateway_host, port=port, https=settings.gateway_certificate is not None
        )
        yield port
    finally:
        server.should_exit = True
        await serving


async def add_first_admin(accounts: Accounts, passwords: Passwords) -> None:
    """Where nobody can sign in yet, add an admin and print the password: the only time that anybody sees it."""
    if await accounts.list_after(0, 1):
        return
    password = temporary_password()
    if await accounts.add_first(await passwords.hashed(password)):
        sys.stdout.write(
            f"first start: sign in as {FIRST_NAME} with the password {password} and change it; it is not shown again\n"
        )
        sys.stdout.flush()


def _ready(parts: Parts) -> Check:
    def check() -> None:
        if not parts.hub.ready.is_set():
            parts.hub.check()

    return check


def _uvicorn_config(app: ASGIApp, settings: GatewaySettings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=settings.gateway_host,
        port=settings.gateway_port,
        http="httptools",
        ws="websockets-sansio",
        ws_max_size=SOCKET_MESSAGE_BYTES_MAX,
        ws_per_message_deflate=False,  # compressing for each browser costs more than positions gain
        limit_concurrency=CONNECTIONS_MAX + settings.gateway_browsers_max,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=settings.gateway_proxies is not None,
        forwarded_allow_ips=settings.gateway_proxies,
        timeout_graceful_shutdown=round(settings.drain_s),
        ssl_certfile=settings.gateway_certificate,
        ssl_keyfile=settings.gateway_private_key,
    )
