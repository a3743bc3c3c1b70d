"""A real server on the loopback interface: deadlines, limits, identity, health, drain."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc  # type: ignore[import-untyped]
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc  # type: ignore[import-untyped]
from xiangtong.tracking.v1 import tracking_service_pb2 as pb
from xiangtong.tracking.v1.tracking_service_pb2_grpc import TrackingServiceStub

from common.errors import NotFound
from common.infra import diagnostics, grpc_errors
from common.infra.callers import Caller, token_hash
from common.infra.grpc import channel, start
from common.infra.settings import GrpcSettings
from common.metrics import registry
from tests.common.infra.grpc_serving import (
    SERVICE_NAME,
    Tracking,
    answer,
    failed_call,
    plain_channel,
    refuse,
    serving,
    slow_answer,
)

pytestmark = pytest.mark.enable_socket
ROOT = Path(__file__).resolve().parents[3]
SERVER_PROGRAM = """
import asyncio
from common.infra import diagnostics
from common.infra.grpc import serve
from common.infra.settings import GrpcSettings
settings = GrpcSettings(drain_s=5)
diagnostics.configure("test", settings)
started = lambda running: print("port", running.port, flush=True)
asyncio.run(serve([], settings, host="127.0.0.1", port=0, started=started))
"""


async def test_a_call_without_a_deadline_gets_the_default_one() -> None:
    failure = await failed_call(lambda: asyncio.sleep(5), GrpcSettings(grpc_deadline_default_s=0.05))
    assert failure.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert grpc_errors.reason(failure) == "DEADLINE_EXCEEDED"


async def test_a_caller_cannot_ask_for_more_time_than_the_longest() -> None:
    servicer = Tracking(lambda: asyncio.sleep(5))
    async with (
        serving(servicer, GrpcSettings(grpc_deadline_max_s=0.05)) as running,
        plain_channel(running) as c,
    ):
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await TrackingServiceStub(c).GetFence(pb.GetFenceRequest(), timeout=60)
    assert failure.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_a_timeout_inside_a_handler_is_not_mistaken_for_the_callers_deadline() -> None:
    failure = await failed_call(refuse(TimeoutError()))
    assert failure.code() is grpc.StatusCode.INTERNAL


async def test_a_message_over_the_limit_is_refused() -> None:
    settings = GrpcSettings(grpc_message_bytes_max=65536)
    async with (
        serving(Tracking(answer), settings) as running,
        plain_channel(running) as c,
    ):
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await TrackingServiceStub(c).ImportFences(pb.ImportFencesRequest(content=b"x" * 70_000))
    assert failure.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_a_watch_has_no_deadline_and_its_end_is_felt_by_the_handler() -> None:
    servicer = Tracking(answer)
    settings = GrpcSettings(grpc_deadline_default_s=0.05, grpc_deadline_max_s=0.05)
    async with serving(servicer, settings) as running, plain_channel(running) as c:
        watch = TrackingServiceStub(c).WatchAlarms(pb.WatchAlarmsRequest())
        for _ in range(15):  # 10 ms apart
            assert await watch.read() == pb.WatchAlarmsResponse()
        watch.cancel()
        await asyncio.wait_for(servicer.watch_closed.wait(), 5)


async def test_the_callers_trace_goes_on_in_the_server() -> None:
    servicer = Tracking(answer)
    work = diagnostics.new_trace(request_id="order-1")
    async with serving(servicer) as running, plain_channel(running) as c:
        with diagnostics.traced(work):
            await TrackingServiceStub(c).GetFence(pb.GetFenceRequest())
    assert servicer.trace is not None
    assert (servicer.trace.trace_id, servicer.trace.request_id) == (work.trace_id, "order-1")
    assert servicer.trace.span_id != work.span_id


async def test_health_says_serving_until_the_drain_and_running_calls_end_in_peace() -> None:
    async with (
        serving(Tracking(slow_answer)) as running,
        plain_channel(running) as c,
    ):
        health = health_pb2_grpc.HealthStub(c)
        before = await health.Check(health_pb2.HealthCheckRequest(service=SERVICE_NAME))
        call = asyncio.ensure_future(TrackingServiceStub(c).GetFence(pb.GetFenceRequest()))
        watch = health.Watch(health_pb2.HealthCheckRequest(service=SERVICE_NAME))
        first = await watch.read()
        drain = asyncio.ensure_future(running.drain(2))
        second = await watch.read()
        assert [before.status, first.status, second.status] == [1, 1, 2]
        assert await call == answer()
        watch.cancel()
        await drain


async def test_a_server_that_cannot_tell_callers_apart_stays_on_loopback() -> None:
    with pytest.raises(SystemExit) as refusal:
        async with serving(Tracking(answer), host="0.0.0.0"):
            pass
    assert refusal.value.code == 2


async def test_a_token_names_the_caller_and_a_wrong_one_is_refused(tmp_path: Path) -> None:
    hashes = tmp_path / "tokens"
    hashes.write_text(f"# who may call\ngateway {token_hash('s3cret')}\n")
    servicer = Tracking(answer)
    async with serving(servicer, GrpcSettings(grpc_token_hashes=hashes), host="0.0.0.0") as running:
        address = f"127.0.0.1:{running.port}"
        async with channel(address, GrpcSettings(grpc_token="s3cret")) as c:
            await TrackingServiceStub(c).GetFence(pb.GetFenceRequest())
        assert servicer.caller == Caller("gateway", "token")
        for wrong in (GrpcSettings(grpc_token="guess"), GrpcSettings()):
            async with channel(address, wrong) as c:
                with pytest.raises(grpc.aio.AioRpcError) as failure:
                    await TrackingServiceStub(c).GetFence(pb.GetFenceRequest())
            assert grpc_errors.reason(failure.value) == "NOT_AUTHENTICATED"


async def test_health_needs_no_token(tmp_path: Path) -> None:
    hashes = tmp_path / "tokens"
    hashes.write_text(f"gateway {token_hash('s3cret')}\n")
    async with (
        serving(Tracking(answer), GrpcSettings(grpc_token_hashes=hashes), host="0.0.0.0") as running,
        plain_channel(running) as c,
    ):
        assert (await health_pb2_grpc.HealthStub(c).Check(health_pb2.HealthCheckRequest())).status == 1


async def test_more_calls_than_the_server_takes_are_told_to_come_again() -> None:
    servicer = Tracking(slow_answer)
    async with serving(servicer, GrpcSettings(grpc_calls_max=2)) as running, plain_channel(running) as c:
        calls = [TrackingServiceStub(c).GetFence(pb.GetFenceRequest()) for _ in range(6)]
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
    refused = [one.code().name for one in outcomes if isinstance(one, grpc.aio.AioRpcError)]
    assert 0 < len(refused) < 6
    assert set(refused) == {"RESOURCE_EXHAUSTED"}


async def test_reflection_lists_the_services() -> None:
    async with serving(Tracking(answer)) as running, plain_channel(running) as c:
        stub = reflection_pb2_grpc.ServerReflectionStub(c)
        calls = stub.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(list_services="")]))
        listed = (await calls.read()).list_services_response.service
        calls.cancel()
    assert SERVICE_NAME in [service.name for service in listed]


async def test_a_method_that_nobody_serves_is_unimplemented() -> None:
    async with serving(Tracking(answer)) as running, plain_channel(running) as c:
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await TrackingServiceStub(c).ListFences(pb.ListFencesRequest())
    assert failure.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_a_second_server_on_the_same_port_is_refused() -> None:
    async with serving(Tracking(answer)) as running:
        with pytest.raises(SystemExit):
            await start([], GrpcSettings(), host="127.0.0.1", port=running.port)


async def test_calls_to_a_name_of_several_servers_are_spread_over_them() -> None:
    first, second = Tracking(answer), Tracking(answer)
    async with (
        serving(first) as one,
        serving(second) as other,
        channel(f"ipv4:127.0.0.1:{one.port},127.0.0.1:{other.port}", GrpcSettings()) as c,
        asyncio.timeout(10),
    ):
        while first.caller is None or second.caller is None:
            await TrackingServiceStub(c).GetFence(pb.GetFenceRequest())


async def test_calls_are_measured_by_method_and_code() -> None:
    labels = {"method": f"/{SERVICE_NAME}/GetFence", "code": "NOT_FOUND"}
    before = registry.get_sample_value("xiangtong_grpc_request_seconds_count", labels) or 0
    await failed_call(refuse(NotFound("fence", 7)))
    assert registry.get_sample_value("xiangtong_grpc_request_seconds_count", labels) == before + 1


async def test_on_sigterm_a_process_lets_the_running_call_end_and_leaves() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVER_PROGRAM, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    port = int((await process.stdout.readline()).split()[-1])
    async with channel(f"127.0.0.1:{port}", GrpcSettings()) as c:
        watch = health_pb2_grpc.HealthStub(c).Watch(health_pb2.HealthCheckRequest())
        assert (await watch.read()).status == 1
        process.send_signal(signal.SIGTERM)
        assert (await watch.read()).status == 2
        watch.cancel()
    assert await asyncio.wait_for(process.wait(), 15) == 0
