"""How many requests a second one session may keep up: a bucket each, in this process."""

from __future__ import annotations

from collections.abc import Hashable

from common.clock import Clock
from common.errors import TooMuch

BURST_S = 10.0  # a page that opens asks for many things at once
BUCKETS_MAX = 20_000


class Rates:
    """`per_s`: what a bucket regains each second; it holds ten times that."""

    def __init__(self, clock: Clock, per_s: float) -> None:
        self._clock = clock
        self._per_s = per_s
        self._buckets: dict[Hashable, tuple[float, float]] = {}

    def take(self, key: Hashable) -> None:
        """Take one from the bucket of `key`. Raises TooMuch when it is empty."""
        now_s = self._clock.monotonic_s()
        full = self._per_s * BURST_S
        left, since_s = self._buckets.pop(key, (full, now_s))
        left = min(full, left + (now_s - since_s) * self._per_s)
        enough = left >= 1
        self._buckets[key] = (left - 1 if enough else left, now_s)
        if len(self._buckets) > BUCKETS_MAX:
            del self._buckets[next(iter(self._buckets))]  # the one that was used longest ago
        if not enough:
            wait_ms = round((1 - left) / self._per_s * 1000)
            raise TooMuch("TOO_MANY_REQUESTS", "this session asks too often; slow down", retry_after_ms=wait_ms)
