"""The supervisor keeps roles alive and says what it does."""

from __future__ import annotations

import io
import os
import signal
import threading
import time
from pathlib import Path

import pytest
from rich.console import Console

from services.supervisor import RoleCommand, Supervisor, shorten

pytestmark = pytest.mark.enable_socket  # it asks the roles whether they are ready

SLEEPER = ("timeit", "-n", "1", "-r", "1", "-s", "import time", "time.sleep(60)")


@pytest.fixture
def supervisor(tmp_path: Path) -> Supervisor:
    return Supervisor(tmp_path / "logs", Console(file=io.StringIO(), width=200))


@pytest.fixture(autouse=True)
def _signals_restored() -> object:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def said(supervisor: Supervisor) -> str:
    assert isinstance(supervisor.console.file, io.StringIO)
    return supervisor.console.file.getvalue()


def process_id(supervisor: Supervisor) -> int:
    return supervisor._children[0].process.pid


def stopped_once(supervisor: Supervisor, condition: object) -> None:
    """Watch until `condition()` holds (10 s at most), then stop by the signal that Ctrl-C sends."""

    def ask() -> None:
        deadline = time.monotonic() + 10
        while not condition() and time.monotonic() < deadline:  # type: ignore[operator]
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=ask)
    thread.start()
    supervisor.watch()
    thread.join()
    supervisor.stop()


def test_a_role_that_dies_is_started_again_and_said_so(supervisor: Supervisor) -> None:
    supervisor.start([RoleCommand("sleeper", SLEEPER, {})])
    first = process_id(supervisor)
    os.kill(first, signal.SIGKILL)
    stopped_once(supervisor, lambda: "started again" in said(supervisor))
    assert "sleeper stopped (exit code -9)" in said(supervisor)
    assert "sleeper started again" in said(supervisor)


def test_a_log_that_has_grown_too_long_begins_anew_and_the_role_writes_on(tmp_path: Path) -> None:
    log = tmp_path / "role.log"
    with log.open("ab", buffering=0) as stream:
        stream.write(b"old\n" * 10)
        shorten(log, bytes_max=100)
        assert log.stat().st_size == 40
        shorten(log, bytes_max=20)
        stream.write(b"new\n")
    assert log.read_bytes() == b"new\n"
    assert (tmp_path / "role.log.1").read_bytes() == b"old\n" * 10


def test_ctrl_c_stops_every_role(supervisor: Supervisor) -> None:
    supervisor.start([RoleCommand("one", SLEEPER, {}), RoleCommand("two", SLEEPER, {})])
    processes = [child.process for child in supervisor._children]
    stopped_once(supervisor, lambda: True)
    assert all(process.poll() is not None for process in processes)


def test_a_role_that_cannot_start_ends_with_its_log(supervisor: Supervisor) -> None:
    with pytest.raises(SystemExit, match=r"broken stopped; the end of .*broken.log:\n.*No module named no_such_module"):
        supervisor.start([RoleCommand("broken", ("no_such_module",), {}, health_port=1)])
