"""The gateway on the loopback interface, before a real api role on real PostgreSQL and Redis."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from argon2 import PasswordHasher
from websockets.asyncio.client import ClientConnection, connect

from common.infra.grpc import channel
from common.infra.migrations import migrate
from common.infra.redis import connect_async
from services.gateway.__main__ import listening
from services.gateway.adapters.api import Api as GatewayApi
from services.gateway.adapters.database import opened_pool, rows
from services.gateway.adapters.passwords import Passwords
from services.gateway.server import application, running_parts
from services.gateway.server.parts import Parts
from services.gateway.settings import GatewaySettings
from tests.vehicle_tracking.server.api_serving import Api, running_api

MIGRATIONS = Path(__file__).resolve().parents[2] / "services" / "gateway" / "migrations"
PASSWORD = "correct-horse-battery"
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
VIEW = {"type": "view"}


class Gateway:
    """What a test needs of the running gateway."""

    def __init__(self, parts: Parts, api: Api, port: int, stack: AsyncExitStack) -> None:
        self.parts = parts
        self.api = api
        self.port = port
        self.origin = f"http://127.0.0.1:{port}"
        self._stack = stack

    async def browser(self, **headers: str) -> httpx.AsyncClient:
        """A browser on our own page that nobody has signed in with."""
        client = httpx.AsyncClient(base_url=self.origin, headers={"Origin": self.origin} | headers)
        return await self._stack.enter_async_context(client)

    async def add_account(self, name: str, role: str) -> int:
        """The id of a new account with PASSWORD."""
        password_hash = await self.parts.passwords.hashed(PASSWORD)
        account = await self.parts.accounts.add(name=name, password_hash=password_hash, role=role, language="zh")
        return account.account_id

    async def signed_in(self, role: str) -> httpx.AsyncClient:
        """A browser of a new person with that role."""
        if await self.parts.accounts.find(f"{role}-1") is None:
            await self.add_account(f"{role}-1", role)
        client = await self.browser()
        response = await client.post("/api/sign-in", json={"name": f"{role}-1", "password": PASSWORD})
        assert response.status_code == 200, response.text
        return client

    @asynccontextmanager
    async def socket(self, client: httpx.AsyncClient, **headers: str) -> AsyncIterator[ClientConnection]:
        """A live stream of this browser."""
        cookie = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
        sent = {"Origin": self.origin, "Cookie": cookie} | headers
        url = f"ws://127.0.0.1:{self.port}/api/live"
        async with connect(url, additional_headers=sent, compression=None, max_size=None, proxy=None) as socket:
            yield socket


@asynccontextmanager
async def running_gateway(
    postgres_url: str, redis_url: str, *, clock: Any = None, **settings: Any
) -> AsyncIterator[Gateway]:
    """The gateway and its api, with no vehicles, fences and accounts."""
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(running_api(postgres_url, redis_url))
        with api.pool.connection() as connection:
            connection.execute("TRUNCATE vehicles, terminals, enterprises, fences, request_ids, audit_log")
        migrate(postgres_url, MIGRATIONS)
        given: dict[str, Any] = {"gateway_port": 0, "gateway_live_interval_ms": 200, "drain_s": 1} | settings
        given.setdefault("gateway_api", api.address)
        chosen = GatewaySettings(**given)
        pool = await stack.enter_async_context(opened_pool(postgres_url))
        await rows(pool, "TRUNCATE accounts, sessions, person_audit_log")
        redis = connect_async(redis_url)
        stack.push_async_callback(redis.aclose)
        gateway_api = GatewayApi(await stack.enter_async_context(channel(chosen.api_address, chosen)))
        parts = await stack.enter_async_context(
            running_parts(
                settings=chosen, pool=pool, redis=redis, api=gateway_api, clock=clock, passwords=Passwords(CHEAP)
            )
        )
        port = await stack.enter_async_context(listening(application(parts), chosen))
        yield Gateway(parts, api, port, stack)


def said(message: dict[str, Any]) -> str:
    """A text frame of a browser."""
    return json.dumps(message)


def reason(response: httpx.Response) -> tuple[int, str]:
    """The status and the reason of a refusal, which has the shape of every refusal."""
    body = response.json()
    assert set(body) - {"retry_after_ms"} == {"reason", "message", "fields"}
    return response.status_code, body["reason"]
