"""The whole platform as processes, with a small simulated fleet that drives for as long as a test looks."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.stack import Stack

ROOT = Path(__file__).resolve().parents[2]
STOP_S_MAX = 20.0
_PASSWORD = re.compile(r"sign in as admin with the password (\S+)")


@dataclass(frozen=True, slots=True)
class Platform:
    """Where the console is, and how to sign in."""

    stack: Stack
    password: str

    @property
    def url(self) -> str:
        """The address of the console."""
        return f"{self.stack.gateway}/"


@contextmanager
def running_platform(folder: Path, servers: Mapping[str, str], *, vehicle_count: int) -> Iterator[Platform]:
    """Every role and `vehicle_count` simulated vehicles until the end of the block."""
    with Stack(folder, servers) as stack:
        printed = _PASSWORD.search(stack.log_path("gateway").read_text())
        assert printed, "the first start prints the password of admin"
        words = ["--vehicles", str(vehicle_count), "--seed", "1", "--access", stack.access, "--api", stack.api]
        with (folder / "simulation.log").open("wb") as log:
            fleet = subprocess.Popen(
                [sys.executable, "-m", "services", "simulate", *words],
                cwd=ROOT,
                env=stack.environment(),
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            yield Platform(stack, printed[1])
        finally:
            fleet.terminate()
            fleet.wait(STOP_S_MAX)
