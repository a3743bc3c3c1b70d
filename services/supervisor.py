"""Every role on this machine under one supervisor: a role that dies is started again, and said so."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO

from rich.console import Console

STOP_SECONDS_MAX = 15  # a role that has not drained by then is killed; its work is repeated after the next start
START_SECONDS_MAX = 120  # the first start compiles the kernels
RESTART_DELAY_S_MAX = 30.0
STEADY_S = 60.0  # a role that lived this long starts again without delay
POLL_S = 0.2
UPKEEP_S = 5.0
LOG_BYTES_MAX = 64 * 1024 * 1024  # of a role, and as much again of what came before


@dataclass(frozen=True, slots=True)
class RoleCommand:
    """A process to keep alive. `health_port`: where /readyz answers; 0 for a process without one."""

    name: str
    arguments: tuple[str, ...]
    environment: dict[str, str]
    health_port: int = 0


@dataclass(slots=True)
class _Child:
    command: RoleCommand
    process: subprocess.Popen[bytes]
    log: IO[bytes]
    started_s: float
    restart_delay_s: float = 0.0
    restart_at_s: float | None = None


@dataclass
class Supervisor:
    """Starts roles, waits until they are ready, restarts those that die, stops them all in reverse order.

    `upkeep`: what else to look after now and then; it gives the lines to say.
    """

    log_folder: Path
    console: Console = field(default_factory=Console)
    upkeep: Callable[[], Iterable[str]] = tuple
    _children: list[_Child] = field(default_factory=list)
    _stopping: bool = False

    def start(self, commands: list[RoleCommand]) -> None:
        """Start `commands` at once and wait until each is ready. Exits with its log when one cannot."""
        self.log_folder.mkdir(parents=True, exist_ok=True)
        signal.signal(signal.SIGINT, self._stop)
        signal.signal(signal.SIGTERM, self._stop)
        started = [self._child(command) for command in commands]
        self._children += started
        for child in started:
            self._wait_until_ready(child)

    def watch(self) -> None:
        """Until asked to stop: start again what dies, and say so."""
        due_s = time.monotonic() + UPKEEP_S
        while not self._stopping:
            time.sleep(POLL_S)
            for child in self._children:
                self._look_after(child)
            if time.monotonic() >= due_s:
                due_s = time.monotonic() + UPKEEP_S
                for line in self.upkeep():
                    self.console.print(line)
                for child in self._children:
                    shorten(self.log_folder / f"{child.command.name}.log")

    def stop(self) -> None:
        """Ask every role to drain, the last started first; kill what does not."""
        for child in reversed(self._children):
            if child.process.poll() is None:
                child.process.terminate()
        deadline = time.monotonic() + STOP_SECONDS_MAX
        for child in reversed(self._children):
            try:
                child.process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                self.console.print(f"[yellow]{child.command.name} did not stop in {STOP_SECONDS_MAX} s: killed[/]")
                child.process.kill()
                child.process.wait()
            child.log.close()
        self._children.clear()

    @property
    def stopping(self) -> bool:
        """Whether a signal has asked us to stop."""
        return self._stopping

    def _stop(self, signal_number: int, frame: FrameType | None) -> None:
        del signal_number, frame
        self._stopping = True

    def _child(self, command: RoleCommand) -> _Child:
        log = (self.log_folder / f"{command.name}.log").open("ab")
        process = subprocess.Popen(  # noqa: S603 – our own interpreter and our own modules
            [sys.executable, "-m", *command.arguments],
            env={**os.environ, **command.environment, "XIANGTONG_SUPERVISOR": str(os.getpid())},
            stderr=log,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        return _Child(command, process, log, time.monotonic())

    def _wait_until_ready(self, child: _Child) -> None:
        deadline = time.monotonic() + START_SECONDS_MAX
        while not self._stopping and child.command.health_port:
            if child.process.poll() is not None or time.monotonic() > deadline:
                what = "stopped" if child.process.poll() is not None else f"is not ready after {START_SECONDS_MAX} s"
                path = self.log_folder / f"{child.command.name}.log"
                tail = path.read_text(errors="replace").splitlines()[-15:]
                self.stop()
                sys.exit("\n".join([f"{child.command.name} {what}; the end of {path}:", *tail]))
            if ready(child.command.health_port):
                return
            time.sleep(POLL_S / 2)

    def _look_after(self, child: _Child) -> None:
        code, now_s = child.process.poll(), time.monotonic()
        if code is None or self._stopping:
            return
        if child.restart_at_s is None:
            steady = now_s - child.started_s > STEADY_S
            child.restart_delay_s = 0.5 if steady else min(max(0.5, child.restart_delay_s * 2), RESTART_DELAY_S_MAX)
            child.restart_at_s = now_s + child.restart_delay_s
            self.console.print(
                f"[red]{child.command.name} stopped (exit code {code}); "
                f"starting it again in {child.restart_delay_s:.1f} s; "
                f"its log: {self.log_folder}/{child.command.name}.log[/]"
            )
        elif now_s >= child.restart_at_s:
            child.log.close()
            again = self._child(child.command)
            child.process, child.log, child.started_s, child.restart_at_s = again.process, again.log, now_s, None
            self.console.print(f"{child.command.name} started again")


def shorten(log: Path, bytes_max: int = LOG_BYTES_MAX) -> None:
    """Begin a log that has grown too long anew; what it held goes to `.1`. Roles append, so they write on."""
    if log.exists() and log.stat().st_size > bytes_max:
        shutil.copyfile(log, log.with_suffix(".log.1"))
        os.truncate(log, 0)


def ready(health_port: int) -> bool:
    """Whether /readyz on this port of loopback answers 200."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{health_port}/readyz", timeout=1) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False
