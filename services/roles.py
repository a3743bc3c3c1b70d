"""The roles of this platform, each one process, and how to start one."""

from __future__ import annotations

import importlib
import os
import signal
import threading
import time
from typing import NamedTuple

SUPERVISOR_VARIABLE = "XIANGTONG_SUPERVISOR"


class Role(NamedTuple):
    """`name`: on the command line. `module`: whose `run(role)` blocks until a signal. `role`: its name there."""

    name: str
    module: str
    role: str


ROLES = (
    Role("tracking-engine", "services.vehicle_tracking.__main__", "engine"),
    Role("tracking-api", "services.vehicle_tracking.__main__", "api"),
    Role("tracking-access", "services.vehicle_tracking.__main__", "access"),
    Role("billing-api", "services.etc_billing.__main__", "api"),
    Role("gateway", "services.gateway.__main__", "gateway"),
)


def find_role(name: str) -> Role | None:
    """The role of that name."""
    return next((role for role in ROLES if role.name == name), None)


def run_role(role: Role) -> None:
    """Run one role until it is asked to stop, or until the supervisor that started it is gone."""
    if supervisor := os.environ.get(SUPERVISOR_VARIABLE):
        threading.Thread(target=_follow, args=(int(supervisor),), daemon=True, name="follow-supervisor").start()
    importlib.import_module(role.module).run(role.role)


def _follow(supervisor: int) -> None:
    """Stop in good order when the supervisor was killed: an orphan would hold ports and partitions."""
    while os.getppid() == supervisor:
        time.sleep(1.0)
    os.kill(os.getpid(), signal.SIGTERM)
