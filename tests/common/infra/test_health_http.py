"""A real HTTP server on a free port."""

from __future__ import annotations

import urllib.error
import urllib.request

import pytest

from common.errors import Unavailable
from common.infra.health_http import serve_health
from common.infra.settings import InfraSettings
from common.metrics import metrics

pytestmark = pytest.mark.enable_socket


def page(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def away() -> None:
    raise Unavailable("LOG_UNAVAILABLE", "the event log does not answer")


def broken() -> None:
    raise ZeroDivisionError


def test_probes_tell_alive_from_ready(free_port: int) -> None:
    server = serve_health(InfraSettings(metrics_port=free_port), ready={"event log": away})
    assert server.port == free_port
    assert page(free_port, "/healthz") == (200, "ok\n")
    assert page(free_port, "/readyz") == (503, "event log: the event log does not answer\n")
    assert page(free_port, "/other")[0] == 404
    server.close()


def test_what_is_not_alive_is_not_ready_whatever_the_error(free_port: int) -> None:
    server = serve_health(InfraSettings(metrics_port=free_port), alive={"loop": broken})
    assert page(free_port, "/healthz") == page(free_port, "/readyz") == (503, "loop: ZeroDivisionError\n")
    server.close()


def test_metrics_are_shown(free_port: int) -> None:
    server = serve_health(InfraSettings(metrics_port=free_port))
    metrics.alarms_raised.labels("overspeed").inc(0)
    status, text = page(free_port, "/metrics")
    assert status == 200
    assert 'xiangtong_alarms_raised_total{rule="overspeed"}' in text
    server.close()


def test_port_0_means_not_served() -> None:
    server = serve_health(InfraSettings(metrics_port=0))
    assert server.port == 0
    server.close()
