"""The one interceptor around every call: identity, trace, deadline, metrics, and errors as google.rpc.Status."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import aclosing
from typing import Any, NoReturn, cast

import grpc
import grpc.aio
from google.rpc import code_pb2, status_pb2

from common import ids
from common.errors import DomainError
from common.infra import diagnostics, grpc_errors
from common.infra.callers import Callers, set_caller
from common.metrics import metrics

HEALTH_PREFIX = "/grpc.health.v1.Health/"  # probes cannot send tokens, and health says nothing worth hiding

log = diagnostics.logger(__name__)

Handler = Callable[[Any, "grpc.aio.ServicerContext[Any, Any]"], Any]
Coroutine = Callable[[Any, "grpc.aio.ServicerContext[Any, Any]"], Awaitable[Any]]


class CallInterceptor(grpc.aio.ServerInterceptor):
    """What every call goes through before and after its handler."""

    def __init__(self, callers: Callers, *, deadline_default_s: float, deadline_max_s: float) -> None:
        self._callers = callers
        self._deadline_default_s = deadline_default_s
        self._deadline_max_s = deadline_max_s

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """The handler of this call, wrapped; None for a method that nobody serves."""
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        method = str(handler_call_details.method)
        metadata = {str(key): value for key, value in handler_call_details.invocation_metadata or ()}
        wrap = self._streaming if handler.response_streaming else self._single
        behaviour = self._guarded(wrap(_behaviour(handler)), method, metadata)
        return _constructor(handler)(
            behaviour,
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )

    def _guarded(self, run: Coroutine, method: str, metadata: dict[str, Any]) -> Coroutine:
        async def answered(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
            work = diagnostics.new_trace(
                traceparent=metadata.get("traceparent"), request_id=metadata.get("x-request-id")
            )
            start_s = time.perf_counter()
            code = "OK"
            with diagnostics.traced(work), metrics.grpc_running.labels(method).track_inprogress():
                try:
                    self._identify(method, metadata, context)
                    return await run(request, context)
                except grpc.aio.AbortError:
                    code = _name(context.code())
                    raise
                except asyncio.CancelledError:
                    code = "CANCELLED"
                    raise
                except Exception as error:
                    found = _status(error, method)
                    code = code_pb2.Code.Name(found.code)
                    await _abort(context, found)
                finally:
                    metrics.grpc_seconds.labels(method, code).observe(time.perf_counter() - start_s)

        return answered

    def _identify(self, method: str, metadata: dict[str, Any], context: grpc.aio.ServicerContext[Any, Any]) -> None:
        if method.startswith(HEALTH_PREFIX):
            return
        identity = cast("dict[str, Iterable[bytes]]", context.auth_context())
        set_caller(
            self._callers.identified(
                authorization=metadata.get("authorization"), common_names=list(identity.get("x509_common_name", ()))
            )
        )

    def _single(self, handler: Handler) -> Coroutine:
        async def run(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
            remaining_s = context.time_remaining()
            limit_s = min(self._deadline_default_s if remaining_s is None else remaining_s, self._deadline_max_s)
            try:
                async with asyncio.timeout(limit_s) as limit:
                    return await handler(request, context)
            except TimeoutError:
                if not limit.expired():
                    raise
                await _abort(context, grpc_errors.deadline_status(limit_s))

        return run

    def _streaming(self, handler: Handler) -> Coroutine:
        async def run(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> None:
            result = handler(request, context)
            if not isinstance(result, AsyncGenerator):
                await result
                return
            async with aclosing(result) as responses:  # so that its `finally` runs when the caller goes away
                async for response in responses:
                    await context.write(response)

        return run


def _status(error: Exception, method: str) -> status_pb2.Status:
    if isinstance(error, DomainError):
        return grpc_errors.status(error)
    log_id = ids.request_id()
    log.exception("call failed", method=method, log_id=log_id)
    return grpc_errors.internal_status(log_id)


async def _abort(context: grpc.aio.ServicerContext[Any, Any], found: status_pb2.Status) -> NoReturn:
    code = grpc.StatusCode[code_pb2.Code.Name(found.code)]
    await context.abort(code, found.message, trailing_metadata=grpc_errors.trailers(found))


def _name(code: Any) -> str:
    """The name of a status code, which a context gives back as a number once set."""
    if isinstance(code, grpc.StatusCode):
        return code.name
    return next((known.name for known in grpc.StatusCode if known.value[0] == code), "UNKNOWN")


def _behaviour(handler: grpc.RpcMethodHandler[Any, Any]) -> Handler:
    found = handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream
    return cast(Handler, found)


def _constructor(handler: grpc.RpcMethodHandler[Any, Any]) -> Callable[..., Any]:
    if handler.request_streaming:
        chosen = (grpc.stream_unary_rpc_method_handler, grpc.stream_stream_rpc_method_handler)
    else:
        chosen = (grpc.unary_unary_rpc_method_handler, grpc.unary_stream_rpc_method_handler)
    return cast("Callable[..., Any]", chosen[bool(handler.response_streaming)])
