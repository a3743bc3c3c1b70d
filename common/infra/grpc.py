"""gRPC servers and channels: health, reflection, identity, deadlines, limits, TLS, and a drain on SIGTERM."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc  # type: ignore[import-untyped]
from grpc_reflection.v1alpha import reflection  # type: ignore[import-untyped]

from common.infra import diagnostics
from common.infra.callers import LOOPBACK_CALLER, Callers, is_loopback, read_token_hashes
from common.infra.grpc_interceptor import CallInterceptor
from common.infra.grpc_tls import channel_credentials, server_credentials
from common.infra.settings import BAD_SETTINGS_EXIT_CODE, GrpcSettings

KEEPALIVE_MS = 30_000  # how soon a watcher behind a dead link is found
KEEPALIVE_ANSWER_MS = 10_000
METADATA_BYTES_MAX = 16 * 1024
CONNECTION_AGE_MS_MAX = 300_000  # callers then connect again and find servers that were added; open watches live on
SPREAD_CALLS = '{"loadBalancingConfig": [{"round_robin": {}}]}'  # a name that stands for several servers uses them all

log = diagnostics.logger(__name__)

_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@dataclass(frozen=True, slots=True)
class Service:
    """One service to serve. `name`: full name; `add`: the generated `add_…Servicer_to_server`."""

    name: str
    add: Callable[[Any, Any], None]
    servicer: object


class RunningServer:
    """A server that listens on `port`."""

    def __init__(self, server: grpc.aio.Server, health_servicer: Any, names: Sequence[str], port: int) -> None:
        self.port = port
        self._server = server
        self._health = health_servicer
        self._names = names

    async def set_ready(self, ready: bool) -> None:
        """Say through the health service whether calls are welcome."""
        for name in ("", *self._names):
            await self._health.set(name, _SERVING if ready else _NOT_SERVING)

    async def drain(self, grace_s: float) -> None:
        """Say NOT_SERVING, take no new calls, let running ones end within `grace_s`, then stop."""
        await self._health.enter_graceful_shutdown()
        await self._server.stop(grace_s)


async def start(services: Sequence[Service], settings: GrpcSettings, *, host: str, port: int) -> RunningServer:
    """A server of `services` on `host`:`port` (0: any free one), ready. Exits when nobody could be identified."""
    server = grpc.aio.server(
        interceptors=[_interceptor(settings, host)],
        options=_server_options(settings),
        maximum_concurrent_rpcs=settings.grpc_calls_max,
    )
    health_servicer = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(health_servicer, server)
    for service in services:
        service.add(service.servicer, server)
    names = [service.name for service in services]
    reflection.enable_server_reflection((*names, health_pb2.DESCRIPTOR.services_by_name["Health"].full_name), server)
    running = RunningServer(server, health_servicer, names, _bind(server, settings, host, port))
    await running.set_ready(True)
    await server.start()
    log.info(
        "grpc server listens", host=host, port=running.port, services=names, tls=settings.grpc_certificate is not None
    )
    return running


async def serve(
    services: Sequence[Service],
    settings: GrpcSettings,
    *,
    host: str,
    port: int,
    started: Callable[[RunningServer], None] = lambda _: None,
) -> None:
    """Serve until SIGTERM or SIGINT, then drain."""
    running = await start(services, settings, host=host, port=port)
    started(running)
    await stop_requested()
    await running.drain(settings.drain_s)


async def stop_requested() -> None:
    """Return once SIGTERM or SIGINT comes."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()


