"""The api role over gRPC."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import grpc.aio
from xiangtong.tracking.v1 import tracking_service_pb2 as pb
from xiangtong.tracking.v1.registry_service_pb2_grpc import RegistryServiceStub
from xiangtong.tracking.v1.tracking_service_pb2_grpc import TrackingServiceStub

CALL_S = 10.0
FILE_CALL_S = 100.0  # fence files and long tracks
BATCH_MAX = 1000  # vehicles that one BatchGet answers
BATCHES_AT_ONCE = 4


class Api:
    """Its two services. `tracking`, `registry`: stubs for watches; single calls go through `call`."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.channel = channel
        self.tracking: Any = TrackingServiceStub(channel)
        self.registry: Any = RegistryServiceStub(channel)

    async def call(self, method: str, request: Any, timeout_s: float = CALL_S) -> Any:
        """The answer of a method of either service. Raises AioRpcError."""
        stub = self.tracking if hasattr(self.tracking, method) else self.registry
        return await getattr(stub, method)(request, timeout=timeout_s)

    async def tracked(self, vehicle_ids: Sequence[int]) -> list[pb.TrackedVehicle]:
        """Those of the vehicles that are registered, in no order."""
        gate = asyncio.Semaphore(BATCHES_AT_ONCE)

        async def part(ids: Sequence[int]) -> list[pb.TrackedVehicle]:
            async with gate:
                response = await self.call(
                    "BatchGetTrackedVehicles", pb.BatchGetTrackedVehiclesRequest(vehicle_ids=ids)
                )
                return list(response.vehicles)

        starts = range(0, len(vehicle_ids), BATCH_MAX)
        parts = await asyncio.gather(*(part(vehicle_ids[start : start + BATCH_MAX]) for start in starts))
        return [vehicle for found in parts for vehicle in found]
