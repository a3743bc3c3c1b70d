"""gRPC of the api role: convert, call, convert back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

from redis.asyncio import Redis
from xiangtong.tracking.v1 import registry_service_pb2_grpc, tracking_service_pb2_grpc

from common.clock import Clock, SystemClock
from common.errors import Unavailable
from common.infra import diagnostics
from common.infra.grpc import Service
from services.vehicle_tracking.adapters.changes import Pool
from services.vehicle_tracking.adapters.live_table import LiveTable, Subscription, live_subscription
from services.vehicle_tracking.adapters.registry import load_vehicles
from services.vehicle_tracking.convert.live import ALARMS_CHANNEL
from services.vehicle_tracking.server.alarm_feed import AlarmFeed
from services.vehicle_tracking.server.alarms import AlarmStore
from services.vehicle_tracking.server.registry import RegistryServer
from services.vehicle_tracking.server.tracking import TrackingServer
from services.vehicle_tracking.server.tracks import TrackReader

REGISTER_POLL_S = 0.5
READY_WAIT_S = 60.0

log = diagnostics.logger(__name__)


@asynccontextmanager
async def api_services(
    *,
    pool: Pool,
    redis: Redis,
    partition_count: int,
    alarms: AlarmStore,
    tracks: TrackReader,
    clock: Clock | None = None,
) -> AsyncIterator[Sequence[Service]]:
    """The services of the api role, for common.infra.grpc.serve, while live state, register and alarms are followed."""
    table, feed = LiveTable(), AlarmFeed()
    live = live_subscription(redis, table, partition_count)
    news = Subscription(redis, ALARMS_CHANNEL, feed.resync, feed.take)
    sequence = await _register(pool, table, 0)
    tasks = [asyncio.create_task(run) for run in (live.run(), news.run(), _follow(pool, table, sequence))]
    try:
        async with asyncio.timeout(READY_WAIT_S):
            await asyncio.gather(live.ready.wait(), news.ready.wait())
        tracking = TrackingServer(
            pool=pool, table=table, alarms=alarms, feed=feed, tracks=tracks, clock=clock or SystemClock()
        )
        yield (
            Service(
                "xiangtong.tracking.v1.RegistryService",
                registry_service_pb2_grpc.add_RegistryServiceServicer_to_server,
                RegistryServer(pool),
            ),
            Service(
                "xiangtong.tracking.v1.TrackingService",
                tracking_service_pb2_grpc.add_TrackingServiceServicer_to_server,
                tracking,
            ),
        )
    finally:
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def _follow(pool: Pool, table: LiveTable, sequence: int) -> None:
    """Keep the table's register columns up to date."""
    while True:
        await asyncio.sleep(REGISTER_POLL_S)
        try:
            sequence = await _register(pool, table, sequence)
        except Unavailable as error:
            log.warning("register not read", error=str(error))


async def _register(pool: Pool, table: LiveTable, sequence: int) -> int:
    changes = await asyncio.to_thread(load_vehicles, pool, sequence)
    table.register(changes.rows)
    return changes.sequence
