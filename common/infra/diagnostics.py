"""Structured logs: a line per event, JSON or console, with the request and trace ids of the work it belongs to."""

from __future__ import annotations

import logging
import re
import secrets
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from types import TracebackType

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from common.infra.settings import InfraSettings

_TRACEPARENT = re.compile(r"^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$")
_REQUEST_ID = re.compile(r"^[A-Za-z0-9._:-]{1,64}$")  # anything else from outside could forge log lines


@dataclass(frozen=True, slots=True)
class Trace:
    """Which work this is. `request_id`: the caller's name for it; the others: W3C Trace Context, lower hex."""

    request_id: str
    trace_id: str
    span_id: str

    def traceparent(self) -> str:
        """The header that carries this trace to the next server."""
        return f"00-{self.trace_id}-{self.span_id}-01"


_trace: ContextVar[Trace | None] = ContextVar("trace", default=None)


def configure(role: str, settings: InfraSettings) -> None:
    """Send every log line of this process, ours and the libraries', to stderr in the chosen format."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        _with_work_of(role),
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.ExtraAdder(),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=_rendering(settings.log_format))
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level.upper())
    for talkative in ("kafka", "asyncio", "grpc", "botocore", "urllib3", "yoyo"):
        logging.getLogger(talkative).setLevel(max(logging.WARNING, root.level))
    logging.captureWarnings(True)
    sys.excepthook = _log_crash
    threading.excepthook = lambda crash: _log_crash(crash.exc_type, crash.exc_value, crash.exc_traceback)


def logger(name: str) -> structlog.stdlib.BoundLogger:
    """The logger of a module: `log = logger(__name__)`; the event is a noun phrase, the rest are keywords."""
    bound: structlog.stdlib.BoundLogger = structlog.get_logger(name)
    return bound


def trace() -> Trace | None:
    """The trace of the work at hand; None outside of any request."""
    return _trace.get()


def new_trace(*, traceparent: str | None = None, request_id: str | None = None) -> Trace:
    """A span of the caller's trace where `traceparent` is well formed, else the first of a new one."""
    found = _TRACEPARENT.match(traceparent or "")
    trace_id = found.group(1) if found and found.group(1) != "0" * 32 else secrets.token_hex(16)
    chosen = request_id if request_id and _REQUEST_ID.match(request_id) else trace_id
    return Trace(request_id=chosen, trace_id=trace_id, span_id=secrets.token_hex(8))


@contextmanager
def traced(work: Trace) -> Iterator[Trace]:
    """Log lines inside belong to `work`."""
    token = _trace.set(work)
    try:
        yield work
    finally:
        _trace.reset(token)


def _log_crash(kind: type[BaseException], error: BaseException | None, place: TracebackType | None) -> None:
    """An error that ends the process or a thread is a log line too, not loose text between JSON."""
    if error is None or issubclass(kind, KeyboardInterrupt | SystemExit):
        return
    logger("crash").critical("crashed", exc_info=(kind, error, place))


def _with_work_of(role: str) -> Processor:
    def with_work(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event["role"] = role
        work = _trace.get()
        if work is not None:
            event["request_id"] = work.request_id
            event["trace_id"] = work.trace_id
        return event

    return with_work


def _rendering(log_format: str) -> list[Processor]:
    """The last steps of a line. Tracebacks leave out local variables, which hold phones, plates and tokens."""
    drop = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    if log_format == "json":
        tracebacks = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        return [
            drop,
            structlog.processors.ExceptionRenderer(tracebacks),
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ]
    plain = structlog.dev.plain_traceback
    return [drop, structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)]
