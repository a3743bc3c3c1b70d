"""The track method of TrackingService."""

# ruff: noqa: N802, ARG002 – the generated base class names the methods and their arguments

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from xiangtong.tracking.v1 import tracking_service_pb2 as pb

from common.errors import InvalidInput, Violation
from services.vehicle_tracking.adapters import register_rows as rows
from services.vehicle_tracking.adapters.changes import Pool
from services.vehicle_tracking.convert.positions import encode
from services.vehicle_tracking.convert.registry import instant_ms
from services.vehicle_tracking.domain.positions import Int32s, PositionBatch
from services.vehicle_tracking.server.pages import id_after, page_size, place, token

POSITIONS_DEFAULT, POSITIONS_MAX = 10_000, 100_000
DAYS_MAX = 31
DAY_MS = 24 * 3600 * 1000


class TrackReader(Protocol):
    """Where tracks are read from. Called away from the event loop."""

    def read_track(
        self, vehicle_id: int, *, start_ms: int, end_ms: int, count_max: int
    ) -> tuple[PositionBatch, Int32s]:
        """The first `count_max` positions by fix time with start_ms <= fix time < end_ms, each fix time once, and the
        quality flags of each."""


class TrackMethods:
    """Tracks over gRPC."""

    def __init__(self, pool: Pool, tracks: TrackReader) -> None:
        self._pool = pool
        self._tracks = tracks

    async def GetTrack(self, request: pb.GetTrackRequest, context: Any) -> pb.GetTrackResponse:
        size = page_size(request.page_size, default=POSITIONS_DEFAULT, most=POSITIONS_MAX)
        start_ms, end_ms = _range(request)
        start_ms = max(start_ms, place(request, id_after))
        return await asyncio.to_thread(self._page, request, start_ms, end_ms, size)

    def _page(self, request: pb.GetTrackRequest, start_ms: int, end_ms: int, size: int) -> pb.GetTrackResponse:
        rows.get_vehicle(self._pool, request.vehicle_id)
        positions, flags = self._tracks.read_track(
            request.vehicle_id, start_ms=start_ms, end_ms=end_ms, count_max=size + 1
        )
        response = pb.GetTrackResponse(quality_flags=flags[:size].tolist())
        if len(positions) > size:
            response.next_page_token = token(request, str(int(positions.fix_times_ms[size])))
            positions = positions.take(positions.fix_times_ms < positions.fix_times_ms[size])
        response.positions.MergeFromString(encode(positions))
        return response


def _range(request: pb.GetTrackRequest) -> tuple[int, int]:
    missing = [name for name in ("start_time", "end_time") if not request.HasField(name)]
    if missing:
        raise InvalidInput(*(Violation(name, "say which times") for name in missing))
    start_ms, end_ms = instant_ms(request.start_time), instant_ms(request.end_time)
    if not start_ms < end_ms <= start_ms + DAYS_MAX * DAY_MS:
        raise InvalidInput(Violation("end_time", f"must be after start_time, by at most {DAYS_MAX} days"))
    return start_ms, end_ms
