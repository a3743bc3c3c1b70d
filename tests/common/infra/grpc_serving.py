"""A server on the loopback interface that behaves as a test wants."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio
import pytest
from xiangtong.tracking.v1 import tracking_service_pb2 as pb
from xiangtong.tracking.v1.tracking_service_pb2_grpc import TrackingServiceStub

from common.infra import diagnostics
from common.infra.callers import Caller, caller
from common.infra.grpc import RunningServer, Service, channel, start
from common.infra.settings import GrpcSettings

SERVICE_NAME = "xiangtong.tracking.v1.TrackingService"


class Tracking:
    """Answers as `behave` says; remembers who called and under which trace."""

    def __init__(self, behave: Callable[[], Any]) -> None:
        self._behave = behave
        self.caller: Caller | None = None
        self.trace: diagnostics.Trace | None = None
        self.watch_closed = asyncio.Event()

    async def get_fence(self, request: Any, context: Any) -> Any:
        self.caller, self.trace = caller(), diagnostics.trace()
        result = self._behave()
        return await result if asyncio.iscoroutine(result) else result

    async def watch_alarms(self, request: Any, context: Any) -> AsyncIterator[Any]:
        try:
            while True:
                yield pb.WatchAlarmsResponse()
                self._behave()
                await asyncio.sleep(0.01)
        finally:
            self.watch_closed.set()


def add_tracking(servicer: Tracking, server: grpc.aio.Server) -> None:
    handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
        "GetFence": grpc.unary_unary_rpc_method_handler(
            servicer.get_fence,
            request_deserializer=pb.GetFenceRequest.FromString,
            response_serializer=pb.GetFenceResponse.SerializeToString,
        ),
        "ImportFences": grpc.unary_unary_rpc_method_handler(
            servicer.get_fence, request_deserializer=pb.ImportFencesRequest.FromString
        ),
        "WatchAlarms": grpc.unary_stream_rpc_method_handler(
            servicer.watch_alarms,
            request_deserializer=pb.WatchAlarmsRequest.FromString,
            response_serializer=pb.WatchAlarmsResponse.SerializeToString,
        ),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE_NAME, handlers),))


def refuse(error: BaseException) -> Callable[[], Any]:
    def raising() -> Any:
        raise error

    return raising


def answer() -> pb.GetFenceResponse:
    return pb.GetFenceResponse()


async def slow_answer() -> pb.GetFenceResponse:
    await asyncio.sleep(0.1)
    return answer()


@asynccontextmanager
async def serving(
    servicer: Tracking, settings: GrpcSettings | None = None, *, host: str = "127.0.0.1"
) -> AsyncIterator[RunningServer]:
    service = Service(SERVICE_NAME, add_tracking, servicer)
    running = await start([service], settings or GrpcSettings(), host=host, port=0)
    try:
        yield running
    finally:
        await running.drain(0)


def plain_channel(running: RunningServer) -> grpc.aio.Channel:
    return channel(f"127.0.0.1:{running.port}", GrpcSettings())


async def failed_call(behave: Callable[[], Any], settings: GrpcSettings | None = None) -> grpc.aio.AioRpcError:
    async with (
        serving(Tracking(behave), settings) as running,
        plain_channel(running) as c,
    ):
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await TrackingServiceStub(c).GetFence(pb.GetFenceRequest())
    return failure.value
