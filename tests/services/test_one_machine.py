"""`xiangtong run` on one machine: servers, roles, a fleet; what dies is started again; Ctrl-C stops it all."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
import redis

from bench.stack import free_ports
from common.infra.servers_postgres import EmbeddedPostgres
from common.infra.servers_redis import EmbeddedRedis
from services.gateway.settings import GatewaySettings
from services.one_machine import address

ROOT = Path(__file__).resolve().parents[2]
WAIT_S = 120.0


class Running:
    """`xiangtong run` as a person starts it; `lines`: what it has printed."""

    def __init__(self, folder: Path) -> None:
        names = ("GATEWAY_PORT", "ACCESS_PORT", "API_PORT", "INGEST_PORT", "BILLING_PORT", "METRICS_PORT")
        ports = dict(zip(names, (str(port) for port in free_ports(len(names))), strict=True))
        kept = {name: value for name, value in os.environ.items() if not name.startswith("XIANGTONG_")}
        environment = {**kept, **{f"XIANGTONG_{name}": port for name, port in ports.items()}, "COLUMNS": "200"}
        self.url = f"http://127.0.0.1:{ports['GATEWAY_PORT']}/"
        self.lines: list[str] = []
        self.environment = {
            **environment,
            "XIANGTONG_DATA": str(folder),
            "PYTHONPATH": f"{ROOT}:{ROOT / 'gen'}",
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "services", "run", "--vehicles", "20"],
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip())

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Until the condition holds; fails with everything printed so far."""
        deadline_s = time.monotonic() + WAIT_S
        while not condition():
            assert time.monotonic() < deadline_s and self.process.poll() is None, "\n".join(self.lines)
            time.sleep(0.1)

    def said(self, text: str) -> bool:
        return any(text in line for line in list(self.lines))

    def stop(self) -> int:
        """Ctrl-C; the exit code."""
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(60)
        self._reader.join()
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


def tolls_posted(folder: Path) -> int:
    """How many passages the ledger holds."""
    with psycopg.connect(EmbeddedPostgres(folder).url) as connection:
        found = connection.execute("SELECT count(*) FROM billing.passages").fetchone()
    return int(found[0]) if found else 0


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    made = Running(tmp_path)
    yield made
    if made.process.poll() is None:
        made.stop()


@pytest.mark.enable_socket
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_one_command_runs_everything_restarts_what_dies_and_stops_cleanly(running: Running, tmp_path: Path) -> None:
    running.wait_for(lambda: running.said("is running"))
    assert running.said("first start: sign in as admin with the password")
    assert running.said(running.url)
    with urllib.request.urlopen(running.url, timeout=5) as answer:
        assert answer.status == 200
    running.wait_for(lambda: running.said("20 vehicles are registered"))
    running.wait_for(lambda: tolls_posted(tmp_path) > 0)
    second = subprocess.run(
        [sys.executable, "-m", "services", "all"], cwd=ROOT, env=running.environment, capture_output=True, check=False
    )
    assert second.returncode == 1
    assert b"already running on" in second.stderr
    family = psutil.Process(running.process.pid).children(recursive=True)
    engine = next(child for child in family if "tracking-engine" in child.cmdline())
    engine.kill()
    running.wait_for(lambda: running.said("tracking-engine started again"))
    assert any(re.search(r"tracking-engine stopped \(exit code -9\)", line) for line in running.lines)
    postgres_pid = EmbeddedPostgres(tmp_path).pid
    assert postgres_pid is not None
    os.kill(postgres_pid, signal.SIGKILL)
    running.wait_for(lambda: running.said("PostgreSQL had stopped; it was started again"))
    with redis.Redis.from_url(EmbeddedRedis(tmp_path).url) as client:
        os.kill(client.info("server")["process_id"], signal.SIGKILL)
    running.wait_for(lambda: running.said("Redis had stopped; it was started again"))
    assert running.stop() == 0
    assert running.lines[-1] == "stopped"
    assert [child for child in family if child.is_running() and child.status() != psutil.STATUS_ZOMBIE] == []


def test_a_gateway_that_listens_everywhere_is_found_on_loopback() -> None:
    assert address(GatewaySettings(gateway_host="0.0.0.0", gateway_port=8000)) == "http://127.0.0.1:8000/"
    assert address(GatewaySettings(gateway_host="10.1.2.3", gateway_port=80)) == "http://10.1.2.3:80/"
