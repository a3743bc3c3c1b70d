"""The event log on Kafka, through kafka-python 3."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from kafka import KafkaAdminClient as Admin
from kafka import KafkaConsumer as Reader
from kafka import TopicPartition as KafkaPlace
from kafka.admin import ConfigResource, ConfigResourceType, OffsetSpec
from kafka.errors import TopicAlreadyExistsError

from common.errors import NotAllowedNow, Unavailable
from common.infra.log import GroupCallbacks, Record, Topic, TopicPartition
from common.infra.log_kafka_client import (
    BATCH_BYTES_MAX,
    CONNECT_TIMEOUT_S,
    Deadline,
    asked,
    check_fast_checksums,
    connected,
    unavailable_when_away,
)
from common.infra.log_kafka_consumer import FETCH_BYTES_MAX, KafkaConsumer, as_record
from common.infra.log_kafka_producer import KafkaProducer

READ_TIMEOUT_S = 10.0
POLL_S = 0.05
IDLE_READERS_MAX = 4
SEGMENTS_PER_RETENTION = 8  # records outlive their time by an eighth of it at most
SEGMENT_MS_MIN = 60_000


class KafkaLog:
    """Where producers and consumers come from. Thread-safe; connects when first used.

    `addresses`: host:port[,host:port]."""

    def __init__(self, addresses: str) -> None:
        check_fast_checksums()
        self._addresses = addresses
        self._lock = threading.Lock()
        self._opened: Any = None
        self._idle_readers: list[Any] = []

    def create_topics(self, topics: Sequence[Topic]) -> None:
        """Make these topics; those that exist stay (a different partition count raises NotAllowedNow)."""
        there = self._partition_counts()
        for topic in topics:
            if topic.name not in there:
                self._create(topic)
        counts = self._settled_counts(topics)
        for topic in topics:
            if counts.get(topic.name) != topic.partition_count:
                raise NotAllowedNow(
                    "PARTITION_COUNT_FIXED",
                    f"topic {topic.name} has {counts.get(topic.name)} partitions and keeps them:"
                    f" {topic.partition_count} would send vehicles to other partitions",
                )
            if topic.name in there:
                self._configure(topic)

    def producer(self) -> KafkaProducer:
        """A new producer."""
        return KafkaProducer(self._addresses, lambda topic: topic in self._partition_counts())

    def consumer(self, group: str, topics: Sequence[str], callbacks: GroupCallbacks | None = None) -> KafkaConsumer:
        """A new member of `group`."""
        return KafkaConsumer(self._addresses, group, topics, callbacks or GroupCallbacks())

    def read(self, partition: TopicPartition, offset: int, *, records_max: int = 500) -> list[Record]:
        """Up to `records_max` records from `offset` on, without a group; empty at the end. An offset older than the
        oldest record reads from the oldest."""
        oldest, end = self.bounds(partition)
        offset = max(offset, oldest)
        count = min(records_max, end - offset)
        found: list[Record] = []
        if count <= 0:
            return found
        deadline = Deadline(READ_TIMEOUT_S)
        with self._reader() as reader, unavailable_when_away():
            reader.assign([KafkaPlace(*partition)])
            reader.seek(KafkaPlace(*partition), offset)
            while len(found) < count and deadline.left_s():
                for records in reader.poll(deadline.left_ms(), max_records=count - len(found)).values():
                    found += map(as_record, records)
        if not found:
            raise Unavailable("LOG_UNAVAILABLE", f"Kafka has not sent what it holds of {partition}")
        return found

    def bounds(self, partition: TopicPartition) -> tuple[int, int]:
        """The oldest offset and the offset that the next record will get."""
        return self._offset(partition, OffsetSpec.EARLIEST), self._offset(partition, OffsetSpec.LATEST)

    def committed(self, group: str, partition: TopicPartition) -> int | None:
        """What the group has committed; None when nothing."""
        place = KafkaPlace(*partition)
        known = asked(lambda: self._admin().list_group_offsets({group: [place]}))[group].get(place)
        return None if known is None or known.offset < 0 else int(known.offset)

    def drop_old_records(self) -> int:
        """0: the broker applies retention by itself."""
        return 0

    def ping(self) -> None:
        """Raise Unavailable when the log does not answer."""
        with unavailable_when_away():
            self._admin().describe_cluster()

    def close(self) -> None:
        """Let go of everything."""
        with self._lock:
            clients = [*self._idle_readers, *([self._opened] if self._opened else [])]
            self._idle_readers, self._opened = [], None
        for client in clients:
            client.close()

    def _admin(self) -> Admin:
        with self._lock:
            if self._opened is None:
                self._opened = connected(Admin, self._addresses, timeout_s=CONNECT_TIMEOUT_S)
            return self._opened

    @contextmanager
    def _reader(self) -> Iterator[Reader]:
        """A client for one reading at a time; a few are kept, because making one takes a tenth of a second."""
        with self._lock:
            reader = self._idle_readers.pop() if self._idle_readers else None
        if reader is None:
            reader = connected(
                Reader,
                self._addresses,
                timeout_s=CONNECT_TIMEOUT_S,
                group_id=None,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                allow_auto_create_topics=False,
                fetch_max_bytes=FETCH_BYTES_MAX,
                max_partition_fetch_bytes=BATCH_BYTES_MAX,
                metrics_enabled=False,
            )
        try:
            yield reader
        except BaseException:
            reader.close()
            raise
        with self._lock:
            kept = len(self._idle_readers) < IDLE_READERS_MAX
            if kept:
                self._idle_readers.append(reader)
        if not kept:
            reader.close()

    def _offset(self, partition: TopicPartition, spec: OffsetSpec) -> int:
        place = KafkaPlace(*partition)
        return int(asked(lambda: self._admin().list_partition_offsets({place: spec}))[place].offset)

    def _partition_counts(self) -> dict[str, int]:
        return {topic["name"]: len(topic["partitions"]) for topic in self._described()}

    def _described(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = asked(lambda: self._admin().describe_topics())
        return found

    def _settled_counts(self, topics: Sequence[Topic]) -> dict[str, int]:
        """The partition counts once the broker tells of all `topics` and who leads each partition: what was just made
        may appear late, and a client that learns of a partition without a leader is slow to ask again."""
        deadline = Deadline(READ_TIMEOUT_S)
        while True:
            parts = {topic["name"]: topic["partitions"] for topic in self._described()}
            led = all(part["leader_id"] >= 0 for topic in topics for part in parts.get(topic.name, ()))
            if (led and all(topic.name in parts for topic in topics)) or not deadline.left_s():
                return {name: len(found) for name, found in parts.items()}
            time.sleep(POLL_S)

    def _create(self, topic: Topic) -> None:
        wanted = {topic.name: {"num_partitions": topic.partition_count, "configs": configs_of(topic)}}
        try:
            with unavailable_when_away():
                self._admin().create_topics(wanted, wait_for_metadata=True)
        except Unavailable as error:
            if not isinstance(error.__cause__, TopicAlreadyExistsError):
                raise  # else another process was quicker

    def _configure(self, topic: Topic) -> None:
        resource = ConfigResource(ConfigResourceType.TOPIC, topic.name, configs_of(topic))
        asked(lambda: self._admin().alter_configs([resource]))


def configs_of(topic: Topic) -> dict[str, str]:
    """What the broker has to know of a topic."""
    return {
        "retention.ms": str(topic.retention_ms),
        "segment.ms": str(max(SEGMENT_MS_MIN, topic.retention_ms // SEGMENTS_PER_RETENTION)),
        "max.message.bytes": str(BATCH_BYTES_MAX),
        "message.timestamp.type": "LogAppendTime",
    }
