"""/metrics, /healthz and /readyz over HTTP: a small server beside the work of every role."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from socketserver import TCPServer, ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import make_wsgi_app

from common.errors import DomainError
from common.infra.settings import InfraSettings
from common.metrics import registry

STOP_CHECK_S = 0.1
REQUEST_TIMEOUT_S = 5.0  # a scanner that connects and says nothing is let go

Check = Callable[[], None]


class HealthServer:
    """Answers probes until closed. `port`: where it listens; 0 when it was not wanted."""

    def __init__(self, server: WSGIServer | None) -> None:
        self.port = server.server_port if server else 0
        self._server = server
        if server:
            threading.Thread(target=server.serve_forever, args=(STOP_CHECK_S,), name="health", daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()


def serve_health(
    settings: InfraSettings, *, alive: Mapping[str, Check] | None = None, ready: Mapping[str, Check] | None = None
) -> HealthServer:
    """Serve on `metrics_host`:`metrics_port`. A check is named, quick, and raises when it fails: /healthz fails with
    any of `alive` (the role must be started again), /readyz with any of `ready` or `alive` (send it no work)."""
    if settings.metrics_port == 0:
        return HealthServer(None)
    checks = {"/healthz": dict(alive or {}), "/readyz": {**(alive or {}), **(ready or {})}}
    metrics_app = make_wsgi_app(registry)

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == "/metrics":
            page: Iterable[bytes] = metrics_app(environ, start_response)
            return page
        if path not in checks:
            start_response("404 Not Found", [("Content-Type", "text/plain")])
            return [b"/metrics, /healthz or /readyz\n"]
        failures = _failures(checks[path])
        status = "503 Service Unavailable" if failures else "200 OK"
        start_response(status, [("Content-Type", "text/plain; charset=utf-8")])
        return [("\n".join(failures or ["ok"]) + "\n").encode()]

    server = make_server(settings.metrics_host, settings.metrics_port, app, _Server, _QuietHandler)
    return HealthServer(server)


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def server_bind(self) -> None:
        """Bind without asking the name service what this machine is called, which can take seconds."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()


class _QuietHandler(WSGIRequestHandler):
    timeout = REQUEST_TIMEOUT_S

    def log_message(self, format: str, *args: Any) -> None:
        """Probes come every few seconds: say nothing."""


def _failures(checks: Mapping[str, Check]) -> list[str]:
    failures = []
    for name, check in checks.items():
        try:
            check()
        except DomainError as error:
            failures.append(f"{name}: {error.message}")
        except Exception as error:  # a probe must answer whatever went wrong inside a check
            failures.append(f"{name}: {type(error).__name__}")
    return failures
