"""The api role on the loopback interface, on real PostgreSQL and Redis."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import numpy as np
import pytest
from google.rpc import error_details_pb2, status_pb2
from psycopg_pool import ConnectionPool
from xiangtong.tracking.v1 import alarms_pb2, registry_service_pb2
from xiangtong.tracking.v1.registry_service_pb2_grpc import RegistryServiceStub
from xiangtong.tracking.v1.tracking_service_pb2_grpc import TrackingServiceStub

from common.errors import NotFound, Stale
from common.infra.grpc import start
from common.infra.grpc_errors import DETAILS_KEY
from common.infra.migrations import migrate
from common.infra.redis import connect_async
from common.infra.settings import GrpcSettings
from services.vehicle_tracking.adapters.changes import Pool
from services.vehicle_tracking.convert.live import LIVE_CHANGE, LIVE_CHANNEL, live_key
from services.vehicle_tracking.convert.registry import instant_ms
from services.vehicle_tracking.domain.alarm_filters import AlarmFilter
from services.vehicle_tracking.domain.latest_rows import LIVE_RECORD
from services.vehicle_tracking.domain.positions import Int32s, PositionBatch, batch
from services.vehicle_tracking.server import api_services
from services.vehicle_tracking.server.alarm_feed import concerns

MIGRATIONS = Path(__file__).resolve().parents[3] / "services" / "vehicle_tracking" / "migrations"
PARTITION_COUNT = 2


class Alarms:
    """Alarms in a dictionary, with the promises of AlarmStore."""

    def __init__(self) -> None:
        self.by_id: dict[str, alarms_pb2.Alarm] = {}

    def list_alarms(self, wanted: AlarmFilter, *, before: tuple[int, str] | None, count: int) -> list[alarms_pb2.Alarm]:
        def place(alarm: alarms_pb2.Alarm) -> tuple[int, str]:
            return instant_ms(alarm.raise_time), alarm.alarm_id

        found = [a for a in self.by_id.values() if concerns(wanted, a) and wanted.state in (0, a.state)]
        found.sort(key=place, reverse=True)
        return [alarm for alarm in found if before is None or place(alarm) < before][:count]

    def acknowledge(self, alarm_id: str, *, caller: str, operator: str, remark: str, etag: str) -> alarms_pb2.Alarm:
        if alarm_id not in self.by_id:
            raise NotFound("alarm", alarm_id)
        alarm = self.by_id[alarm_id]
        if etag and etag != alarm.etag:
            raise Stale("alarm", alarm_id)
        alarm.state, alarm.acknowledged_by, alarm.remark = alarms_pb2.ALARM_STATE_ACKNOWLEDGED, operator, remark
        return alarm


class Tracks:
    """One fix a second from time 0 on."""

    def read_track(
        self, vehicle_id: int, *, start_ms: int, end_ms: int, count_max: int
    ) -> tuple[PositionBatch, Int32s]:
        times = np.arange(-(-start_ms // 1000) * 1000, end_ms, 1000)[:count_max]
        return batch(1, vehicle_ids=np.full(len(times), vehicle_id), fix_times_ms=times), np.zeros(len(times), np.int32)


class Api:
    """What a test needs of the running role."""

    def __init__(self, pool: Pool, redis: Any, channel: grpc.aio.Channel, address: str) -> None:
        self.pool = pool
        self.address = address
        self.redis = redis
        self.alarms = Alarms()
        self.registry: Any = RegistryServiceStub(channel)
        self.tracking: Any = TrackingServiceStub(channel)

    async def add_vehicle(self, plate: str, **values: Any) -> int:
        """The id of a new vehicle."""
        attributes: dict[str, Any] = {"plate": plate, "plate_colour": 2, "kind": 1, "region_code": "430100"} | values
        vehicle = registry_service_pb2.Vehicle(**attributes)
        response = await self.registry.CreateVehicle(registry_service_pb2.CreateVehicleRequest(vehicle=vehicle))
        return int(response.vehicle.vehicle_id)

    async def move(self, vehicle_id: int, fix_time_ms: int, lon_e7: int = 1129000000, lat_e7: int = 282000000) -> None:
        """Let the engine's Redis say that the vehicle is there."""
        record = np.zeros(1, LIVE_RECORD)
        record["fix_time_ms"], record["longitude_e7"], record["latitude_e7"] = fix_time_ms, lon_e7, lat_e7
        record["online"] = 1
        change = np.zeros(1, LIVE_CHANGE)
        change["vehicle_id"], change["record"] = vehicle_id, record
        key = live_key(vehicle_id % PARTITION_COUNT)
        await self.redis.hset(key, change["vehicle_id"].tobytes(), record.tobytes())
        await self.redis.publish(LIVE_CHANNEL, change.tobytes())


@contextmanager
def migrated_pool(url: str) -> Iterator[Pool]:
    """A pool on a database with every table."""
    migrate(url, MIGRATIONS)
    with ConnectionPool(url, min_size=1, max_size=8) as pool:
        yield pool


@asynccontextmanager
async def running_api(postgres_url: str, redis_url: str) -> AsyncIterator[Api]:
    """The role, served, and stubs that call it."""
    settings = GrpcSettings(grpc_message_bytes_max=64 * 1024 * 1024)
    redis = connect_async(redis_url)
    await redis.flushall()
    with migrated_pool(postgres_url) as pool:
        alarms = Alarms()
        async with api_services(
            pool=pool, redis=redis, partition_count=PARTITION_COUNT, alarms=alarms, tracks=Tracks()
        ) as services:
            server = await start(services, settings, host="127.0.0.1", port=0)
            address = f"127.0.0.1:{server.port}"
            options = [("grpc.max_receive_message_length", -1)]
            async with grpc.aio.insecure_channel(address, options=options) as channel:
                api = Api(pool, redis, channel, address)
                api.alarms = alarms
                yield api
            await server.drain(0)
    await redis.aclose()


async def refusal(call: Callable[[], Awaitable[Any]]) -> tuple[grpc.StatusCode, str, list[str]]:
    """The code, the reason and the fields at fault of a call that must fail."""
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await call()
    trailing: Any = failure.value.trailing_metadata()
    status = status_pb2.Status.FromString(next(value for key, value in trailing if key == DETAILS_KEY))
    info, bad_request = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    for detail in status.details:
        detail.Unpack(info)
        detail.Unpack(bad_request)
    return failure.value.code(), info.reason, [violation.field for violation in bad_request.field_violations]
