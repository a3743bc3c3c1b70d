"""What every event log promises of groups, and of a server that goes away and returns."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress

import pytest

from common.errors import Unavailable
from common.infra.log import Consumer, EventLog, GroupCallbacks, NewRecord, Record, TopicPartition
from tests.common.infra.log_place import (
    WAIT_S,
    LogPlace,
    Reading,
    Restartable,
    append,
    eventually,
    member_of,
    new_topic,
    numbered,
    polled,
)


class GroupConformance:
    """What groups promise. Subclasses give the fixture `place`."""

    @pytest.fixture
    def log(self, place: LogPlace) -> Iterator[EventLog]:
        log = place.open()
        yield log
        log.close()

    def test_a_group_resumes_where_it_has_committed(self, log: EventLog) -> None:
        topic = new_topic(log)
        here = TopicPartition(topic, 0)
        append(log, numbered(topic, 0, range(10)))
        assert log.committed(f"{topic}-readers", here) is None
        with member_of(log, f"{topic}-readers", topic) as consumer:
            assert len(polled(consumer, number=10)) == 10
            consumer.commit({here: 6})
        assert log.committed(f"{topic}-readers", here) == 6
        with member_of(log, f"{topic}-readers", topic) as consumer:
            assert [record.offset for record in polled(consumer, number=4)] == [6, 7, 8, 9]
        with member_of(log, f"{topic}-others", topic) as consumer:
            assert len(polled(consumer, number=10)) == 10

    def test_callbacks_say_where_to_start_and_hear_of_the_end(self, log: EventLog) -> None:
        topic = new_topic(log)
        append(log, [*numbered(topic, 0, range(10)), *numbered(topic, 1, range(10))])
        heard: list[tuple[str, list[TopicPartition]]] = []
        start, other = TopicPartition(topic, 0), TopicPartition(topic, 1)

        def assigned(places: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
            heard.append(("assigned", sorted(places)))
            return {start: 7}

        callbacks = GroupCallbacks(assigned, lambda places: heard.append(("revoked", sorted(places))))
        with member_of(log, f"{topic}-readers", topic, callbacks) as consumer:
            records = polled(consumer, number=13)
            assert consumer.assignment() == {start, other}
        assert sorted(record.offset for record in records if record.partition == 0) == [7, 8, 9]
        assert sorted(record.offset for record in records if record.partition == 1) == list(range(10))
        assert heard == [("assigned", [start, other]), ("revoked", [start, other])]

    def test_a_paused_partition_waits_and_loses_nothing(self, log: EventLog) -> None:
        topic = new_topic(log)
        paused, flowing = TopicPartition(topic, 0), TopicPartition(topic, 1)
        append(log, [NewRecord(topic, n, b"x") for n in (0, 1)])
        with member_of(log, f"{topic}-readers", topic) as consumer:
            assert len(polled(consumer, number=2)) == 2
            consumer.pause([paused])
            append(log, [*numbered(topic, 0, range(5)), *numbered(topic, 1, range(5))])
            assert {record.partition for record in polled(consumer, number=6, within_s=2)} == {1}
            assert consumer.lag() == {paused: 5, flowing: 0}
            consumer.resume([paused])
            assert [(record.partition, record.offset) for record in polled(consumer, number=5)] == [
                (0, offset) for offset in range(1, 6)
            ]
            assert consumer.lag() == {paused: 0, flowing: 0}

    def test_seeking_reads_again_from_there(self, log: EventLog) -> None:
        topic = new_topic(log, partition_count=1)
        append(log, numbered(topic, 0, range(6)))
        with member_of(log, f"{topic}-readers", topic) as consumer:
            assert len(polled(consumer, number=6)) == 6
            consumer.seek(TopicPartition(topic, 0), 4)
            assert [record.offset for record in polled(consumer, number=2)] == [4, 5]

    def test_what_a_killed_member_did_not_commit_is_read_again(self, place: LogPlace, log: EventLog) -> None:
        topic = new_topic(log, partition_count=1)
        append(log, numbered(topic, 0, range(10)))
        with place.member(f"{topic}-readers", topic) as member:
            assert told(member) == "record 0 0"
            skip_records(member, 9)
            assert answer(member, "0 4") == "committed"
            member.kill()
        with member_of(log, f"{topic}-readers", topic) as consumer:
            assert [record.offset for record in polled(consumer, number=6)] == [4, 5, 6, 7, 8, 9]

    def test_a_member_that_was_thought_dead_can_commit_nothing(self, place: LogPlace, log: EventLog) -> None:
        topic = new_topic(log, partition_count=1)
        append(log, numbered(topic, 0, range(3)))
        with place.member(f"{topic}-readers", topic) as member:
            assert told(member) == "record 0 0"
            skip_records(member, 2)
            os.kill(member.pid, signal.SIGSTOP)
            with member_of(log, f"{topic}-readers", topic) as consumer:
                assert len(polled(consumer, number=3)) == 3
                consumer.commit({TopicPartition(topic, 0): 1})
                os.kill(member.pid, signal.SIGCONT)
                assert answer(member, "0 3") == "refused"
                assert log.committed(f"{topic}-readers", TopicPartition(topic, 0)) == 1
            member.kill()

    def test_members_come_and_go_while_records_flow(self, log: EventLog) -> None:
        topic = new_topic(log, partition_count=6)
        owners: dict[TopicPartition, Reading] = {}
        stopping, appended = threading.Event(), [0]

        def appending() -> None:
            producer = log.producer()
            while not stopping.wait(0.01):
                producer.append([NewRecord(topic, n, b"%d" % appended[0]) for n in range(6)])
                appended[0] += 1
            producer.close()

        writer = threading.Thread(target=appending)
        writer.start()
        members = [Reading(log, f"{topic}-readers", topic, owners)]
        try:
            assert eventually(lambda: len(members[0].owned) == 6)
            members += [Reading(log, f"{topic}-readers", topic, owners) for _ in range(2)]
            assert eventually(lambda: [len(member.owned) for member in members] == [2, 2, 2])
            members[0].stop()
            assert eventually(lambda: [len(member.owned) for member in members] == [0, 3, 3])
        finally:
            stopping.set()
            writer.join()
        wanted = {(n, offset) for n in range(6) for offset in range(appended[0])}
        got = eventually(lambda: wanted <= {(r.partition, r.offset) for m in members for r in list(m.records)})
        for member in members[1:]:
            member.stop()
        assert [fault for member in members for fault in member.faults] == []
        assert got

    def test_partitions_that_stay_are_never_interrupted(self, log: EventLog) -> None:
        topic = new_topic(log, partition_count=4)
        owners: dict[TopicPartition, Reading] = {}
        first = Reading(log, f"{topic}-readers", topic, owners)
        assert eventually(lambda: len(first.owned) == 4)
        second = Reading(log, f"{topic}-readers", topic, owners)
        assert eventually(lambda: (len(first.owned), len(second.owned)) == (2, 2))
        revoked = [place for places in first.revoked for place in places]
        assert sorted(revoked) == sorted(second.owned)
        assert sum(map(len, first.assigned)) == 4
        second.stop()
        first.stop()
        assert first.faults + second.faults == []

    def test_who_leaves_gives_its_partitions_up_at_once(self, log: EventLog) -> None:
        topic = new_topic(log)
        append(log, numbered(topic, 0, range(1)))
        with member_of(log, f"{topic}-readers", topic) as consumer:
            assert len(polled(consumer, number=1)) == 1
        left_s = time.monotonic()
        with member_of(log, f"{topic}-readers", topic) as consumer:
            assert len(polled(consumer, number=1)) == 1
        assert time.monotonic() - left_s < 3.5  # less than any session time-out


class OutageConformance:
    """A server that is killed and comes back: what was acknowledged is there, what was not is said. Subclasses give the
    fixtures `server` and `place`, which is on it."""

    kills = 3

    def test_an_outage_is_said_and_survived(self, place: LogPlace, server: Restartable) -> None:
        log = place.open()
        topic = new_topic(log, partition_count=1)
        here = TopicPartition(topic, 0)
        producer = log.producer()
        producer.append(numbered(topic, 0, range(5)))
        with member_of(log, f"{topic}-readers", topic) as consumer:
            assert len(polled(consumer, number=5)) == 5
            consumer.commit({here: 3})
            server.kill()
            assert refused_within_s(lambda: producer.append(numbered(topic, 0, range(5, 6)), timeout_s=2)) < 10
            assert refused_within_s(log.ping) < 30
            assert refused_within_s(lambda: consumer.commit({here: 5})) < 30
            with suppress(Unavailable):
                assert consumer.poll(timeout_ms=200) == []
            server.start()
            producer.append(numbered(topic, 0, range(6, 10)), timeout_s=30)
            records = recovered(consumer, last=b"9")
            fresh = [record.value for record in records if int(record.value) > 5]
            assert fresh == [b"6", b"7", b"8", b"9"]
            assert log.committed(f"{topic}-readers", here) == 3
            consumer.commit({here: records[-1].offset + 1})
        assert [record.value for record in log.read(here, 0)][:5] == [b"0", b"1", b"2", b"3", b"4"]
        assert log.committed(f"{topic}-readers", here) == records[-1].offset + 1
        producer.close()
        log.close()

    def test_what_was_acknowledged_survives_kills_under_load(self, place: LogPlace, server: Restartable) -> None:
        log = place.open()
        topic = new_topic(log)
        stopping, acknowledged = threading.Event(), dict[tuple[int, int], bytes]()

        def appending(writer: int) -> None:
            producer, number = log.producer(), 0
            while not stopping.is_set():
                values = [b"%d %d %d" % (writer, number, n) for n in (0, 1)]
                with suppress(Unavailable):
                    offsets = producer.append([NewRecord(topic, n, values[n]) for n in (0, 1)], timeout_s=1)
                    acknowledged.update({(n, offsets[n]): values[n] for n in (0, 1)})
                number += 1
            producer.close()

        owners: dict[TopicPartition, Reading] = {}
        reading = Reading(log, f"{topic}-readers", topic, owners)
        writers = [threading.Thread(target=appending, args=(writer,)) for writer in range(3)]
        for writer in writers:
            writer.start()
        for _ in range(self.kills):
            before = len(acknowledged)
            assert eventually(lambda before=before: len(acknowledged) > before)  # type: ignore[misc]
            time.sleep(0.3)
            server.kill()
            server.start()
        before = len(acknowledged)
        assert eventually(lambda: len(acknowledged) > before)
        stopping.set()
        for writer in writers:
            writer.join()

        def missing() -> set[tuple[int, int]]:
            return acknowledged.keys() - {(record.partition, record.offset) for record in list(reading.records)}

        assert eventually(lambda: not missing())
        reading.stop()
        assert reading.faults == []
        read = {(record.partition, record.offset): record.value for record in reading.records}
        assert {place: read[place] for place in acknowledged} == acknowledged
        log.close()


def told(member: subprocess.Popen[str]) -> str:
    """The next line of a member in another process."""
    assert member.stdout is not None
    return member.stdout.readline().strip()


def skip_records(member: subprocess.Popen[str], count: int) -> None:
    """Pass over what it says of so many more records."""
    for _ in range(count):
        assert told(member).startswith("record")


def answer(member: subprocess.Popen[str], request: str) -> str:
    """What it says to `partition offset`, which it is to commit."""
    assert member.stdin is not None
    member.stdin.write(request + "\n")
    member.stdin.flush()
    return told(member)


def refused_within_s(call: Callable[[], object]) -> float:
    """How long it took until `call` said that the log is away."""
    started_s = time.monotonic()
    with pytest.raises(Unavailable):
        call()
    return time.monotonic() - started_s


def recovered(consumer: Consumer, *, last: bytes) -> list[Record]:
    """The records from after an outage on to the one with the value `last`."""
    found: list[Record] = []
    deadline_s = time.monotonic() + WAIT_S
    while not any(record.value == last for record in found) and time.monotonic() < deadline_s:
        with suppress(Unavailable):
            found += consumer.poll(timeout_ms=200)
    return found
