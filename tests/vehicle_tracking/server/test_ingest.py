"""PositionIngestService over gRPC on the loopback interface."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio
import numpy as np
import pytest
from xiangtong.tracking.v1 import position_ingest_service_pb2 as pb
from xiangtong.tracking.v1 import positions_pb2
from xiangtong.tracking.v1.position_ingest_service_pb2_grpc import PositionIngestServiceStub

from common.clock import ManualClock
from common.errors import Unavailable
from common.infra.grpc import start
from common.infra.settings import GrpcSettings
from services.vehicle_tracking.convert.positions import encode
from services.vehicle_tracking.domain.positions import PositionBatch, batch
from services.vehicle_tracking.server.ingest import POSITIONS_MAX, IngestServer, ingest_service
from tests.vehicle_tracking.server.api_serving import refusal

pytestmark = pytest.mark.enable_socket


class Sink:
    """What became durable."""

    def __init__(self) -> None:
        self.taken: list[PositionBatch] = []
        self.away = False

    async def publish(self, positions: PositionBatch) -> None:
        if self.away:
            raise Unavailable("LOG_UNAVAILABLE", "away")
        self.taken.append(positions)


@pytest.fixture
def sink() -> Iterator[Sink]:
    yield Sink()


@asynccontextmanager
async def serving(sink: Sink) -> AsyncIterator[Any]:
    """A stub of the running service that knows vehicles 1 and 2."""
    known = np.array([False, True, True])
    service = ingest_service(IngestServer(sink.publish, lambda: known, ManualClock(5000)))
    server = await start([service], GrpcSettings(), host="127.0.0.1", port=0)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        yield PositionIngestServiceStub(channel)
    await server.drain(0)


def request(*vehicle_ids: int) -> pb.IngestPositionsRequest:
    positions = positions_pb2.PositionBatch()
    times = [1] * len(vehicle_ids)
    positions.MergeFromString(encode(batch(1, vehicle_ids=list(vehicle_ids), fix_times_ms=times)))
    return pb.IngestPositionsRequest(positions=positions)


async def test_good_positions_are_stored_and_the_others_are_named(sink: Sink) -> None:
    async with serving(sink) as stub:
        answer = await stub.IngestPositions(request(1, 9, 2))
    assert (answer.accepted_count, [r.position_index for r in answer.rejections]) == (2, [1])
    [stored] = sink.taken
    assert (stored.vehicle_ids.tolist(), stored.received_time_ms) == ([1, 2], 5000)


async def test_columns_of_unequal_length_are_refused_as_a_whole(sink: Sink) -> None:
    wrong = request(1, 2)
    wrong.positions.speeds_01kmh.append(5)
    async with serving(sink) as stub:
        code, reason, fields = await refusal(lambda: stub.IngestPositions(wrong))
    assert (code, reason, fields) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_INPUT", ["positions"])
    assert sink.taken == []


async def test_too_many_positions_are_refused(sink: Sink) -> None:
    async with serving(sink) as stub:
        code, _, fields = await refusal(lambda: stub.IngestPositions(request(*[1] * (POSITIONS_MAX + 1))))
    assert (code, fields) == (grpc.StatusCode.INVALID_ARGUMENT, ["positions.vehicle_ids"])


async def test_a_log_that_is_away_is_told_to_the_program(sink: Sink) -> None:
    sink.away = True
    async with serving(sink) as stub:
        code, reason, _ = await refusal(lambda: stub.IngestPositions(request(1)))
    assert (code, reason) == (grpc.StatusCode.UNAVAILABLE, "LOG_UNAVAILABLE")
