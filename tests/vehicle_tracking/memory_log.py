"""An event log in memory, for scenarios that crash: what was appended and committed outlives members."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from common.errors import Unavailable
from common.infra.log import Consumer, GroupCallbacks, NewRecord, Producer, Record, Topic, TopicPartition

APPEND_TIME_MS = 1_700_000_000_000


class MemoryLog:
    """One process's worth of event log. `away`: every call is refused while it is true. `oldest_offset`: what lies
    before it in any partition has been dropped."""

    def __init__(self) -> None:
        self.records: dict[TopicPartition, list[Record]] = defaultdict(list)
        self.commits: dict[tuple[str, TopicPartition], int] = {}
        self.partition_counts: dict[str, int] = {}
        self.away = False
        self.oldest_offset = 0

    def create_topics(self, topics: Sequence[Topic]) -> None:
        self.partition_counts |= {topic.name: topic.partition_count for topic in topics}

    def producer(self) -> Producer:
        return MemoryProducer(self)

    def consumer(self, group: str, topics: Sequence[str], callbacks: GroupCallbacks | None = None) -> Consumer:
        return MemoryConsumer(self, group, topics, callbacks or GroupCallbacks())

    def read(self, partition: TopicPartition, offset: int, *, records_max: int = 500) -> list[Record]:
        self.ping()
        start = max(offset, self.oldest_offset)
        return self.records[partition][start : start + records_max]

    def bounds(self, partition: TopicPartition) -> tuple[int, int]:
        return min(self.oldest_offset, len(self.records[partition])), len(self.records[partition])

    def committed(self, group: str, partition: TopicPartition) -> int | None:
        return self.commits.get((group, partition))

    def drop_old_records(self) -> int:
        return 0

    def ping(self) -> None:
        if self.away:
            raise Unavailable("LOG_UNAVAILABLE", "the log is away")

    def close(self) -> None:
        pass

    def values(self, topic: str) -> list[bytes]:
        """Every value of a topic, partition after partition."""
        places = sorted(place for place in self.records if place.topic == topic)
        return [record.value for place in places for record in self.records[place]]


class MemoryProducer:
    def __init__(self, log: MemoryLog) -> None:
        self._log = log

    def append(self, records: Sequence[NewRecord], *, timeout_s: float = 30.0) -> list[int]:
        self._log.ping()
        offsets = []
        for new in records:
            kept = self._log.records[TopicPartition(new.topic, new.partition)]
            offsets.append(len(kept))
            kept.append(Record(new.topic, new.partition, len(kept), new.value, APPEND_TIME_MS, new.headers))
        return offsets

    def close(self) -> None:
        pass


class MemoryConsumer:
    """A member that owns every partition of its topics from its first poll on."""

    def __init__(self, log: MemoryLog, group: str, topics: Sequence[str], callbacks: GroupCallbacks) -> None:
        self._log = log
        self._group = group
        self._callbacks = callbacks
        self._places = [TopicPartition(topic, n) for topic in topics for n in range(log.partition_counts[topic])]
        self._next: dict[TopicPartition, int] = {}
        self.paused: set[TopicPartition] = set()

    def poll(self, *, timeout_ms: int, records_max: int = 500, bytes_max: int = 64 * 1024 * 1024) -> list[Record]:
        self._log.ping()
        if not self._next:
            starts = self._callbacks.assigned(self._places)
            for place in self._places:
                self._next[place] = starts.get(place, self._log.committed(self._group, place) or 0)
        found: list[Record] = []
        for place in self._places:
            if place not in self.paused:
                found += self._log.read(place, self._next[place], records_max=records_max - len(found))
                self._next[place] += sum(record.partition == place.partition for record in found)
                if len(found) >= records_max:
                    break
        return found

    def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        self._log.ping()
        self._log.commits |= {(self._group, place): offset for place, offset in offsets.items()}

    def pause(self, partitions: Sequence[TopicPartition]) -> None:
        self.paused |= set(partitions)

    def resume(self, partitions: Sequence[TopicPartition]) -> None:
        self.paused -= set(partitions)

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self._next[partition] = offset

    def assignment(self) -> set[TopicPartition]:
        return set(self._next)

    def lag(self) -> dict[TopicPartition, int]:
        return {place: len(self._log.records[place]) - offset for place, offset in self._next.items()}

    def close(self) -> None:
        self._callbacks.revoked(list(self._next))
