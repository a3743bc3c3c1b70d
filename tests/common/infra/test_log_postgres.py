"""What only the event log in PostgreSQL promises; what both promise is in test_log.py."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil
import psycopg
import pytest

from common.errors import NotFound, Unavailable
from common.infra import log_postgres_consumer
from common.infra.log import Consumer, EventLog, GroupCallbacks, NewRecord, Topic, TopicPartition
from common.infra.log_postgres import PostgresLog
from common.infra.log_postgres_consumer import PostgresConsumer
from tests.common.infra.log_place import append, eventually, member_of, new_topic, numbered, polled
from tests.real_servers import PostgresServer

pytestmark = [pytest.mark.enable_socket, pytest.mark.services("postgres")]

RETENTION_MS = 240
SEGMENT_S = 0.11  # a little more than the least


@pytest.fixture
def log(postgres_url: str) -> Iterator[PostgresLog]:
    log = PostgresLog(postgres_url)
    yield log
    log.close()


def segmented(log: EventLog, name: str, *, segments: int) -> TopicPartition:
    """A topic with two records in each of so many segments."""
    log.create_topics([Topic(name, 2, RETENTION_MS)])
    for number in range(segments):
        append(log, numbered(name, 0, range(2 * number, 2 * number + 2)))
        time.sleep(SEGMENT_S)
    return TopicPartition(name, 0)


def tables(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT count(*) FROM pg_tables WHERE tablename ~ '^records_[0-9]+_'").fetchone()
    assert row is not None
    return int(row[0])


def test_retention_drops_whole_tables_and_offsets_go_on(log: PostgresLog, postgres_url: str) -> None:
    place = segmented(log, "kept-shortly", segments=3)
    before = tables(postgres_url)
    time.sleep(RETENTION_MS / 1000)
    assert log.drop_old_records() >= 2
    assert tables(postgres_url) < before
    oldest, end = log.bounds(place)
    assert (oldest >= 4, end) == (True, 6)
    assert [record.offset for record in log.read(place, 0)] == list(range(oldest, 6))
    assert append(log, numbered("kept-shortly", 0, range(1))) == [6]


def test_a_topic_that_went_quiet_is_emptied_too(log: PostgresLog) -> None:
    place = segmented(log, "quiet", segments=1)
    assert eventually(lambda: log.drop_old_records() >= 0 and log.bounds(place) == (2, 2))
    assert log.read(place, 0) == []
    assert append(log, numbered("quiet", 0, range(1))) == [2]
    assert [record.offset for record in log.read(place, 0)] == [2]


def test_members_read_on_across_segments_and_from_the_oldest_where_theirs_was_dropped(log: PostgresLog) -> None:
    segmented(log, "rolling", segments=3)
    with member_of(log, "readers", "rolling") as consumer:
        assert [record.offset for record in polled(consumer, number=6)] == [0, 1, 2, 3, 4, 5]
        append(log, numbered("rolling", 0, range(6, 8)))
        assert [record.offset for record in polled(consumer, number=2)] == [6, 7]
        time.sleep(RETENTION_MS / 1000 + SEGMENT_S)
        log.drop_old_records()
        append(log, numbered("rolling", 0, range(8, 9)))
        consumer.seek(TopicPartition("rolling", 0), 0)
        oldest, _ = log.bounds(TopicPartition("rolling", 0))
        assert oldest > 0
        assert [record.offset for record in polled(consumer, number=9 - oldest)] == list(range(oldest, 9))


def test_segments_come_and_go_while_records_flow(log: PostgresLog) -> None:
    log.create_topics([Topic("flowing", 2, 10 * RETENTION_MS)])  # so long that a slow reader loses nothing
    stopping = threading.Event()

    def dropping() -> None:
        while not stopping.wait(0.05):
            log.drop_old_records()

    dropper = threading.Thread(target=dropping)
    dropper.start()
    producer = log.producer()
    seen: list[int] = []
    with member_of(log, "readers", "flowing") as consumer:
        count = 0
        while log.bounds(TopicPartition("flowing", 0))[0] == 0:
            producer.append([NewRecord("flowing", n, b"x") for n in (0, 1)])
            seen += [record.offset for record in consumer.poll(timeout_ms=5) if record.partition == 0]
            count += 1
        while len(seen) < count and (records := consumer.poll(timeout_ms=1000)):
            seen += [record.offset for record in records if record.partition == 0]
    stopping.set()
    dropper.join()
    producer.close()
    assert seen == list(range(count))


def test_a_reader_that_waits_is_woken(log: PostgresLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_postgres_consumer, "UNHEARD_S_MAX", 60.0)  # so that only being told helps
    topic = new_topic(log)
    with member_of(log, "readers", topic) as consumer:
        assert consumer.poll(timeout_ms=100) == []
        late = threading.Timer(0.2, append, (log, numbered(topic, 0, range(1))))
        late.start()
        assert len(consumer.poll(timeout_ms=20_000)) == 1
        late.join()


def test_a_restart_of_the_database_moves_no_partition(postgres_server: PostgresServer) -> None:
    log = PostgresLog(postgres_server.url(), session_timeout_s=3.0)
    topic = new_topic(log, partition_count=4)
    moved: list[str] = []
    callbacks = GroupCallbacks(revoked=lambda places: moved.append("revoked"))
    with member_of(log, "readers", topic, callbacks) as first, member_of(log, "readers", topic, callbacks) as second:

        def shared() -> bool:
            first.poll(timeout_ms=20)
            second.poll(timeout_ms=20)
            return len(first.assignment()) == len(second.assignment()) == 2

        assert eventually(shared)
        before, moved[:] = first.assignment(), []
        postgres_server.kill()
        time.sleep(3.5)  # longer than the session time-out: nobody could say that he lives
        postgres_server.start()
        for consumer in (first, second):
            with suppress(Unavailable):
                consumer.poll(timeout_ms=100)
        assert eventually(shared)
        assert (first.assignment(), moved) == (before, [])
    log.close()


def test_a_member_that_freezes_while_it_looks_does_not_keep_its_group_waiting(postgres_url: str) -> None:
    log = PostgresLog(postgres_url, session_timeout_s=0.5)
    topic = new_topic(log)
    with member_of(log, "readers", topic) as first:
        first.poll(timeout_ms=10)
        assert isinstance(first, PostgresConsumer)
        connection, membership, _ = first._connected()
        connection.execute("BEGIN")
        membership._lock(connection)
        with member_of(log, "readers", topic) as second:
            second.poll(timeout_ms=10)  # comes back, although the first would hold the lock for good
            assert eventually(lambda: shared_by(first, second))
    log.close()


def shared_by(*consumers: Consumer) -> bool:
    """Whether each of these has one partition, after a poll."""
    for consumer in consumers:
        with suppress(Unavailable):
            consumer.poll(timeout_ms=20)
    return all(len(consumer.assignment()) == 1 for consumer in consumers)


def test_an_append_to_a_database_that_is_frozen_ends_in_time(postgres_server: PostgresServer) -> None:
    log = PostgresLog(postgres_server.url())
    topic = new_topic(log)
    producer = log.producer()
    producer.append(numbered(topic, 0, range(1)))
    with frozen(postgres_server):
        started_s = time.monotonic()
        with pytest.raises(Unavailable):
            producer.append(numbered(topic, 0, range(1, 2)), timeout_s=0.5)
        assert time.monotonic() - started_s < 8  # a new connection gets its own few seconds
    assert producer.append(numbered(topic, 0, range(2, 3)))[0] in (1, 2)
    producer.close()
    log.close()


@contextmanager
def frozen(server: PostgresServer) -> Iterator[None]:
    """Stop every process of a server for a while."""
    assert server.process is not None
    postmaster = psutil.Process(server.process.pid)
    processes = [postmaster, *postmaster.children(recursive=True)]
    for process in processes:
        os.kill(process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            os.kill(process.pid, signal.SIGCONT)


def test_appends_of_several_threads_share_commits(log: PostgresLog) -> None:
    topic = new_topic(log, partition_count=1)
    producer = log.producer()
    producer.append(numbered(topic, 0, range(1)))
    threads = [threading.Thread(target=producer.append, args=([NewRecord(topic, 0, b"x")],)) for _ in range(100)]
    with producer._turn:  # as if an append were on its way
        for thread in threads:
            thread.start()
        assert eventually(lambda: len(producer._queue) == 100)
    for thread in threads:
        thread.join()
    records = log.read(TopicPartition(topic, 0), 1)
    assert len(records) == 100
    assert len({record.append_time_ms for record in records}) == 1
    producer.close()


def test_nothing_in_the_database_is_read_through_to_find_a_place(log: PostgresLog, postgres_url: str) -> None:
    topic = new_topic(log, partition_count=1)
    append(log, numbered(topic, 0, range(500)))
    with member_of(log, "readers", topic) as consumer:
        polled(consumer, number=500)
    append(log, numbered(topic, 0, range(5)))
    time.sleep(1.2)  # statistics are told once a second
    with psycopg.connect(postgres_url) as connection:
        scans = connection.execute(
            "SELECT s.seq_scan FROM pg_stat_user_tables s JOIN event_log.topics t"
            " ON s.relname = format('records_%%s_%%s', t.topic_id, t.segment) WHERE t.name = %s",
            (topic,),
        ).fetchone()
    assert scans in ((0,), (1,))  # ATTACH PARTITION may look at the empty table


def test_a_topic_that_nobody_made_is_named(log: PostgresLog) -> None:
    consumer = log.consumer("readers", ["nowhere"])
    with pytest.raises(NotFound, match="nowhere"):
        consumer.poll(timeout_ms=10)
    consumer.close()
    with pytest.raises(NotFound, match="nowhere"):
        log.bounds(TopicPartition("nowhere", 0))
