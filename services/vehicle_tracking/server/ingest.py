"""PositionIngestService: positions of programs, in batches."""

# ruff: noqa: N802, ARG002 – the generated code names the method and its arguments

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import numpy as np
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from xiangtong.tracking.v1 import position_ingest_service_pb2 as pb

from common.clock import Clock
from common.errors import InvalidInput, Violation
from common.infra.grpc import Service
from common.metrics import count_rejections
from services.vehicle_tracking.convert.ingest import ingest_response, ingested
from services.vehicle_tracking.domain.ingest_checks import REASONS, refusals
from services.vehicle_tracking.domain.positions import PositionBatch

POSITIONS_MAX = 20_000
NAME = "xiangtong.tracking.v1.PositionIngestService"


class IngestServer:
    """Takes batches; answers after they are durable. `known`: whether there is a vehicle of each id."""

    def __init__(
        self,
        publish: Callable[[PositionBatch], Awaitable[None]],
        known: Callable[[], NDArray[np.bool_]],
        clock: Clock,
    ) -> None:
        self._publish = publish
        self._known = known
        self._clock = clock

    async def IngestPositions(self, request: bytes, context: Any) -> pb.IngestPositionsResponse:
        try:
            positions = ingested(request, self._clock.now_ms())
        except (ValueError, DecodeError) as error:
            raise InvalidInput(Violation("positions", str(error))) from error
        if len(positions) > POSITIONS_MAX:
            raise InvalidInput(Violation("positions.vehicle_ids", f"send at most {POSITIONS_MAX} positions at once"))
        refused = refusals(positions, self._known())
        if refused.any():
            counts = np.bincount(refused, minlength=len(REASONS))
            count_rejections("program", {REASONS[n]: int(counts[n]) for n in range(1, len(REASONS)) if counts[n]})
            await self._publish(positions.take(refused == 0))
        else:
            await self._publish(positions)
        return ingest_response(refused)


def ingest_service(servicer: IngestServer) -> Service:
    """The service for common.infra.grpc. Requests stay bytes: a message object of 20,000 positions would cost more
    than all else that is done with them."""

    def add(servicer: Any, server: Any) -> None:
        method: Any = grpc.unary_unary_rpc_method_handler(
            servicer.IngestPositions, response_serializer=pb.IngestPositionsResponse.SerializeToString
        )
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(NAME, {"IngestPositions": method}),))

    return Service(NAME, add, servicer)
