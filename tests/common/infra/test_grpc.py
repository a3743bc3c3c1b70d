"""A real server on the loopback interface: errors, deadlines, identity, health, drain, TLS."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
import structlog
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc  # type: ignore[import-untyped]
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc  # type: ignore[import-untyped]
from xiangtong.tracking.v1 import tracking_service_pb2 as pb
from xiangtong.tracking.v1.tracking_service_pb2_grpc import TrackingServiceStub

from common.errors import (
    AlreadyExists,
    InvalidInput,
    NotAllowedNow,
    NotAuthenticated,
    NotFound,
    NotPermitted,
    Stale,
    TooMuch,
    Unavailable,
    Violation,
)
from common.infra import diagnostics, grpc_errors
from common.infra.callers import Caller, caller, token_hash
from common.infra.grpc import RunningServer, Service, channel, start
from common.infra.settings import GrpcSettings
from common.metrics import registry
from tests.common.infra.certificates import Authority

pytestmark = pytest.mark.enable_socket
ROOT = Path(__file__).resolve().parents[3]
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


def details(error: grpc.aio.AioRpcError) -> list[Any]:
    trailing: Any = error.trailing_metadata()
    found = status_pb2.Status.FromString(dict(trailing)[grpc_errors.DETAILS_KEY])
    kinds = [
        getattr(error_details_pb2, name)
        for name in ("ErrorInfo", "BadRequest", "ResourceInfo", "PreconditionFailure", "RetryInfo")
    ]
    unpacked = []
    for detail in found.details:
        for kind in kinds:
            message = kind()
            if detail.Unpack(message):
                unpacked.append(message)
    return unpacked


@pytest.mark.parametrize(
    ("error", "code", "reason", "detail"),
    [
        (InvalidInput(Violation("name", "is empty")), "INVALID_ARGUMENT", "INVALID_INPUT", "BadRequest"),
        (NotFound("fence", 7), "NOT_FOUND", "FENCE_NOT_FOUND", "ResourceInfo"),
        (AlreadyExists("PLATE_TAKEN", "plate"), "ALREADY_EXISTS", "PLATE_TAKEN", None),
        (Stale("fence", 7), "ABORTED", "STALE_ETAG", None),
        (NotAllowedNow("ALARM_CLOSED", "closed"), "FAILED_PRECONDITION", "ALARM_CLOSED", "PreconditionFailure"),
        (NotPermitted("NOT_OPERATOR", "no"), "PERMISSION_DENIED", "NOT_OPERATOR", None),
        (NotAuthenticated(), "UNAUTHENTICATED", "NOT_AUTHENTICATED", None),
        (TooMuch("TOO_MANY", "no", retry_after_ms=1500), "RESOURCE_EXHAUSTED", "TOO_MANY", "RetryInfo"),
        (Unavailable("LOG_DOWN", "no"), "UNAVAILABLE", "LOG_DOWN", "RetryInfo"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
async def test_a_domain_error_arrives_with_its_code_and_details(
    error: Exception, code: str, reason: str, detail: str | None
) -> None:
    failure = await failed_call(refuse(error))
    info, *others = details(failure)
    assert (failure.code().name, info.reason, info.domain) == (code, reason, "xiangtong")
    assert grpc_errors.reason(failure) == reason
    assert [type(other).__name__ for other in others] == ([detail] if detail else [])


async def test_details_name_the_field_the_thing_and_the_delay() -> None:
    _, bad_request = details(await failed_call(refuse(InvalidInput(Violation("circle.radius_m", "at least 1")))))
    assert [(v.field, v.description) for v in bad_request.field_violations] == [("circle.radius_m", "at least 1")]
    _, resource = details(await failed_call(refuse(NotFound("fence", 7))))
    assert (resource.resource_type, resource.resource_name) == ("fence", "7")
    _, retry = details(await failed_call(refuse(TooMuch("TOO_MANY", "no", retry_after_ms=1500))))
    assert retry.retry_delay.ToMilliseconds() == 1500


async def test_a_thousand_violations_still_arrive_as_one_error() -> None:
    violations = [Violation(f"vehicles[{row}].plate" * 10, "长" * 400) for row in range(1000)]
    failure = await failed_call(refuse(InvalidInput(*violations)))
    assert failure.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert 1 <= len(details(failure)[1].field_violations) < 1000


async def test_an_unforeseen_error_tells_the_caller_a_log_id_and_nothing_else() -> None:
    with structlog.testing.capture_logs() as lines:
        failure = await failed_call(refuse(KeyError("secret of the inside")))
    (info,) = details(failure)
    assert failure.code() is grpc.StatusCode.INTERNAL
    assert "secret" not in str(failure.details())
    assert info.metadata["log_id"] in str(failure.details())
    assert info.metadata["log_id"] in [line.get("log_id") for line in lines]


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


async def test_an_error_in_the_middle_of_a_watch_has_details_too() -> None:
    servicer = Tracking(refuse(TooMuch("WATCHER_TOO_SLOW", "read faster")))
    async with serving(servicer) as running, plain_channel(running) as c:
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            async for _ in TrackingServiceStub(c).WatchAlarms(pb.WatchAlarmsRequest()):
                pass
    assert grpc_errors.reason(failure.value) == "WATCHER_TOO_SLOW"


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


async def slow_answer() -> pb.GetFenceResponse:
    await asyncio.sleep(0.1)
    return answer()


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


async def test_over_tls_a_token_is_enough(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.issue("localhost")
    hashes = tmp_path / "tokens"
    hashes.write_text(f"gateway {token_hash('s3cret')}\n")
    server = GrpcSettings(grpc_certificate=certificate, grpc_private_key=key, grpc_token_hashes=hashes)
    client = GrpcSettings(grpc_server_authority=authority.certificate_path, grpc_token="s3cret")
    servicer = Tracking(answer)
    async with serving(servicer, server, host="0.0.0.0") as running, channel(f"localhost:{running.port}", client) as c:
        await TrackingServiceStub(c).GetFence(pb.GetFenceRequest())
    assert servicer.caller == Caller("gateway", "token")


async def test_a_client_certificate_names_the_caller_and_none_is_refused(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.issue("localhost")
    own_certificate, own_key = authority.issue("toll-system-7")
    server = GrpcSettings(
        grpc_certificate=certificate, grpc_private_key=key, grpc_client_authority=authority.certificate_path
    )
    known = GrpcSettings(
        grpc_server_authority=authority.certificate_path, grpc_certificate=own_certificate, grpc_private_key=own_key
    )
    servicer = Tracking(answer)
    async with serving(servicer, server, host="0.0.0.0") as running:
        async with channel(f"localhost:{running.port}", known) as c:
            await TrackingServiceStub(c).GetFence(pb.GetFenceRequest())
        assert servicer.caller == Caller("toll-system-7", "certificate")
        unknown = GrpcSettings(grpc_server_authority=authority.certificate_path)
        async with channel(f"localhost:{running.port}", unknown) as c:
            with pytest.raises(grpc.aio.AioRpcError) as failure:
                await TrackingServiceStub(c).GetFence(pb.GetFenceRequest(), timeout=5)
    assert failure.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_a_renewed_certificate_is_shown_without_a_restart(tmp_path: Path) -> None:
    old, new = Authority(make(tmp_path / "old")), Authority(make(tmp_path / "new"))
    certificate, key = old.issue("localhost")
    hashes = tmp_path / "tokens"
    hashes.write_text(f"gateway {token_hash('s3cret')}\n")
    server = GrpcSettings(grpc_certificate=certificate, grpc_private_key=key, grpc_token_hashes=hashes)
    async with serving(Tracking(answer), server, host="0.0.0.0") as running:
        for authority in (old, new):
            client = GrpcSettings(grpc_server_authority=authority.certificate_path, grpc_token="s3cret")
            async with channel(f"localhost:{running.port}", client) as c:
                assert await TrackingServiceStub(c).GetFence(pb.GetFenceRequest(), timeout=5) == answer()
            renewed_certificate, renewed_key = new.issue("localhost")
            certificate.write_bytes(renewed_certificate.read_bytes())
            key.write_bytes(renewed_key.read_bytes())


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
        with pytest.raises(RuntimeError, match="Failed to bind"):
            await start([], GrpcSettings(), host="127.0.0.1", port=running.port)


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


def make(folder: Path) -> Path:
    folder.mkdir()
    return folder
