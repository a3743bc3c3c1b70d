"""The latest position of every vehicle of the owned partitions: in memory, and in Redis a few times a second."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol

import numpy as np
import redis as redis_py
from numpy.typing import NDArray

from common.clock import Clock
from common.errors import Unavailable
from common.infra import diagnostics
from common.infra.redis import send_packed
from common.metrics import metrics
from services.vehicle_tracking.convert.live import (
    LIVE_CHANNEL,
    changes_of,
    hset_commands,
    publish_command,
)
from services.vehicle_tracking.domain.engine_state import grown
from services.vehicle_tracking.domain.latest_rows import LIVE_RECORD, columns_of, take
from services.vehicle_tracking.domain.positions import Int32s, PositionBatch
from services.vehicle_tracking.domain.topics import partitions

MESSAGE_CHANGES_MAX = 20_000  # about a megabyte a message: what a subscriber swallows at once

log = diagnostics.logger(__name__)


class Judgement(Protocol):
    """What the rules say about positions, (n,) each."""

    @property
    def quality_flags(self) -> Int32s:
        """The quality of each."""

    @property
    def usable(self) -> NDArray[np.bool_]:
        """Whether it may be shown."""


class LiveRows:
    """The vehicles of one partition: row vehicle_id // partition_count."""

    def __init__(self, partition: int, partition_count: int, saved: bytes = b"") -> None:
        self.partition = partition
        self._partition_count = partition_count
        self._records = np.frombuffer(saved, LIVE_RECORD).copy()
        self._dirty = self._records["fix_time_ms"] > 0  # Redis may have lost what it was told before
        self._told = np.zeros(len(self._records), np.bool_)

    def saved(self) -> bytes:
        """The rows as a checkpoint keeps them."""
        return self._records.tobytes()

    def take(self, positions: PositionBatch, quality_flags: NDArray[np.int32], usable: NDArray[np.bool_]) -> None:
        """Take the usable positions, (n,) bool, that are newer than what is known; whoever sends is online."""
        rows = positions.vehicle_ids // self._partition_count
        self._reserve(int(rows.max(initial=-1)) + 1)
        take(columns_of(positions, rows, quality_flags, usable), self._records, self._dirty)

    def set_offline(self, vehicle_ids: NDArray[np.int64]) -> None:
        """Vehicles that are silent; those without a position stay unknown."""
        rows = vehicle_ids // self._partition_count
        rows = rows[rows < len(self._records)]
        rows = rows[self._records["fix_time_ms"][rows] > 0]
        self._records["online"][rows] = 0
        self._dirty[rows] = True

    def changes(self) -> tuple[NDArray[Any], int]:
        """LIVE_CHANGE of what changed since the last call, and how many vehicles of it Redis was never told of."""
        rows = np.flatnonzero(self._dirty)
        new_count = int(np.count_nonzero(~self._told[rows]))
        self._dirty[rows], self._told[rows] = False, True
        return changes_of(rows * self._partition_count + self.partition, self._records[rows]), new_count

    def forget_telling(self) -> None:
        """Redis may hold nothing of this: tell all again."""
        self._told[:] = False
        self._dirty = self._records["fix_time_ms"] > 0

    def _reserve(self, count: int) -> None:
        if count <= len(self._records):
            return
        self._records = grown(self._records, count)
        self._dirty = grown(self._dirty, count)  # tables of the same length grow to the same length
        self._told = grown(self._told, count)


class LiveState:
    """The owned partitions. One write is on its way at a time; what changes meanwhile goes with the next, so a slow
    Redis makes writes rarer and never the engine slower."""

    def __init__(self, redis: redis_py.Redis, clock: Clock, *, partition_count: int, interval_ms: int) -> None:
        self._redis = redis
        self._clock = clock
        self._partition_count = partition_count
        self._interval_s = interval_ms / 1000
        self._due_s = 0.0
        self._owned: dict[int, LiveRows] = {}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="live")
        self._writing: Future[bool] | None = None

    def start(self, partition: int, saved: bytes) -> None:
        """Begin with a partition as saved; Redis is told all of it."""
        self._owned[partition] = LiveRows(partition, self._partition_count, saved)

    def saved(self, partition: int) -> bytes:
        """A partition as a checkpoint keeps it."""
        return self._owned[partition].saved()

    def stop(self, partition: int) -> None:
        """Let a partition go, told as it is."""
        self._await_write()
        rows = self._owned.pop(partition)
        write(self._redis, [(partition, *rows.changes())])

    def take(self, partition: int, positions: PositionBatch, judged: Judgement) -> None:
        """Take positions of a partition."""
        self._owned[partition].take(positions, judged.quality_flags, judged.usable)

    def set_offline(self, vehicle_ids: Sequence[int]) -> None:
        """Vehicles that are silent."""
        silent = np.array(vehicle_ids, np.int64)
        of_partition = partitions(silent, self._partition_count)
        for partition, rows in self._owned.items():
            rows.set_offline(silent[of_partition == partition])

    def write_due(self) -> None:
        """Write what changed, if it is time and the last write has ended."""
        now_s = self._clock.monotonic_s()
        if now_s < self._due_s or (self._writing is not None and not self._writing.done()):
            return
        self._await_write()
        self._due_s = now_s + self._interval_s
        changes = [(partition, *rows.changes()) for partition, rows in self._owned.items()]
        self._writing = self._thread.submit(write, self._redis, changes)

    def close(self) -> None:
        """Let the last write end."""
        self._thread.shutdown()

    def _await_write(self) -> None:
        """Where Redis has lost what it held, or may have, it is told everything again."""
        if self._writing is not None and not self._writing.result():
            for rows in self._owned.values():
                rows.forget_telling()
        self._writing = None


def write(redis: redis_py.Redis, changed: Sequence[tuple[int, NDArray[Any], int]]) -> bool:
    """Put the changes of partitions, (n,) LIVE_CHANGE each, into their hashes and on the channel. Each with the number
    of vehicles that Redis was never told of: False when it did not have others either, or does not answer."""
    complete = True
    for partition, changes, new_count in changed:
        if not len(changes):
            continue
        packed, hset_count = hset_commands(partition, changes)
        messages = [
            publish_command(LIVE_CHANNEL, changes[start : start + MESSAGE_CHANGES_MAX].tobytes())
            for start in range(0, len(changes), MESSAGE_CHANGES_MAX)
        ]
        try:
            replies = send_packed(redis, packed + b"".join(messages), reply_count=hset_count + len(messages))
        except Unavailable as error:
            log.warning("latest positions not written", error=str(error))
            return False
        metrics.live_writes.inc(len(changes))
        complete &= sum(replies[:hset_count]) <= new_count
    return complete
