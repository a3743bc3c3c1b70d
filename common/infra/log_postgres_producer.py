"""Appending: what several threads append at the same moment shares one commit."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from common.errors import DomainError, InvalidInput, Unavailable, Violation
from common.infra.log import RECORD_BYTES_MAX, NewRecord
from common.infra.log_postgres_rows import PLAN_OPTIONS, packed
from common.infra.log_postgres_topics import StoredTopic, find_topics
from common.infra.postgres import BoundedConnection, connect, unavailable_when_away

COMMIT_BYTES_MAX = 64 * 1024 * 1024  # in memory here and in the server; far more than a commit needs to be efficient
RETRY_S = 0.1
ANSWER_TIMEOUT_S_MIN = 0.05


@dataclass(eq=False, slots=True)
class _Append:
    """What one thread wants appended."""

    records: Sequence[NewRecord]
    deadline_s: float
    offsets: list[int] = field(default_factory=list)
    done: bool = False
    error: DomainError | None = None


class PostgresProducer:
    """Appends records. Thread-safe: the first thread commits for those that come while it waits for its turn."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._turn = threading.Lock()
        self._queue_lock = threading.Lock()
        self._queue: list[_Append] = []
        self._connection: BoundedConnection | None = None
        self._topics: dict[str, StoredTopic] = {}

    def append(self, records: Sequence[NewRecord], *, timeout_s: float = 30.0) -> list[int]:
        """The offset of each record; returns when all are durable. Raises Unavailable after `timeout_s`."""
        _check_sizes(records)
        if not records:
            return []
        mine = _Append(records, time.monotonic() + timeout_s)
        with self._queue_lock:
            self._queue.append(mine)
        while not mine.done:
            if not self._turn.acquire(timeout=max(0.0, mine.deadline_s - time.monotonic())):
                self._withdraw(mine)
                raise Unavailable("LOG_UNAVAILABLE", f"the event log did not answer within {timeout_s} s")
            try:
                if not mine.done:
                    self._append_queued(mine.deadline_s)
            except BaseException:
                self._withdraw(mine)
                raise
            finally:
                self._turn.release()
        if mine.error is not None:
            raise mine.error
        return mine.offsets

    def close(self) -> None:
        """Let go of the connection."""
        with self._turn:
            self._disconnect()

    def _withdraw(self, mine: _Append) -> None:
        with self._queue_lock:
            if mine in self._queue:
                self._queue.remove(mine)

    def _append_queued(self, deadline_s: float) -> None:
        """Append what fits into one commit, for whoever waits. What is not settled by `deadline_s` or by a fault of our
        own stays in the queue: its thread tries for itself."""
        with self._queue_lock:
            taken = _fitting(self._queue)
            del self._queue[: len(taken)]
        try:
            self._settle(taken, deadline_s)
        finally:
            with self._queue_lock:
                self._queue[:0] = [append for append in taken if not append.done]

    def _settle(self, taken: Sequence[_Append], deadline_s: float) -> None:
        try:
            offsets = iter(self._append_until(taken, deadline_s))
        except Unavailable as error:
            for append in taken:
                if append.deadline_s <= deadline_s:
                    append.error, append.done = error, True
        except DomainError as error:
            if len(taken) == 1:
                taken[0].error, taken[0].done = error, True
                return
            for append in taken:  # nobody is refused for what another thread appends
                self._settle([append], deadline_s)
        else:
            for append in taken:
                append.offsets = [next(offsets) for _ in append.records]
                append.done = True

    def _append_until(self, taken: Sequence[_Append], deadline_s: float) -> list[int]:
        records = [record for append in taken for record in append.records]
        while True:
            try:
                with unavailable_when_away():
                    return self._append_once(records, deadline_s)
            except Unavailable:
                self._disconnect()
                if time.monotonic() + RETRY_S >= deadline_s:
                    raise
                time.sleep(RETRY_S)

    def _append_once(self, records: Sequence[NewRecord], deadline_s: float) -> list[int]:
        connection = self._connected(records)
        connection.answer_timeout_s = max(ANSWER_TIMEOUT_S_MIN, deadline_s - time.monotonic())
        order = sorted(
            range(len(records)), key=lambda n: (self._topics[records[n].topic].topic_id, records[n].partition)
        )
        offsets = [0] * len(records)
        for topic, places in _commits(records, order):
            found = self._call(connection, topic, [records[n] for n in places])
            for n, offset in zip(places, found, strict=True):
                offsets[n] = offset
        return offsets

    def _call(self, connection: BoundedConnection, topic: str, records: Sequence[NewRecord]) -> list[int]:
        cursor = connection.cursor(binary=True)
        cursor.execute(
            b"SELECT event_log.append(%b::int, %b::int[], %b::bytea[], %b::bytea[])",
            (
                self._topics[topic].topic_id,
                [record.partition for record in records],
                [record.value for record in records],
                [packed(record.headers) for record in records],
            ),
            prepare=True,
        )
        row = cursor.fetchone()
        assert row is not None, "a function returns a row"
        return list(row[0])

    def _connected(self, records: Sequence[NewRecord]) -> BoundedConnection:
        if self._connection is None:
            self._connection = connect(self._url, name="event-log-producer", options=PLAN_OPTIONS)
        unknown = {record.topic for record in records} - self._topics.keys()
        if unknown:
            self._topics |= find_topics(self._connection, sorted(unknown))
        for record in records:
            if not 0 <= record.partition < self._topics[record.topic].partition_count:
                raise InvalidInput(Violation("partition", f"topic {record.topic} has no partition {record.partition}"))
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None


def _check_sizes(records: Sequence[NewRecord]) -> None:
    for record in records:
        if len(record.value) > RECORD_BYTES_MAX:
            raise InvalidInput(
                Violation("value", f"a record of {len(record.value)} bytes; at most {RECORD_BYTES_MAX} are stored")
            )


def _fitting(queue: Sequence[_Append]) -> list[_Append]:
    """The first appends that together fit into one commit; the first in any case."""
    size = 0
    taken: list[_Append] = []
    for append in queue:
        size += sum(len(record.value) for record in append.records)
        if taken and size > COMMIT_BYTES_MAX:
            break
        taken.append(append)
    return taken


def _commits(records: Sequence[NewRecord], order: Sequence[int]) -> Iterator[tuple[str, list[int]]]:
    """Which records go together: of one topic, in order, and not more than a commit may hold."""
    places: list[int] = []
    size = 0
    for n in order:
        too_much = size + len(records[n].value) > COMMIT_BYTES_MAX
        if places and (too_much or records[places[0]].topic != records[n].topic):
            yield records[places[0]].topic, places
            places, size = [], 0
        places.append(n)
        size += len(records[n].value)
    yield records[places[0]].topic, places
