"""Checks of servers as probes ask for them: an answer at once, also when the server is slow to give one."""

from __future__ import annotations

import threading
import time

from common.errors import Unavailable
from common.infra.health_http import Check

FRESH_S = 3.0  # several probes within it cost the server one question
WAIT_S = 0.25  # three slow servers still leave a probe an answer within a second
SILENT_S_MAX = 3.0  # a server that was well before may take this long


class PromptCheck:
    """`check` asked in a thread of its own: calling this gives what it last found, and raises that error again; raises
    Unavailable when the server has been silent for too long. Thread-safe."""

    def __init__(self, check: Check, *, fresh_s: float = FRESH_S, silent_s_max: float = SILENT_S_MAX) -> None:
        self._check, self._fresh_s, self._silent_s_max = check, fresh_s, silent_s_max
        self._lock = threading.Lock()
        self._asking: threading.Thread | None = None
        self._asked_s = 0.0
        self._found: Exception | None = Unavailable("NOT_ASKED", "has not answered yet")

    def __call__(self) -> None:
        """Raise when the server is not well."""
        asking = self._question()
        asking.join(WAIT_S)
        silent_s = time.monotonic() - self._asked_s
        if asking.is_alive() and silent_s > self._silent_s_max:
            raise Unavailable("SILENT", f"has not answered for {silent_s:.0f} s")
        if self._found is not None:
            raise self._found

    def _question(self) -> threading.Thread:
        """The one under way, or the last one while it is fresh, or a new one."""
        with self._lock:
            fresh = time.monotonic() - self._asked_s < self._fresh_s
            if self._asking is None or not (fresh or self._asking.is_alive()):
                self._asked_s = time.monotonic()
                self._asking = threading.Thread(target=self._ask, name="health-check", daemon=True)
                self._asking.start()
            return self._asking

    def _ask(self) -> None:
        try:
            self._check()
        except Exception as error:  # whatever it is, the probe that asks next says it
            self._found = error
        else:
            self._found = None