def channel(address: str, settings: GrpcSettings) -> grpc.aio.Channel:
    """A channel to `address` that sends this role's token or certificate, and the trace of the work at hand."""
    options = [
        ("grpc.max_send_message_length", settings.grpc_message_bytes_max),
        ("grpc.max_receive_message_length", settings.grpc_message_bytes_max),
        ("grpc.keepalive_time_ms", KEEPALIVE_MS),
        ("grpc.keepalive_timeout_ms", KEEPALIVE_ANSWER_MS),
        ("grpc.service_config", SPREAD_CALLS),
    ]
    interceptors = [_SingleCallSender(settings.grpc_token), _WatchSender(settings.grpc_token)]
    credentials = channel_credentials(settings)
    if credentials is None:
        return grpc.aio.insecure_channel(address, options=options, interceptors=interceptors)
    return grpc.aio.secure_channel(address, credentials, options=options, interceptors=interceptors)


class _SingleCallSender(grpc.aio.UnaryUnaryClientInterceptor):
    def __init__(self, token: str | None) -> None:
        self._token = token

    async def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return await continuation(_with_identity(client_call_details, self._token), request)


class _WatchSender(grpc.aio.UnaryStreamClientInterceptor):
    def __init__(self, token: str | None) -> None:
        self._token = token

    async def intercept_unary_stream(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return await continuation(_with_identity(client_call_details, self._token), request)


def _with_identity(details: Any, token: str | None) -> Any:
    metadata = grpc.aio.Metadata(*(details.metadata or ()))
    if token is not None:
        metadata.add("authorization", f"Bearer {token}")
    work = diagnostics.trace()
    if work is not None:
        metadata.add("traceparent", work.traceparent())
        metadata.add("x-request-id", work.request_id)
    return details._replace(metadata=metadata)


def _interceptor(settings: GrpcSettings, host: str) -> CallInterceptor:
    names_by_hash = read_token_hashes(settings.grpc_token_hashes) if settings.grpc_token_hashes else {}
    identified = bool(names_by_hash) or settings.grpc_client_authority is not None
    if not is_loopback(host) and not identified:
        log.critical(
            f"refusing to listen on {host}: callers could not be identified; "
            "set XIANGTONG_GRPC_TOKEN_HASHES or XIANGTONG_GRPC_CLIENT_AUTHORITY, or listen on 127.0.0.1"
        )
        raise SystemExit(BAD_SETTINGS_EXIT_CODE)
    return CallInterceptor(
        Callers(names_by_hash, anonymous=LOOPBACK_CALLER if is_loopback(host) else None),
        deadline_default_s=settings.grpc_deadline_default_s,
        deadline_max_s=settings.grpc_deadline_max_s,
    )


def _server_options(settings: GrpcSettings) -> list[tuple[str, int]]:
    return [
        ("grpc.max_send_message_length", settings.grpc_message_bytes_max),
        ("grpc.max_receive_message_length", settings.grpc_message_bytes_max),
        ("grpc.max_metadata_size", METADATA_BYTES_MAX),
        ("grpc.max_connection_age_ms", CONNECTION_AGE_MS_MAX),
        ("grpc.max_concurrent_streams", settings.grpc_streams_max),
        ("grpc.keepalive_time_ms", KEEPALIVE_MS),
        ("grpc.keepalive_timeout_ms", KEEPALIVE_ANSWER_MS),
        ("grpc.http2.min_ping_interval_without_data_ms", KEEPALIVE_ANSWER_MS),
        ("grpc.so_reuseport", 0),  # a second server on the same port is an error, not a silent share
    ]


def _bind(server: grpc.aio.Server, settings: GrpcSettings, host: str, port: int) -> int:
    address = f"[{host}]:{port}" if ":" in host and not host.startswith("[") else f"{host}:{port}"
    credentials = server_credentials(settings)
    if credentials is None and not is_loopback(host):
        log.warning("tokens and positions cross the network unencrypted: set XIANGTONG_GRPC_CERTIFICATE")
    try:
        if credentials is None:
            return server.add_insecure_port(address)
        return server.add_secure_port(address, credentials)
    except RuntimeError as error:
        log.critical(f"cannot listen on {address}: another program has it; end that one, or set another port")
        raise SystemExit(1) from error
