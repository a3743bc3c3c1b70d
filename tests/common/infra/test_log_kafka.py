"""The event log on Kafka: what only Kafka has. test_log holds both implementations to the interface's promises."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path

import kafka.record.util
import pytest
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType

from common.errors import InvalidInput, NotAllowedNow, NotFound, Unavailable
from common.infra.log import RECORD_BYTES_MAX, Consumer, GroupCallbacks, NewRecord, Record, Topic, TopicPartition
from common.infra.log_kafka import KafkaLog
from tests.real_servers import KafkaServer

pytestmark = [pytest.mark.enable_socket, pytest.mark.services("kafka")]

DAY_MS = 86_400_000
SESSION_END_S = 20.0
ROOT = Path(__file__).resolve().parents[3]
VICTIM = """
import sys, time
from common.infra.log_kafka import KafkaLog
member = KafkaLog(sys.argv[1]).consumer("killed", [sys.argv[2]])
while len(member.assignment()) < 2:
    member.poll(timeout_ms=100)
print(len(member.assignment()), flush=True)
time.sleep(60)
"""
_numbers = count(1)


@pytest.fixture
def log(kafka_address: str) -> Iterator[KafkaLog]:
    opened = KafkaLog(kafka_address)
    yield opened
    opened.close()


@pytest.fixture
def topic(log: KafkaLog) -> str:
    name = f"kafka-{next(_numbers)}"
    log.create_topics([Topic(name, 2, DAY_MS)])
    return name


def append(log: KafkaLog, topic: str, *values: bytes, partition: int = 0) -> list[int]:
    producer = log.producer()
    try:
        return producer.append([NewRecord(topic, partition, value) for value in values])
    finally:
        producer.close()


def polled(consumer: Consumer, *, number: int, within_s: float = SESSION_END_S) -> list[Record]:
    """`number` records, or what came in time."""
    found: list[Record] = []
    deadline_s = time.monotonic() + within_s
    while len(found) < number and time.monotonic() < deadline_s:
        found += consumer.poll(timeout_ms=200)
    return found


def test_records_come_back_as_they_were_appended(log: KafkaLog, topic: str) -> None:
    producer = log.producer()
    assert producer.append([NewRecord(topic, 1, b"a", (("reason", b"x"),)), NewRecord(topic, 1, b"b")]) == [0, 1]
    producer.close()
    first, second = log.read(TopicPartition(topic, 1), 0)
    assert (first.value, first.headers, first.offset) == (b"a", (("reason", b"x"),), 0)
    assert (second.value, second.headers, second.offset) == (b"b", (), 1)
    assert log.read(TopicPartition(topic, 1), 2) == log.read(TopicPartition(topic, 0), 0) == []
    assert log.bounds(TopicPartition(topic, 1)) == (0, 2)


def test_topics_carry_retention_and_large_records(log: KafkaLog, kafka_address: str, topic: str) -> None:
    log.create_topics([Topic(topic, 2, 2 * DAY_MS)])  # what was made with another retention takes the new one
    with KafkaAdminClient(bootstrap_servers=[kafka_address]) as admin:
        found = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    configs = {name: entry["value"] for name, entry in found["topic"][topic].items()}
    assert configs["retention.ms"] == str(2 * DAY_MS)
    assert configs["segment.ms"] == str(DAY_MS // 4)
    assert int(configs["max.message.bytes"]) > RECORD_BYTES_MAX
    assert configs["message.timestamp.type"] == "LogAppendTime"


def test_another_partition_count_is_refused(log: KafkaLog, topic: str) -> None:
    log.create_topics([Topic(topic, 2, DAY_MS)])
    with pytest.raises(NotAllowedNow, match="has 2 partitions and keeps them"):
        log.create_topics([Topic(topic, 3, DAY_MS)])


def test_a_topic_that_is_not_there_is_named(log: KafkaLog) -> None:
    with pytest.raises(NotFound, match="nowhere"):
        log.bounds(TopicPartition("nowhere", 0))
    with pytest.raises(NotFound, match="nowhere"):
        append(log, "nowhere", b"a")


def test_what_the_log_cannot_hold_is_refused(log: KafkaLog, topic: str) -> None:
    assert append(log, topic, os.urandom(RECORD_BYTES_MAX)) == [0]
    assert len(log.read(TopicPartition(topic, 0), 0)[0].value) == RECORD_BYTES_MAX
    with pytest.raises(InvalidInput, match="8388609 bytes"):
        append(log, topic, bytes(RECORD_BYTES_MAX + 1))
    with pytest.raises(InvalidInput, match="no partition 2"):
        append(log, topic, b"a", partition=2)


def test_a_poll_stops_at_its_bytes_and_loses_nothing(log: KafkaLog, topic: str) -> None:
    append(log, topic, *(bytes([n]) * 1000 for n in range(10)))
    consumer = log.consumer("bytes", [topic])
    sizes: list[int] = []
    values: list[int] = []
    while len(values) < 10:
        records = consumer.poll(timeout_ms=500, bytes_max=3500)
        sizes.append(len(records))
        values += [record.value[0] for record in records]
    assert values == list(range(10))
    assert max(sizes) == 3
    consumer.close()


def test_what_was_fetched_of_a_paused_partition_waits(log: KafkaLog, topic: str) -> None:
    append(log, topic, b"0", b"1", b"2")
    place = TopicPartition(topic, 0)
    consumer = log.consumer("paused", [topic])
    assert [record.value for record in polled_one(consumer)] == [b"0"]
    consumer.pause([place])
    assert consumer.poll(timeout_ms=300) == []
    assert consumer.lag()[place] == 2
    consumer.resume([place])
    assert [record.value for record in polled(consumer, number=2)] == [b"1", b"2"]
    consumer.seek(place, 1)
    assert [record.value for record in polled(consumer, number=2)] == [b"1", b"2"]
    consumer.close()


def polled_one(consumer: Consumer) -> list[Record]:
    deadline_s = time.monotonic() + SESSION_END_S
    while time.monotonic() < deadline_s:
        if records := consumer.poll(timeout_ms=200, bytes_max=1):
            return records
    return []


def test_a_slow_callback_keeps_its_membership(log: KafkaLog, topic: str) -> None:
    """Loading a checkpoint may take longer than the session of a member that sends no heartbeats."""
    append(log, topic, b"a")
    began: list[float] = []

    def assigned(places: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        began.append(time.monotonic())
        time.sleep(10)
        return {}

    consumer = log.consumer("slow", [topic], GroupCallbacks(assigned=assigned))
    assert [record.value for record in polled(consumer, number=1, within_s=40)] == [b"a"]
    consumer.commit({TopicPartition(topic, 0): 1})
    assert len(began) == 1
    consumer.close()


def test_what_a_callback_raises_comes_out_of_poll(log: KafkaLog, topic: str) -> None:
    def assigned(places: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        raise ArithmeticError("no checkpoint")

    consumer = log.consumer("raising", [topic], GroupCallbacks(assigned=assigned))
    with pytest.raises(ArithmeticError, match="no checkpoint"):
        polled(consumer, number=1)
    consumer.close()


def test_the_partitions_of_a_killed_member_move_after_its_session(
    log: KafkaLog, kafka_address: str, topic: str
) -> None:
    append(log, topic, b"a")
    append(log, topic, b"b", partition=1)
    victim = subprocess.Popen([sys.executable, "-c", VICTIM, kafka_address, topic], cwd=ROOT, stdout=subprocess.PIPE)
    assert victim.stdout is not None
    assert victim.stdout.readline() == b"2\n"
    victim.kill()
    victim.communicate()
    killed_s = time.monotonic()
    consumer = log.consumer("killed", [topic])
    assert sorted(record.value for record in polled(consumer, number=2)) == [b"a", b"b"]
    assert time.monotonic() - killed_s < 16  # 8 s of session, the rest is for a busy machine
    consumer.close()


def test_members_share_and_hand_over_in_order(log: KafkaLog, topic: str) -> None:
    """What one gives up the other takes only afterwards, from where its callback says."""
    append(log, topic, *(b"%d" % n for n in range(5)))
    append(log, topic, *(b"%d" % n for n in range(5)), partition=1)
    events: list[tuple[str, str, int]] = []
    members: dict[str, Consumer] = {}

    def member(name: str) -> Consumer:
        def assigned(places: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
            events.extend((name, "takes", place.partition) for place in places)
            return dict.fromkeys(places, 3)

        def revoked(places: Sequence[TopicPartition]) -> None:
            with suppress(Unavailable):  # so it is for who leaves while the group is being shared out anew
                members[name].commit(dict.fromkeys(places, 5))
            events.extend((name, "gives", place.partition) for place in places)

        members[name] = log.consumer("shared", [topic], GroupCallbacks(assigned, revoked))
        return members[name]

    first = member("first")
    assert sorted(r.offset for r in polled(first, number=4)) == [3, 3, 4, 4]
    second = member("second")
    found: list[Record] = []
    deadline_s = time.monotonic() + SESSION_END_S
    while len(found) < 2 and time.monotonic() < deadline_s:
        assert first.poll(timeout_ms=100) == []
        found += second.poll(timeout_ms=100)
    assert [record.offset for record in found] == [3, 4]
    moved = found[0].partition
    assert events[2:] == [("first", "gives", moved), ("second", "takes", moved)]
    assert first.assignment() | second.assignment() == {TopicPartition(topic, 0), TopicPartition(topic, 1)}
    assert log.committed("shared", TopicPartition(topic, moved)) == 5
    second.close()
    first.close()


def test_one_broker_that_is_not_there_is_unavailable_in_time(free_port: int) -> None:
    log = KafkaLog(f"127.0.0.1:{free_port}")
    threads = threading.active_count()
    producer = log.producer()
    started_s = time.monotonic()
    with pytest.raises(Unavailable):
        producer.append([NewRecord("t", 0, b"")], timeout_s=0.5)
    assert time.monotonic() - started_s < 3
    producer.close()
    with pytest.raises(Unavailable):
        log.ping()
    assert threading.active_count() == threads
    log.close()


def test_a_broker_that_dies_and_returns_is_found_again(kafka_server: KafkaServer) -> None:
    log = KafkaLog(kafka_server.address)
    log.create_topics([Topic("t", 1, DAY_MS)])
    place = TopicPartition("t", 0)
    producer, consumer = log.producer(), log.consumer("g", ["t"])
    producer.append([NewRecord("t", 0, b"before")])
    assert [record.value for record in polled(consumer, number=1)] == [b"before"]
    kafka_server.kill()
    started_s = time.monotonic()
    with pytest.raises(Unavailable):
        producer.append([NewRecord("t", 0, b"during")], timeout_s=1)
    with pytest.raises(Unavailable):
        log.ping()
    with pytest.raises(Unavailable):
        consumer.commit({place: 1})
    assert time.monotonic() - started_s < 20
    kafka_server.start()
    producer.append([NewRecord("t", 0, b"after")])
    assert b"after" in [record.value for record in polled(consumer, number=2)]
    consumer.commit({place: 2})
    assert log.committed("g", place) == 2
    log.ping()
    consumer.close()
    producer.close()
    log.close()


def test_everything_ends_while_the_broker_is_away(kafka_server: KafkaServer) -> None:
    threads = set(threading.enumerate())
    log = KafkaLog(kafka_server.address)
    log.create_topics([Topic("t", 1, DAY_MS)])
    producer, consumer = log.producer(), log.consumer("g", ["t"])
    producer.append([NewRecord("t", 0, b"before")])
    assert len(polled(consumer, number=1)) == len(log.read(TopicPartition("t", 0), 0)) == 1
    kafka_server.kill()
    with pytest.raises(Unavailable):
        producer.append([NewRecord("t", 0, b"during")], timeout_s=0.5)
    started_s = time.monotonic()
    producer.close()
    consumer.close()
    log.close()
    assert time.monotonic() - started_s < 10
    assert set(threading.enumerate()) <= threads


def test_slow_checksums_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka.record.util, "crc32c_c", None)
    with pytest.raises(RuntimeError, match="crc32c"):
        KafkaLog("127.0.0.1:9092")
