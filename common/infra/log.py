"""The event log: topics of ordered, durable records, in PostgreSQL (log_postgres) or in Kafka (log_kafka).

Promises that the conformance suite holds every implementation to: order within a partition; an appended record is
durable when `append` returns; at-least-once after a crash; commit and resume; one owner per partition in a group;
back-pressure by pause and resume; large records up to RECORD_BYTES_MAX.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

RECORD_BYTES_MAX = 8 * 1024 * 1024  # a record above this is a mistake: 100,000 positions take 6 MB


class TopicPartition(NamedTuple):
    """A place in the log where order holds."""

    topic: str
    partition: int


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic to be created. `retention_ms`: how long records stay at least."""

    name: str
    partition_count: int
    retention_ms: int


@dataclass(frozen=True, slots=True)
class NewRecord:
    """A record to append."""

    topic: str
    partition: int
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class Record:
    """A record as read."""

    topic: str
    partition: int
    offset: int
    value: bytes
    append_time_ms: int
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class GroupCallbacks:
    """Called from inside `poll` when ownership changes. `assigned` returns where to start, or nothing to start at the
    committed offset (the oldest record where none is committed)."""

    assigned: Callable[[Sequence[TopicPartition]], Mapping[TopicPartition, int]] = field(default=lambda _: {})
    revoked: Callable[[Sequence[TopicPartition]], None] = field(default=lambda _: None)


class Producer(Protocol):
    """Appends records. Thread-safe."""

    def append(self, records: Sequence[NewRecord], *, timeout_s: float = 30.0) -> list[int]:
        """The offset of each record; returns when all are durable. Raises Unavailable after `timeout_s`; some may then
        have been appended, so repeat the call: readers cope with repeats."""

    def close(self) -> None:
        """Let go of connections."""


class Consumer(Protocol):
    """Reads partitions as a member of a group. Used from one thread."""

    def poll(self, *, timeout_ms: int, records_max: int = 500, bytes_max: int = 64 * 1024 * 1024) -> list[Record]:
        """The next records of the owned partitions, in order within each; empty after `timeout_ms`."""

    def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Remember for the group the next offset to read. Raises Unavailable when ownership was lost."""

    def pause(self, partitions: Sequence[TopicPartition]) -> None:
        """Stop returning records of these."""

    def resume(self, partitions: Sequence[TopicPartition]) -> None:
        """Return records of these again."""

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Read `partition` from `offset` next."""

    def assignment(self) -> set[TopicPartition]:
        """What this member owns now."""

    def lag(self) -> dict[TopicPartition, int]:
        """How many records of each owned partition are not read yet."""

    def close(self) -> None:
        """Leave the group at once."""


class EventLog(Protocol):
    """Where producers and consumers come from. Thread-safe."""

    def create_topics(self, topics: Sequence[Topic]) -> None:
        """Make these topics; those that exist stay (a different partition count raises NotAllowedNow)."""

    def producer(self) -> Producer:
        """A new producer."""

    def consumer(self, group: str, topics: Sequence[str], callbacks: GroupCallbacks | None = None) -> Consumer:
        """A new member of `group`."""

    def read(self, partition: TopicPartition, offset: int, *, records_max: int = 500) -> list[Record]:
        """Up to `records_max` records from `offset` on, without a group; empty at the end. An offset older than the
        oldest record reads from the oldest."""

    def bounds(self, partition: TopicPartition) -> tuple[int, int]:
        """The oldest offset and the offset that the next record will get."""

    def committed(self, group: str, partition: TopicPartition) -> int | None:
        """What the group has committed; None when nothing."""

    def drop_old_records(self) -> int:
        """Apply retention where the server does not do it itself. How many stored partitions were dropped."""

    def ping(self) -> None:
        """Raise Unavailable when the log does not answer."""

    def close(self) -> None:
        """Let go of everything."""
