"""The whole platform as processes on free ports: for benchmarks, and for the tests that need all of it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Self

ROLES = ("tracking-engine", "tracking-api", "tracking-access", "gateway")
READY_S_MAX = 180.0  # the first start compiles the kernels
STOP_S_MAX = 20.0
PREPARE_S_MAX = 120.0
POLL_S = 0.05
_ROOT = Path(__file__).resolve().parent.parent
_PORTS = ("ACCESS_PORT", "INGEST_PORT", "API_PORT", "GATEWAY_PORT", "BILLING_PORT")


class StackError(RuntimeError):
    """A role did not become ready; the message holds the end of its log."""


@dataclass
class Stack:
    """Roles on free ports of loopback; logs and data below `folder`.

    `servers`: XIANGTONG_POSTGRES, XIANGTONG_REDIS, XIANGTONG_KAFKA; what is left out is embedded. `settings`: more
    variables. `roles`: which to start.
    """

    folder: Path
    servers: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    roles: tuple[str, ...] = ROLES
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = dict.fromkeys((*_PORTS, *ROLES, *self.roles))
        self.ports = dict(zip(names, free_ports(len(names)), strict=True))
        self.access = f"127.0.0.1:{self.ports['ACCESS_PORT']}"
        self.ingest = f"127.0.0.1:{self.ports['INGEST_PORT']}"
        self.api = f"127.0.0.1:{self.ports['API_PORT']}"
        self.billing = f"127.0.0.1:{self.ports['BILLING_PORT']}"
        self.gateway = f"http://127.0.0.1:{self.ports['GATEWAY_PORT']}"
        self._logs: dict[str, IO[bytes]] = {}

    def __enter__(self) -> Self:
        try:
            self.prepare()
            for role in self.roles:
                self.start(role)
            for role in self.roles:
                self.wait_until_ready(role)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def prepare(self) -> None:
        """Make tables and topics."""
        self.folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            [sys.executable, "-m", "services", "prepare"],
            env=self.environment(),
            cwd=_ROOT,
            capture_output=True,
            timeout=PREPARE_S_MAX,
            check=False,
        )
        if done.returncode:
            raise StackError((done.stdout + done.stderr).decode(errors="replace"))

    def start(self, role: str) -> None:
        """Start a role without waiting for it."""
        if role not in self._logs:
            self._logs[role] = self.log_path(role).open("ab")
        self.processes[role] = subprocess.Popen(
            [sys.executable, "-m", "services", role],
            env={**self.environment(), "XIANGTONG_METRICS_PORT": str(self.ports[role])},
            cwd=_ROOT,
            stdout=self._logs[role],
            stderr=self._logs[role],
            stdin=subprocess.DEVNULL,
        )

    def kill(self, role: str) -> None:
        """End a role at once, as a crash would."""
        self.processes[role].kill()
        self.processes[role].wait()

    def wait_until_ready(self, role: str) -> None:
        """Return once the role says that it is ready. Raises StackError with the end of its log."""
        deadline_s = time.monotonic() + READY_S_MAX
        while time.monotonic() < deadline_s:
            if self.processes[role].poll() is not None:
                break
            if self.page(role, "/readyz") is not None:
                return
            time.sleep(POLL_S)
        tail = self.log_path(role).read_text(errors="replace")[-4000:]
        raise StackError(f"{role} is not ready (exit code {self.processes[role].poll()}):\n{tail}")

    def page(self, role: str, path: str) -> str | None:
        """What the role answers on its metrics port; None unless it is 200."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.ports[role]}{path}", timeout=2) as answer:
                return str(answer.read().decode())
        except (OSError, urllib.error.URLError):
            return None

    def metric(self, role: str, name: str) -> float:
        """The sum of a metric over its labels; 0 where the role has none of it yet."""
        lines = (self.page(role, "/metrics") or "").splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.split("{")[0].split(" ")[0] == name)

    def log_path(self, role: str) -> Path:
        """Where the role writes its log."""
        return self.folder / f"{role}.log"

    def environment(self) -> dict[str, str]:
        """What every role and command of this stack is told."""
        own = {f"XIANGTONG_{name}": str(self.ports[name]) for name in _PORTS}
        data = {"XIANGTONG_DATA": str(self.folder / "data")}
        kept = {name: value for name, value in os.environ.items() if not name.startswith("XIANGTONG_")}
        return {**kept, "PYTHONPATH": f"{_ROOT}:{_ROOT / 'gen'}", **data, **own, **self.servers, **self.settings}

    def stop(self) -> None:
        """Ask every role to drain, then end what remains, embedded servers too."""
        for process in self.processes.values():
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        deadline_s = time.monotonic() + STOP_S_MAX
        for process in self.processes.values():
            try:
                process.wait(max(0.1, deadline_s - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for log in self._logs.values():
            log.close()
        self._logs.clear()
        subprocess.run(
            [sys.executable, "-m", "services", "stop-servers"], env=self.environment(), cwd=_ROOT, check=False
        )


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports
