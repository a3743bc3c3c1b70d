"""Which process took how much of a core while something was measured: it says what bounds a path."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping

import psutil

from bench.stack import Stack
from common.infra.servers_postgres import EmbeddedPostgres


class Processor:
    """Counts from now on. `others`: processes beside the stack's own, by name."""

    def __init__(self, stack: Stack, others: Mapping[str, int] | None = None) -> None:
        postgres, redis = EmbeddedPostgres(stack.folder / "data").pid, _redis(stack)
        roles = {role.removeprefix("tracking-"): process.pid for role, process in stack.processes.items()}
        servers = {"PostgreSQL": postgres, "Redis": redis, "load": os.getpid(), **(others or {})}
        self._pids = roles | {name: pid for name, pid in servers.items() if pid is not None}
        self._begin_s, self._before = time.monotonic(), self._seconds()

    def shares(self) -> str:
        """Percent of a core by process since the beginning, the largest first, and all of them together."""
        taken = self.taken()
        listed = ", ".join(f"{name} {share:.0f}" for name, share in sorted(taken.items(), key=lambda one: -one[1]))
        cores = os.cpu_count() or 1
        return f"processor % of a core: {listed}; {sum(taken.values()):.0f} of {100 * cores}"

    def taken(self) -> dict[str, float]:
        """The same as numbers, by process."""
        seconds, after = time.monotonic() - self._begin_s, self._seconds()
        return {name: 100 * (after[name] - before) / seconds for name, before in self._before.items()}

    def _seconds(self) -> dict[str, float]:
        return {name: _seconds(psutil.Process(pid)) for name, pid in self._pids.items()}


def _seconds(process: psutil.Process) -> float:
    """Of a process and those it started, the load's own stack left out; ended ones count with their parent."""
    own = process.cpu_times()
    total = float(own.user + own.system)
    if process.pid != os.getpid():
        for child in process.children(recursive=True):
            times = child.cpu_times()
            total += times.user + times.system
    return total


def _redis(stack: Stack) -> int | None:
    for process in psutil.process_iter(["name", "cmdline"]):
        if process.info["name"] == "redis-server" and str(stack.folder) in " ".join(process.info["cmdline"] or ()):
            return int(process.pid)
    return None
