"""Members of a group on Kafka: cooperative rebalancing, offsets committed by hand."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from kafka import KafkaConsumer as Client
from kafka import OffsetAndMetadata
from kafka import TopicPartition as KafkaPlace
from kafka.consumer.subscription_state import AsyncConsumerRebalanceListener
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.errors import KafkaError
from kafka.future import Future

from common.errors import Unavailable
from common.infra.log import GroupCallbacks, Record, TopicPartition
from common.infra.log_kafka_client import (
    BATCH_BYTES_MAX,
    CONNECT_TIMEOUT_S,
    METADATA_AGE_MS,
    connected,
    unavailable_when_away,
)

SESSION_TIMEOUT_S = 8.0  # a killed member's partitions move after it; the least that brokers allow is 6 s
HEARTBEAT_S = 2.0
POLL_INTERVAL_S_MAX = 120.0  # a member that polls less often is thought stuck; the first compilation takes a minute
FETCH_BYTES_MAX = 32 * 1024 * 1024
ANSWER_TIMEOUT_MS = 3000
CLOSE_TIMEOUT_MS = 5000


class KafkaConsumer:
    """Reads partitions as a member of a group. Used from one thread."""

    def __init__(self, addresses: str, group: str, topics: Sequence[str], callbacks: GroupCallbacks) -> None:
        self._addresses = addresses
        self._group = group
        self._topics = list(topics)
        self._callbacks = callbacks
        self._opened: Client | None = None
        self._closed = False
        self._surplus: deque[Record] = deque()
        self._paused: set[TopicPartition] = set()

    def poll(self, *, timeout_ms: int, records_max: int = 500, bytes_max: int = 64 * 1024 * 1024) -> list[Record]:
        """The next records of the owned partitions, in order within each; empty after `timeout_ms`."""
        client = self._client()
        if not any(self._wanted(record) for record in self._surplus):
            with self._domain_errors():
                found = client.poll(timeout_ms, max_records=records_max)
            self._surplus += [as_record(record) for records in found.values() for record in records]
        return self._taken(records_max, bytes_max)

    def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Remember for the group the next offset to read. Raises Unavailable when ownership was lost."""
        wanted = {KafkaPlace(*place): OffsetAndMetadata(offset) for place, offset in offsets.items()}
        with unavailable_when_away():
            self._client().commit(wanted, timeout_ms=ANSWER_TIMEOUT_MS)

    def pause(self, partitions: Sequence[TopicPartition]) -> None:
        """Stop returning records of these."""
        self._paused.update(partitions)
        self._client().pause(*self._owned_among(partitions))

    def resume(self, partitions: Sequence[TopicPartition]) -> None:
        """Return records of these again."""
        self._paused.difference_update(partitions)
        self._client().resume(*self._owned_among(partitions))

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Read `partition` from `offset` next."""
        self._forget([partition])
        self._client().seek(KafkaPlace(*partition), offset)

    def assignment(self) -> set[TopicPartition]:
        """What this member owns now."""
        return {TopicPartition(*place) for place in self._opened.assignment()} if self._opened else set()

    def lag(self) -> dict[TopicPartition, int]:
        """How many records of each owned partition are not read yet."""
        owned = sorted(self.assignment())
        if not owned:
            return {}
        held = Counter(TopicPartition(record.topic, record.partition) for record in self._surplus)
        with unavailable_when_away():
            ends = self._client().end_offsets([KafkaPlace(*place) for place in owned], timeout_ms=ANSWER_TIMEOUT_MS)
            return {place: ends[place] - self._position(place) + held[place] for place in owned}

    def close(self) -> None:
        """Leave the group at once."""
        client, self._closed = self._opened, True
        if client is not None:
            with self._domain_errors():
                client.close(autocommit=False, timeout_ms=CLOSE_TIMEOUT_MS)  # callbacks may still commit
            self._opened = None

    def begin(self, places: Sequence[TopicPartition]) -> None:
        """Take partitions over, each from where the callback says."""
        for place, offset in self._callbacks.assigned(places).items():
            self._client().seek(KafkaPlace(*place), offset)

    def end(self, places: Sequence[TopicPartition]) -> None:
        """Give partitions up, with what was fetched of them."""
        self._forget(places)
        self._paused.difference_update(places)
        self._callbacks.revoked(places)

    def _client(self) -> Client:
        if self._opened is None:
            assert not self._closed, "a member that left the group does not come back"
            self._opened = connected(
                Client,
                self._addresses,
                timeout_s=CONNECT_TIMEOUT_S,
                group_id=self._group,
                enable_auto_commit=False,
                metadata_max_age_ms=METADATA_AGE_MS,
                auto_offset_reset="earliest",
                allow_auto_create_topics=False,
                partition_assignment_strategy=[CooperativeStickyAssignor],
                session_timeout_ms=round(SESSION_TIMEOUT_S * 1000),
                heartbeat_interval_ms=round(HEARTBEAT_S * 1000),
                max_poll_interval_ms=round(POLL_INTERVAL_S_MAX * 1000),
                fetch_max_bytes=FETCH_BYTES_MAX,
                max_partition_fetch_bytes=BATCH_BYTES_MAX,
                metrics_enabled=False,
            )
            self._listener = _Listener(self, self._opened)
            self._opened.subscribe(self._topics, listener=self._listener)
        return self._opened

    def _wanted(self, record: Record) -> bool:
        return (record.topic, record.partition) not in self._paused

    def _taken(self, records_max: int, bytes_max: int) -> list[Record]:
        """Fetched records up to both bounds, one at least; the rest waits for the next poll."""
        taken: list[Record] = []
        kept: deque[Record] = deque()
        size = 0
        for record in self._surplus:
            size += len(record.value) if self._wanted(record) else 0
            full = len(taken) >= records_max or (taken and size > bytes_max)
            (kept if full or not self._wanted(record) else taken).append(record)
        self._surplus = kept
        return taken

    def _forget(self, places: Sequence[TopicPartition]) -> None:
        self._surplus = deque(r for r in self._surplus if (r.topic, r.partition) not in set(places))

    def _owned_among(self, places: Sequence[TopicPartition]) -> list[KafkaPlace]:
        return [KafkaPlace(*place) for place in self.assignment().intersection(places)]

    def _position(self, place: TopicPartition) -> int:
        position: int | None = self._client().position(KafkaPlace(*place), timeout_ms=ANSWER_TIMEOUT_MS)
        if position is None:
            raise Unavailable("LOG_UNAVAILABLE", f"Kafka does not say where {place} begins")
        return position

    @contextmanager
    def _domain_errors(self) -> Iterator[None]:
        """What a callback raised, as it was raised, and Kafka's errors as Unavailable."""
        try:
            with unavailable_when_away():
                yield
        except Unavailable:
            error = self._listener.taken_error()
            if error is not None:
                raise error from None
            raise


