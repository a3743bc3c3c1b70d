"""TrackingService: vehicles with their latest state, watches, tracks, fences and alarms."""

# ruff: noqa: N802, ARG002 – the generated base class names the methods and their arguments

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from xiangtong.tracking.v1 import tracking_service_pb2 as pb
from xiangtong.tracking.v1.tracking_service_pb2_grpc import TrackingServiceServicer

from common.clock import Clock
from common.errors import InvalidInput, Violation
from services.vehicle_tracking.adapters import register_rows as rows
from services.vehicle_tracking.adapters.changes import Pool
from services.vehicle_tracking.adapters.live_table import LiveTable
from services.vehicle_tracking.convert.tracking import filter_from, tracked_message
from services.vehicle_tracking.domain.live_filters import Filter
from services.vehicle_tracking.domain.vehicles import Vehicle
from services.vehicle_tracking.server import watch_positions
from services.vehicle_tracking.server.alarm_feed import AlarmFeed
from services.vehicle_tracking.server.alarms import AlarmMethods, AlarmStore
from services.vehicle_tracking.server.fences import FenceMethods
from services.vehicle_tracking.server.pages import cut, id_after, page_size, place
from services.vehicle_tracking.server.tracks import TrackMethods, TrackReader

BATCH_MAX = 1000


class TrackingServer(FenceMethods, AlarmMethods, TrackMethods, TrackingServiceServicer):
    """Where vehicles are and were, over gRPC."""

    def __init__(
        self,
        *,
        pool: Pool,
        table: LiveTable,
        alarms: AlarmStore,
        feed: AlarmFeed,
        tracks: TrackReader,
        clock: Clock,
    ) -> None:
        FenceMethods.__init__(self, pool)
        AlarmMethods.__init__(self, alarms, feed)
        TrackMethods.__init__(self, pool, tracks)
        self._table = table
        self._clock = clock

    async def GetTrackedVehicle(
        self, request: pb.GetTrackedVehicleRequest, context: Any
    ) -> pb.GetTrackedVehicleResponse:
        found = await asyncio.to_thread(rows.get_vehicle, self._pool, request.vehicle_id)
        return pb.GetTrackedVehicleResponse(vehicle=self._tracked(found))

    async def ListTrackedVehicles(
        self, request: pb.ListTrackedVehiclesRequest, context: Any
    ) -> pb.ListTrackedVehiclesResponse:
        size, after = page_size(request.page_size), place(request, id_after)
        wanted = filter_from(request.filter)
        found = await asyncio.to_thread(
            rows.list_vehicles,
            self._pool,
            after_id=after,
            count=size + 1,
            plate_filter=request.plate_filter,
            region_codes=list(wanted.region_codes),
            enterprise_ids=list(wanted.enterprise_ids),
            kinds=list(wanted.kinds),
            vehicle_ids=self._boxed(wanted, after, size + 1) if wanted.box_e7 else None,
        )
        page, token = cut(found, size, request, lambda vehicle: vehicle.vehicle_id)
        return pb.ListTrackedVehiclesResponse(vehicles=map(self._tracked, page), next_page_token=token)

    async def BatchGetTrackedVehicles(
        self, request: pb.BatchGetTrackedVehiclesRequest, context: Any
    ) -> pb.BatchGetTrackedVehiclesResponse:
        wanted = list(dict.fromkeys(request.vehicle_ids))
        if len(wanted) > BATCH_MAX:
            raise InvalidInput(Violation("vehicle_ids", f"ask for at most {BATCH_MAX}"))
        found = await asyncio.to_thread(rows.list_vehicles, self._pool, after_id=0, count=BATCH_MAX, vehicle_ids=wanted)
        by_id = {vehicle.vehicle_id: vehicle for vehicle in found}
        return pb.BatchGetTrackedVehiclesResponse(
            vehicles=[self._tracked(by_id[key]) for key in wanted if key in by_id]
        )

    async def WatchPositions(
        self, request: pb.WatchPositionsRequest, context: Any
    ) -> AsyncIterator[pb.WatchPositionsResponse]:
        async for message in watch_positions.watch(request, self._table, self._clock):
            yield message

    def _tracked(self, vehicle: Vehicle) -> pb.TrackedVehicle:
        return tracked_message(vehicle, self._table.find(vehicle.vehicle_id))

    def _boxed(self, wanted: Filter, after: int, count: int) -> list[int]:
        """Ids inside the box after `after`. The register filters once more, so all of them are candidates."""
        ids = self._table.changed(0)
        ids = ids[ids > after]
        inside: list[int] = ids[self._table.matching(ids, wanted)][:count].tolist()
        return inside
