"""The role as a process: the first admin's password, probes, and the end."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from common.infra.migrations import migrate
from tests.real_servers import free_port
from tests.vehicle_tracking.server.api_serving import running_api

pytestmark = [pytest.mark.enable_socket, pytest.mark.services("postgres", "redis")]

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = re.compile(r"sign in as admin with the password (\S+) and change it")


@asynccontextmanager
async def running_role(environment: dict[str, str]) -> AsyncIterator[Process]:
    """`python -m services gateway`, ended at the latest at the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services", "gateway",
        cwd=ROOT, env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'gen'}", **environment}, stdout=PIPE, stderr=PIPE,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def ready(port: int) -> None:
    """Return once /readyz says so."""
    async with asyncio.timeout(30), httpx.AsyncClient() as client:
        while True:
            try:
                if (await client.get(f"http://127.0.0.1:{port}/readyz")).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.1)


@pytest.mark.slow
async def test_the_role_tells_one_password_serves_and_ends_in_good_order(postgres_url: str, redis_url: str) -> None:
    http_port, metrics_port = free_port(), free_port()
    migrate(postgres_url, ROOT / "services" / "gateway" / "migrations")
    async with running_api(postgres_url, redis_url) as api:
        environment = {
            "XIANGTONG_POSTGRES": postgres_url,
            "XIANGTONG_REDIS": redis_url,
            "XIANGTONG_GATEWAY_API": api.address,
            "XIANGTONG_GATEWAY_PORT": str(http_port),
            "XIANGTONG_METRICS_PORT": str(metrics_port),
            "XIANGTONG_DRAIN_S": "2",
        }
        origin = f"http://127.0.0.1:{http_port}"
        async with running_role(environment) as role:
            await ready(metrics_port)
            assert role.stdout is not None
            found = PASSWORD.search((await role.stdout.readline()).decode())
            assert found is not None
            async with httpx.AsyncClient(base_url=origin, headers={"Origin": origin}) as client:
                body = {"name": "admin", "password": found.group(1)}
                assert (await client.post("/api/sign-in", json=body)).json()["password_temporary"] is True
                sent = {"Origin": origin, "Cookie": f"xiangtong_session={client.cookies['xiangtong_session']}"}
                async with connect(
                    f"ws://127.0.0.1:{http_port}/api/live", additional_headers=sent, proxy=None
                ) as socket:
                    await socket.send('{"type":"view"}')
                    await socket.recv()
                    role.send_signal(signal.SIGTERM)
                    with pytest.raises(ConnectionClosed) as end:
                        while True:
                            await socket.recv()
                    assert end.value.rcvd is not None and end.value.rcvd.code == 1012
            rest, log = await role.communicate()
            assert role.returncode == 0, log.decode()
            assert rest == b"" and found.group(1).encode() not in log
        async with running_role(environment) as again:
            await ready(metrics_port)
            again.send_signal(signal.SIGTERM)
            assert (await again.communicate())[0] == b""
