"""Appends to Kafka: idempotent, acknowledged by all replicas in sync, compressed by lz4."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from kafka import KafkaProducer as Client
from kafka.errors import KafkaTimeoutError

from common.errors import InvalidInput, NotFound, Unavailable, Violation
from common.infra.log import RECORD_BYTES_MAX, NewRecord
from common.infra.log_kafka_client import BATCH_BYTES_MAX, METADATA_AGE_MS, Deadline, connected, unavailable_when_away

SEND_BATCH_BYTES = 1024 * 1024  # records of one partition that wait together leave together
METADATA_TIMEOUT_S = 1.0
DELIVERY_TIMEOUT_S = 30.0  # a record given up by `append` is not sent later than this
CLOSE_TIMEOUT_S = 1.0


class KafkaProducer:
    """Appends records. Thread-safe."""

    def __init__(self, addresses: str, topic_exists: Callable[[str], bool]) -> None:
        self._addresses = addresses
        self._topic_exists = topic_exists
        self._client: Client | None = None
        self._lock = threading.Lock()
        self._partitions: dict[str, set[int]] = {}

    def append(self, records: Sequence[NewRecord], *, timeout_s: float = 30.0) -> list[int]:
        """The offset of each record; returns when all are durable. Raises Unavailable after `timeout_s`; some may then
        have been appended, or be within DELIVERY_TIMEOUT_S."""
        check_sizes(records)
        deadline = Deadline(timeout_s)
        client = self._connected(deadline)
        for record in records:
            if record.partition not in self._partitions_of(client, record.topic, deadline):
                raise InvalidInput(Violation("partition", f"topic {record.topic} has no partition {record.partition}"))
        with unavailable_when_away():
            sent = [
                client.send(record.topic, record.value, headers=list(record.headers), partition=record.partition)
                for record in records
            ]
            return [future.get(deadline.left_s()).offset for future in sent]

    def close(self) -> None:
        """Let go of connections."""
        with self._lock:
            client, self._client = self._client, None
        if client is None:
            return
        try:
            client.close(CLOSE_TIMEOUT_S)
        except KafkaTimeoutError:
            client._sender.force_close()  # no public way to give up what nobody waits for any more
            client.close(CLOSE_TIMEOUT_S)

    def _connected(self, deadline: Deadline) -> Client:
        with self._lock:
            if self._client is None:
                self._client = connected(
                    Client,
                    self._addresses,
                    timeout_s=deadline.left_s(),
                    acks="all",
                    enable_idempotence=True,
                    metadata_max_age_ms=METADATA_AGE_MS,
                    compression_type="lz4",
                    batch_size=SEND_BATCH_BYTES,
                    max_request_size=BATCH_BYTES_MAX,
                    max_block_ms=round(METADATA_TIMEOUT_S * 1000),
                    delivery_timeout_ms=round(DELIVERY_TIMEOUT_S * 1000),
                    allow_auto_create_topics=False,
                    metrics_enabled=False,
                )
            return self._client

    def _partitions_of(self, client: Client, topic: str, deadline: Deadline) -> set[int]:
        """Asked for before `send`, which would wait for longer than we may."""
        while topic not in self._partitions:
            try:
                with unavailable_when_away():
                    self._partitions[topic] = client.partitions_for(topic)
            except Unavailable:
                if not deadline.left_s():
                    raise
                if not self._topic_exists(topic):
                    raise NotFound("topic", f"{topic} in the event log; `xiangtong prepare` makes it") from None
        return self._partitions[topic]


def check_sizes(records: Sequence[NewRecord]) -> None:
    """Raise InvalidInput for a record that is too large."""
    for record in records:
        if len(record.value) > RECORD_BYTES_MAX:
            message = f"a record of {len(record.value)} bytes; at most {RECORD_BYTES_MAX} are stored"
            raise InvalidInput(Violation("value", message))