class _Listener(AsyncConsumerRebalanceListener):  # type: ignore[misc]  # kafka-python is not typed
    """Runs callbacks beside Kafka's own thread, so that heartbeats go on while they take their time. The member's
    thread waits inside `poll` or `close` meanwhile: to the callbacks it is as if they ran there."""

    def __init__(self, member: KafkaConsumer, client: Client) -> None:
        self._member = member
        self._loop = client._net  # there is no public way to end a wait of Kafka's loop from another thread
        self._error: BaseException | None = None

    async def on_partitions_assigned(self, assigned: Iterable[KafkaPlace]) -> None:
        await self._run_beside(self._member.begin, assigned)

    async def on_partitions_revoked(self, revoked: Iterable[KafkaPlace]) -> None:
        await self._run_beside(self._member.end, revoked)

    def taken_error(self) -> BaseException | None:
        """What a callback has raised since the last time this was asked."""
        error, self._error = self._error, None
        return error

    async def _run_beside(
        self, callback: Callable[[Sequence[TopicPartition]], None], places: Iterable[KafkaPlace]
    ) -> None:
        done = Future()
        own = sorted(TopicPartition(*place) for place in places)

        def work() -> None:
            try:
                callback(own)
            except BaseException as error:
                self._error = error
            self._loop.call_soon_threadsafe(lambda: done.success(None))

        threading.Thread(target=work, name="group-callback", daemon=True).start()
        await done
        if self._error is not None:
            raise KafkaError("a callback of the group failed")


def as_record(found: Any) -> Record:
    """A record in our words."""
    return Record(found.topic, found.partition, found.offset, found.value, found.timestamp, tuple(found.headers))
