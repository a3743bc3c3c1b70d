"""Where an event log under test is, and small things that every test of it does."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Protocol

from common.errors import Unavailable
from common.infra.log import Consumer, EventLog, GroupCallbacks, NewRecord, Record, Topic, TopicPartition

ROOT = Path(__file__).resolve().parents[3]
HOUR_MS = 3_600_000
WAIT_S = 40.0  # for what must come at last: a Kafka group on a busy machine takes its time
_numbers = count(1)

# A member in a process of its own, to be stopped or killed: prints a line for every record and for every answer.
MEMBER = """
import sys
from common.errors import Unavailable
from common.infra.log import TopicPartition
from tests.common.infra.log_place import LogPlace
kind, address, group, topic = sys.argv[1:]
log = LogPlace(kind, address).open()
consumer = log.consumer(group, [topic])
seen = 0
while not seen:
    for record in consumer.poll(timeout_ms=200):
        print("record", record.partition, record.offset, flush=True)
        seen += 1
for line in sys.stdin:
    partition, offset = map(int, line.split())
    try:
        consumer.commit({TopicPartition(topic, partition): offset})
        print("committed", flush=True)
    except Unavailable:
        print("refused", flush=True)
"""


@dataclass(frozen=True, slots=True)
class LogPlace:
    """An event log of one kind, `postgres` or `kafka`."""

    kind: str
    address: str

    def open(self) -> EventLog:
        """A new client of it."""
        if self.kind == "kafka":
            from common.infra.log_kafka import KafkaLog

            return KafkaLog(self.address)
        from common.infra.log_postgres import PostgresLog

        return PostgresLog(self.address, session_timeout_s=4.0)

    def member(self, group: str, topic: str) -> subprocess.Popen[str]:
        """A member of `group` in a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-c", MEMBER, self.kind, self.address, group, topic],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )


class Restartable(Protocol):
    """A server that a test may take away and bring back."""

    def start(self) -> object: ...

    def kill(self) -> None: ...


def new_topic(log: EventLog, *, partition_count: int = 2) -> str:
    """A topic that nobody else uses."""
    name = f"conformance-{next(_numbers)}"
    log.create_topics([Topic(name, partition_count, HOUR_MS)])
    return name


def append(log: EventLog, records: Sequence[NewRecord]) -> list[int]:
    """The offsets of records appended by a producer of their own."""
    producer = log.producer()
    try:
        return producer.append(records)
    finally:
        producer.close()


def numbered(topic: str, partition: int, numbers: range) -> list[NewRecord]:
    """Records whose values count."""
    return [NewRecord(topic, partition, str(number).encode()) for number in numbers]


def polled(consumer: Consumer, *, number: int, within_s: float = WAIT_S) -> list[Record]:
    """`number` records or more, or what came in time."""
    found: list[Record] = []
    deadline_s = time.monotonic() + within_s
    while len(found) < number and time.monotonic() < deadline_s:
        found += consumer.poll(timeout_ms=200)
    return found


def eventually(claim: Callable[[], bool], *, within_s: float = WAIT_S) -> bool:
    """Whether `claim` comes true in time."""
    deadline_s = time.monotonic() + within_s
    while not claim():
        if time.monotonic() >= deadline_s:
            return False
        time.sleep(0.02)
    return True


@contextmanager
def member_of(log: EventLog, group: str, topic: str, callbacks: GroupCallbacks | None = None) -> Iterator[Consumer]:
    """A member that leaves at the end."""
    consumer = log.consumer(group, [topic], callbacks)
    try:
        yield consumer
    finally:
        consumer.close()


@dataclass(eq=False)
class Reading:
    """A member in a thread: remembers what it read and owned; commits when it gives partitions up.
    `owners`: shared by all members of the group, to notice two owners of one partition."""

    log: EventLog
    group: str
    topic: str
    owners: dict[TopicPartition, Reading]
    records: list[Record] = field(default_factory=list)
    assigned: list[list[TopicPartition]] = field(default_factory=list)
    revoked: list[list[TopicPartition]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    owned: set[TopicPartition] = field(default_factory=set)
    _next: dict[TopicPartition, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Leave the group."""
        self._stopping.set()
        self._thread.join(WAIT_S)

    def _run(self) -> None:
        self.consumer = self.log.consumer(self.group, [self.topic], GroupCallbacks(self._begin, self._end))
        try:
            while not self._stopping.is_set():
                for record in self._poll():
                    place = TopicPartition(record.topic, record.partition)
                    if self.owners.get(place) is not self:
                        self.faults.append(f"read {place} of another owner")
                    if record.offset != self._next.setdefault(place, record.offset):
                        self.faults.append(f"read {record.offset} of {place} after {self._next[place] - 1}")
                    self._next[place] = record.offset + 1
                    self.records.append(record)
            self.consumer.close()
        except Exception as error:
            self.faults.append(repr(error))
            raise

    def _poll(self) -> list[Record]:
        try:
            return self.consumer.poll(timeout_ms=50)
        except Unavailable:
            self._stopping.wait(0.1)
            return []

    def _begin(self, places: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        for place in places:
            if self.owners.setdefault(place, self) is not self:
                self.faults.append(f"given {place}, which another still owns")
            self._next.pop(place, None)
        self.assigned.append(list(places))
        self.owned |= set(places)
        return {}

    def _end(self, places: Sequence[TopicPartition]) -> None:
        with suppress(Unavailable):
            self.consumer.commit({place: self._next[place] for place in places if place in self._next})
        for place in places:
            if self.owners.get(place) is self:
                del self.owners[place]
        self.revoked.append(list(places))
        self.owned -= set(places)
