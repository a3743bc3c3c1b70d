"""Which segment holds an offset."""

from __future__ import annotations

from common.infra.log_postgres_topics import Segments, StoredTopic

TOPIC = StoredTopic(topic_id=1, name="positions", partition_count=2, segment=7)
SEGMENTS = Segments(TOPIC, numbers=[5, 6, 7], starts=[[10, 20, 30], [0, 0, 4]])


def test_an_offset_is_in_the_last_segment_that_begins_at_or_before_it() -> None:
    assert [SEGMENTS.place(0, offset) for offset in (10, 19, 20, 29, 30, 99)] == [
        (5, 10), (5, 19), (6, 20), (6, 29), (7, 30), (7, 99),
    ]  # fmt: skip


def test_an_offset_that_was_dropped_leads_to_the_oldest_record() -> None:
    assert SEGMENTS.place(0, 3) == (5, 10)


def test_a_segment_without_records_of_a_partition_is_passed_over() -> None:
    assert SEGMENTS.place(1, 0) == (6, 0)
