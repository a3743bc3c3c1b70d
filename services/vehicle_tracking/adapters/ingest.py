"""Positions on their way into the event log: gathered, split by partition, appended, and only then called durable."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import numpy as np

from common.errors import TooMuch, Unavailable
from common.infra import diagnostics
from common.infra.log import NewRecord, Producer
from common.metrics import metrics, timed
from services.vehicle_tracking.convert.positions import encode
from services.vehicle_tracking.domain.positions import PositionBatch, PositionSource, joined
from services.vehicle_tracking.domain.topics import POSITIONS, partitions

RECORD_POSITIONS_MAX = 50_000  # 3 MB: within what a record may hold, also with additional items
APPEND_TIMEOUT_S = 10.0
RETRY_DELAYS_S = (0.1, 0.4, 1.5)  # bridges a restart of the log; then whoever sent it is told, and sends it again

log = diagnostics.logger(__name__)


class Publisher:
    """Appends positions in the order they are given. While one append is on its way everything that comes joins the
    next: that keeps each vehicle's order, and the busier it is, the more positions share the cost of durability."""

    def __init__(self, producer: Producer, *, partition_count: int, waiting_positions_max: int) -> None:
        self._producer = producer
        self._partition_count = partition_count
        self._waiting_positions_max = waiting_positions_max
        self._waiting: list[tuple[PositionBatch, asyncio.Future[None]]] = []
        self._waiting_positions = 0
        self._appending: asyncio.Task[None] | None = None

    @property
    def full(self) -> bool:
        """Whether so much waits that nothing more should be read."""
        return self._waiting_positions >= self._waiting_positions_max

    async def publish(self, positions: PositionBatch) -> None:
        """Return once the positions are durable. Raises Unavailable when they may not be, TooMuch when far too much
        waits already: send them again later."""
        if len(positions) == 0:
            return
        if self._waiting_positions + len(positions) > 2 * self._waiting_positions_max:
            raise TooMuch("INGEST_FULL", "too many positions wait to be stored; send them again later")
        durable = asyncio.get_running_loop().create_future()
        self._waiting.append((positions, durable))
        self._waiting_positions += len(positions)
        if self._appending is None:
            self._appending = asyncio.create_task(self._append_waiting())
        await durable

    async def drain(self) -> None:
        """Return once nothing waits any more."""
        while self._appending is not None:
            await asyncio.wait([self._appending])

    async def _append_waiting(self) -> None:
        try:
            while self._waiting:
                taken, self._waiting = self._waiting, []
                batches = [positions for positions, _ in taken]
                refusal = await self._append(batches)
                self._waiting_positions -= sum(map(len, batches))
                for _, durable in taken:
                    if durable.cancelled():
                        continue
                    if refusal is None:
                        durable.set_result(None)
                    else:
                        durable.set_exception(refusal)
        finally:
            self._appending = None

    async def _append(self, batches: Sequence[PositionBatch]) -> Unavailable | None:
        for delay_s in (*RETRY_DELAYS_S, None):
            try:
                await asyncio.to_thread(self._append_now, batches)
            except Unavailable as error:
                log.warning("positions not appended", error=str(error))
                refusal = error
            except Exception as error:
                log.exception("positions not appended: a fault of ours")
                return Unavailable("APPEND_FAILED", f"not stored: {error!r}")  # whoever waits must not wait forever
            else:
                return None
            if delay_s is not None:
                await asyncio.sleep(delay_s)
        return refusal

    def _append_now(self, batches: Sequence[PositionBatch]) -> None:
        new = records(batches, self._partition_count)
        with timed(metrics.log_append_seconds.labels(POSITIONS)):
            self._producer.append(new, timeout_s=APPEND_TIMEOUT_S)
        metrics.log_records.labels(POSITIONS).inc(len(new))
        counts = np.bincount(np.concatenate([positions.sources for positions in batches]), minlength=1)
        for source in PositionSource:
            if source < len(counts) and counts[source]:
                metrics.positions_in.labels(source.name).inc(int(counts[source]))


def records(batches: Sequence[PositionBatch], partition_count: int) -> list[NewRecord]:
    """The records of `batches`, in order; within a partition positions keep the order they came in."""
    found = []
    for positions in _gathered(batches):
        partition = partitions(positions.vehicle_ids, partition_count)
        order = np.argsort(partition.astype(np.int16), kind="stable")  # radix sort, which numpy has for 16 bits
        ends = np.cumsum(np.bincount(partition, minlength=partition_count))
        for number, (start, end) in enumerate(zip((0, *ends[:-1]), ends, strict=True)):
            if start < end:
                found.append(NewRecord(POSITIONS, number, encode(positions.take(order[start:end]))))
    return found


def _gathered(batches: Sequence[PositionBatch]) -> list[PositionBatch]:
    """Consecutive batches as one where they fit into a record."""
    groups: list[list[PositionBatch]] = [[]]
    count = 0
    for positions in (part for whole in batches for part in _parts(whole)):
        if count + len(positions) > RECORD_POSITIONS_MAX:
            groups.append([])
            count = 0
        groups[-1].append(positions)
        count += len(positions)
    return [group[0] if len(group) == 1 else joined(group) for group in groups if group]


def _parts(positions: PositionBatch) -> list[PositionBatch]:
    if len(positions) <= RECORD_POSITIONS_MAX:
        return [positions]
    rows = np.arange(len(positions))
    return [
        positions.take(rows[start : start + RECORD_POSITIONS_MAX])
        for start in range(0, len(rows), RECORD_POSITIONS_MAX)
    ]
