"""What only the event log in PostgreSQL promises; what both promise is in log_conformance.py."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from common.infra.log import NewRecord, Topic, TopicPartition
from common.infra.log_postgres import PostgresLog

pytestmark = [pytest.mark.enable_socket, pytest.mark.services("postgres")]

HOUR_MS = 3_600_000


@pytest.fixture
def log(postgres_url: str) -> Iterator[PostgresLog]:
    log = PostgresLog(postgres_url)
    yield log
    log.close()


def test_an_appended_record_is_polled_and_committed(log: PostgresLog) -> None:
    log.create_topics([Topic("first", 2, HOUR_MS)])
    producer, consumer = log.producer(), log.consumer("readers", ["first"])
    try:
        assert producer.append([NewRecord("first", 1, b"one"), NewRecord("first", 0, b"two")]) == [0, 0]
        records = consumer.poll(timeout_ms=1000)
        assert sorted((record.partition, record.value) for record in records) == [(0, b"two"), (1, b"one")]
        consumer.commit({TopicPartition("first", 1): 1})
        assert log.committed("readers", TopicPartition("first", 1)) == 1
        assert log.committed("readers", TopicPartition("first", 0)) is None
    finally:
        producer.close()
        consumer.close()
