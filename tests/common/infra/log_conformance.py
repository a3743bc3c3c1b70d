"""What every event log promises of records (common/infra/log.py). test_log.py runs this against each implementation."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from common.errors import InvalidInput, NotAllowedNow, NotFound
from common.infra.log import RECORD_BYTES_MAX, EventLog, NewRecord, Record, Topic, TopicPartition
from tests.common.infra.log_place import HOUR_MS, LogPlace, append, member_of, new_topic, numbered, polled


class RecordConformance:
    """What is promised of records. Subclasses give the fixture `place`."""

    @pytest.fixture
    def log(self, place: LogPlace) -> Iterator[EventLog]:
        log = place.open()
        yield log
        log.close()

    def test_records_come_back_as_they_were_appended(self, log: EventLog) -> None:
        topic = new_topic(log)
        headers = (("reason", b"BAD_TIME"), ("topic", "湘".encode()), ("empty", b""))
        before_ms = time.time() * 1000
        assert append(log, [NewRecord(topic, 1, b"\0\xff", headers), NewRecord(topic, 1, b"")]) == [0, 1]
        poison, empty = log.read(TopicPartition(topic, 1), 0)
        assert (poison.topic, poison.partition, poison.offset) == (topic, 1, 0)
        assert (poison.value, poison.headers) == (b"\0\xff", headers)
        assert (empty.value, empty.headers, empty.offset) == (b"", (), 1)
        assert abs(poison.append_time_ms - before_ms) < 60_000

    def test_reading_without_a_group_is_bounded_and_ends_where_the_log_ends(self, log: EventLog) -> None:
        topic = new_topic(log)
        place = TopicPartition(topic, 0)
        assert (log.bounds(place), log.read(place, 0)) == ((0, 0), [])
        append(log, numbered(topic, 0, range(10)))
        assert log.bounds(place) == (0, 10)
        assert [record.offset for record in log.read(place, 3, records_max=4)] == [3, 4, 5, 6]
        assert [record.offset for record in log.read(place, -5, records_max=2)] == [0, 1]
        assert log.read(place, 10) == []
        assert log.bounds(TopicPartition(topic, 1)) == (0, 0)

    def test_one_append_may_go_to_many_partitions_and_topics(self, log: EventLog) -> None:
        first, second = new_topic(log, partition_count=3), new_topic(log)
        mixed = [NewRecord(t, p, b"x") for t, p in ((second, 1), (first, 2), (first, 0), (first, 2), (second, 1))]
        assert append(log, mixed) == [0, 0, 0, 1, 1]
        assert append(log, []) == []

    def test_order_holds_within_a_partition_while_several_append_and_nothing_is_skipped(self, log: EventLog) -> None:
        topic = new_topic(log)
        producers = [log.producer() for _ in range(3)]

        def appending(writer: int) -> None:
            for number in range(40):
                value = f"{writer} {number}".encode()
                producers[writer].append([NewRecord(topic, n, value) for n in (1, 0)])

        with member_of(log, f"{topic}-readers", topic) as consumer, ThreadPoolExecutor(3) as threads:
            writing = [threads.submit(appending, writer) for writer in range(3)]
            records = polled(consumer, number=240)
            for done in writing:
                done.result()
        for producer in producers:
            producer.close()
        for partition in (0, 1):
            here = [record for record in records if record.partition == partition]
            assert [record.offset for record in here] == list(range(120))
            for writer in range(3):
                mine = [record.value for record in here if record.value.startswith(b"%d " % writer)]
                assert mine == [f"{writer} {number}".encode() for number in range(40)]

    def test_threads_share_a_producer_and_each_learns_its_own_offsets(self, log: EventLog) -> None:
        topic = new_topic(log)
        producer = log.producer()

        def appending(writer: int) -> list[tuple[int, bytes]]:
            values = [f"{writer} {number}".encode() for number in range(20)]
            return [(producer.append([NewRecord(topic, 0, value)])[0], value) for value in values]

        with ThreadPoolExecutor(4) as threads:
            told = sorted(pair for pairs in threads.map(appending, range(4)) for pair in pairs)
        producer.close()
        assert told == [(record.offset, record.value) for record in log.read(TopicPartition(topic, 0), 0)]

    def test_large_records_pass_and_larger_ones_are_refused(self, log: EventLog) -> None:
        topic = new_topic(log)
        largest = os.urandom(RECORD_BYTES_MAX)
        assert append(log, [NewRecord(topic, 0, largest), NewRecord(topic, 0, b"small")]) == [0, 1]
        with member_of(log, f"{topic}-readers", topic) as consumer:
            assert [record.value for record in polled(consumer, number=2)] == [largest, b"small"]
        with pytest.raises(InvalidInput):
            append(log, [NewRecord(topic, 0, largest + b"x")])

    def test_a_poll_keeps_to_its_bounds_and_still_gives_everything(self, log: EventLog) -> None:
        topic = new_topic(log, partition_count=1)
        append(log, [NewRecord(topic, 0, bytes(100_000)) for _ in range(12)])
        with member_of(log, f"{topic}-readers", topic) as consumer:
            polls: list[list[Record]] = []
            while sum(map(len, polls)) < 12 and len(polls) < 100:
                polls.append(consumer.poll(timeout_ms=500, records_max=5, bytes_max=250_000))
        assert max(map(len, polls)) <= 3  # the record that goes over the bound in bytes may still come
        assert [record.offset for poll in polls for record in poll] == list(range(12))

    def test_a_topic_keeps_its_partition_count(self, log: EventLog) -> None:
        topic = new_topic(log, partition_count=3)
        log.create_topics([Topic(topic, 3, HOUR_MS)])
        with pytest.raises(NotAllowedNow):
            log.create_topics([Topic(topic, 4, HOUR_MS)])
        assert append(log, numbered(topic, 2, range(1))) == [0]

    def test_topics_may_be_created_by_several_processes_at_once(self, place: LogPlace) -> None:
        names = [f"{place.kind}-at-once-{number}-{os.getpid()}" for number in range(3)]
        logs = [place.open() for _ in range(3)]
        with ThreadPoolExecutor(3) as threads:
            list(threads.map(lambda log: log.create_topics([Topic(name, 2, HOUR_MS) for name in names]), logs))
        assert append(logs[0], [NewRecord(name, 1, b"x") for name in names]) == [0, 0, 0]
        for log in logs:
            log.close()

    def test_what_is_not_there_is_named(self, log: EventLog) -> None:
        topic = new_topic(log)
        with pytest.raises(NotFound, match="nowhere"):
            append(log, [NewRecord("nowhere", 0, b"x")])
        with pytest.raises(InvalidInput, match="partition"):
            append(log, [NewRecord(topic, 2, b"x")])

    def test_nobody_is_refused_for_what_another_thread_appends(self, log: EventLog) -> None:
        topic = new_topic(log)
        producer = log.producer()

        def appending(partition: int) -> int | None:
            try:
                return producer.append([NewRecord(topic, partition, b"x")])[0]
            except InvalidInput:
                return None

        with ThreadPoolExecutor(8) as threads:
            offsets = list(threads.map(appending, [0, 7] * 20))
        producer.close()
        assert sorted(offset for offset in offsets[::2] if offset is not None) == list(range(20))
        assert offsets[1::2] == [None] * 20

    def test_retention_never_touches_what_is_young(self, log: EventLog) -> None:
        topic = new_topic(log)
        append(log, numbered(topic, 0, range(3)))
        log.drop_old_records()
        assert len(log.read(TopicPartition(topic, 0), 0)) == 3
