"""Every role can be named and started; one whose supervisor is gone stops by itself."""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from services.roles import ROLES, SUPERVISOR_VARIABLE, find_role

ROOT = Path(__file__).resolve().parents[2]
FOLLOWER = (
    "import signal, sys, time; from services import roles;"
    "import types; sys.modules['a_role'] = types.SimpleNamespace(run=lambda role: time.sleep(60));"
    "roles.run_role(roles.Role('a', 'a_role', 'a'))"
)


def test_a_role_is_found_by_its_name() -> None:
    assert [find_role(role.name) for role in ROLES] == list(ROLES)
    assert find_role("nothing") is None


def test_every_role_has_a_module_that_runs_it() -> None:
    assert all(callable(importlib.import_module(role.module).run) for role in ROLES)


def test_a_role_whose_supervisor_was_killed_stops() -> None:
    parent = subprocess.Popen([sys.executable, "-c", _parent()], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline_s = time.monotonic() + 20
    while _alive(child) and time.monotonic() < deadline_s:
        time.sleep(0.1)
    orphaned = _alive(child)
    if orphaned:
        os.kill(child, signal.SIGKILL)
    assert not orphaned


def _parent() -> str:
    return (
        "import os, subprocess, sys, time;"
        f"child = subprocess.Popen([sys.executable, '-c', {FOLLOWER!r}],"
        f" env={{**os.environ, {SUPERVISOR_VARIABLE!r}: str(os.getpid())}});"
        "time.sleep(2); print(child.pid, flush=True); time.sleep(60)"
    )


def _alive(process_id: int) -> bool:
    try:
        return Path(f"/proc/{process_id}/stat").read_text().split(") ")[1][0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
