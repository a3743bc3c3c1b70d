"""Writes that go on beside the engine and do not give up while storage is away."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol, TypeVar

from common.errors import Unavailable
from common.infra import diagnostics

RETRY_S_MIN, RETRY_S_MAX = 0.05, 2.0

log = diagnostics.logger(__name__)
Given = TypeVar("Given")


class Writer(Protocol):
    """Runs effects in the order they are given."""

    def submit(self, effect: Callable[[], None]) -> Future[None]:
        """Run `effect` later, again and again while it raises Unavailable."""

    def insist(self, effect: Callable[[], Given], *, attempts_max: int | None = None) -> Given:
        """Run `effect` now, again while it raises Unavailable: `attempts_max` times at most, or until closed."""

    def wait(self, delay_s: float) -> None:
        """Let time pass, until closed."""


class BackgroundWriter:
    """One thread: order is kept, and numpy, zstd and the disk work while the engine judges on."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="writer")
        self._closing = threading.Event()

    def submit(self, effect: Callable[[], None]) -> Future[None]:
        """Run `effect` in the thread, again and again while it raises Unavailable."""
        return self._executor.submit(self.insist, effect)

    def insist(self, effect: Callable[[], Given], *, attempts_max: int | None = None) -> Given:
        """Run `effect` now, again while it raises Unavailable: `attempts_max` times at most, or until closed."""
        delay_s, attempt = RETRY_S_MIN, 0
        while True:
            attempt += 1
            try:
                return effect()
            except Unavailable as error:
                if attempt == attempts_max or self._closing.wait(delay_s):
                    raise
                log.warning("write waits", attempt=attempt, error=str(error))
                delay_s = min(2 * delay_s, RETRY_S_MAX)

    def wait(self, delay_s: float) -> None:
        """Let time pass, until closed."""
        self._closing.wait(delay_s)

    def close(self) -> None:
        """Give up what still waits; what is being written ends."""
        self._closing.set()
        self._executor.shutdown(wait=True, cancel_futures=True)
