"""The hub before a real api role: it goes on where it was after the api was away, and learns what it missed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import numpy as np
import pytest
from xiangtong.tracking.v1.registry_service_pb2 import DeleteVehicleRequest

from common.errors import Unavailable
from common.infra.grpc import channel
from services.gateway.adapters import api as api_module
from services.gateway.adapters.api import Api
from services.gateway.adapters.live_hub import LiveHub, following
from services.gateway.settings import GatewaySettings
from tests.vehicle_tracking.server.api_serving import Api as RunningApi
from tests.vehicle_tracking.server.api_serving import running_api

pytestmark = [pytest.mark.enable_socket, pytest.mark.services("postgres", "redis")]

NOW_MS = 1_764_000_000_000


@asynccontextmanager
async def hub_before(address: str) -> AsyncIterator[LiveHub]:
    async with (
        channel(address, GatewaySettings()) as calls,
        following(LiveHub(Api(calls), interval_ms=200)) as hub,
    ):
        yield hub


async def until(true: Callable[[], object], within_s: float = 8) -> None:
    async with asyncio.timeout(within_s):
        while not true():  # noqa: ASYNC110 – what is waited for has no event
            await asyncio.sleep(0.02)


async def moved(api: RunningApi, plate: str) -> int:
    key = await api.add_vehicle(plate)
    await api.move(key, NOW_MS)
    return key


async def test_the_hub_is_ready_once_both_watches_have_told_what_is(postgres_url: str, redis_url: str) -> None:
    async with running_api(postgres_url, redis_url) as api:
        key = await moved(api, "湘A80001")
        async with hub_before(api.address) as hub:
            await until(hub.ready.is_set)
            hub.check()
            hub.check_alive()
            await until(lambda: key in hub.table.present())
            assert hub.table.plate(key) == "湘A80001"


async def test_without_an_api_the_hub_says_so_and_stays_alive(free_port: int) -> None:
    async with hub_before(f"127.0.0.1:{free_port}") as hub:
        await asyncio.sleep(0.3)
        with pytest.raises(Unavailable, match="the api is away"):
            hub.check()
        hub.check_alive()


async def test_a_loop_that_ends_by_a_fault_of_ours_is_told(free_port: int) -> None:
    async with hub_before(f"127.0.0.1:{free_port}") as hub:
        hub.tasks[0].cancel()
        await asyncio.sleep(0)
        with pytest.raises(Unavailable, match="follow_positions has ended"):
            await asyncio.sleep(0.05)
            hub.check_alive()


async def test_what_a_new_snapshot_does_not_tell_is_gone(postgres_url: str, redis_url: str) -> None:
    async with running_api(postgres_url, redis_url) as api:
        kept, gone = await moved(api, "湘A80002"), await moved(api, "湘A80003")
        async with hub_before(api.address) as hub:
            await until(lambda: {kept, gone} <= set(hub.table.present().tolist()))
            ghost = np.array([777], np.int64)
            records = hub.table.records(np.array([kept], np.int64))
            hub.table.take(ghost, records)  # as if it had been removed while the api was away
            await api.registry.DeleteVehicle(DeleteVehicleRequest(vehicle_id=gone))
            await until(lambda: gone not in hub.table.present())
            call = hub._watch_positions("")
            while not (message := await call.read()).resume_token:
                await hub._take_positions(message)
            await hub._take_positions(message)
            call.cancel()
            assert set(hub.table.present().tolist()) == {kept}


async def test_more_vehicles_than_one_call_answers_are_asked_for_in_parts(
    postgres_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_module, "BATCH_MAX", 2)
    async with running_api(postgres_url, redis_url) as api, channel(api.address, GatewaySettings()) as calls:
        keys = [await api.add_vehicle(f"湘A8001{number}") for number in range(5)]
        found = await Api(calls).tracked([*keys, 999_999])
        assert sorted(tracked.vehicle.vehicle_id for tracked in found) == keys
