"""The whole platform as processes: servers of the tests, every role under the supervisor, a small simulated fleet."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.real_servers import free_port

ROOT = Path(__file__).resolve().parents[2]
START_S_MAX = 240.0  # the first start of a machine compiles the kernels
STOP_S_MAX = 30.0
_PASSWORD = re.compile(r"sign in as admin with the password (\S+)")


@dataclass(frozen=True, slots=True)
class Stack:
    """Where the console is, and how to sign in. `supervisor`: the process over all roles."""

    url: str
    password: str
    supervisor: int

    def kill_role(self, name: str) -> None:
        """End a role at once; the supervisor starts it again."""
        for process in psutil.Process(self.supervisor).children(recursive=True):
            if process.cmdline()[-1:] == [name]:
                process.kill()


@contextmanager
def running_stack(folder: Path, servers: Mapping[str, str], *, vehicle_count: int) -> Iterator[Stack]:
    """Every role and `vehicle_count` simulated vehicles until the end of the block."""
    environment = {**os.environ, **servers, **_ports(), "XIANGTONG_DATA": str(folder)}
    log = folder / "stack.log"
    words = [sys.executable, "-m", "services", "run", "--vehicles", str(vehicle_count), "--seed", "1"]
    with log.open("wb") as out:
        process = subprocess.Popen(words, cwd=ROOT, env=environment, stdout=out, stderr=subprocess.STDOUT)
    url = f"http://127.0.0.1:{environment['XIANGTONG_GATEWAY_PORT']}/"
    try:
        password = _password(process, log)
        _wait_until_it_answers(process, log, url)
        yield Stack(url, password, process.pid)
    finally:
        _end(process)


def _ports() -> dict[str, str]:
    roles = ("GATEWAY", "API", "ACCESS", "INGEST")
    ports = {f"XIANGTONG_{role}_PORT": str(free_port()) for role in roles}
    return {**ports, "XIANGTONG_METRICS_PORT": str(_run_of_free_ports())}


def _run_of_free_ports() -> int:
    """The first of four ports one after the other, one a role, below those that the system gives to clients."""
    for first in range(20_000 + os.getpid() % 1000 * 8, 32_000, 8):
        if all(_is_free(port) for port in range(first, first + 4)):
            return first
    raise AssertionError("no four free ports in a row")


def _is_free(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) != 0


def _password(process: subprocess.Popen[bytes], log: Path) -> str:
    for text in _texts(process, log):
        if found := _PASSWORD.search(text.replace("\n", " ")):
            return found[1]
    raise AssertionError(log.read_text())


def _wait_until_it_answers(process: subprocess.Popen[bytes], log: Path, url: str) -> None:
    for text in _texts(process, log):
        if "is running" in text:
            with urllib.request.urlopen(url, timeout=5) as answer:
                assert answer.status == 200
            return
    raise AssertionError(log.read_text())


def _texts(process: subprocess.Popen[bytes], log: Path) -> Iterator[str]:
    until = time.monotonic() + START_S_MAX
    while time.monotonic() < until and process.poll() is None:
        yield log.read_text(errors="replace")
        time.sleep(0.25)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGINT)
    try:
        process.wait(STOP_S_MAX)
    except subprocess.TimeoutExpired:
        for child in psutil.Process(process.pid).children(recursive=True):
            child.kill()
        process.kill()
        process.wait(STOP_S_MAX)
