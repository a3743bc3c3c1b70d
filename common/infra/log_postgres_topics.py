"""What the database knows of topics and of the segments that hold their records."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import psycopg
from psycopg.rows import TupleRow

from common.errors import NotFound

DROP_LOCK_WAIT = "1s"

Connection = psycopg.Connection[TupleRow]


class StoredTopic(NamedTuple):
    """A topic as the database knows it. `segment`: the open one."""

    topic_id: int
    name: str
    partition_count: int
    segment: int


@dataclass(frozen=True, slots=True)
class Segments:
    """Where the segments of one topic begin: `numbers[i]` begins in partition p at `starts[p][i]`, ascending."""

    topic: StoredTopic
    numbers: list[int]
    starts: list[list[int]]

    def place(self, partition: int, offset: int) -> tuple[int, int]:
        """The segment that holds `offset` of `partition`, and the offset; the oldest record where it is older."""
        starts = self.starts[partition]
        index = max(0, bisect_right(starts, offset) - 1)
        return self.numbers[index], max(offset, starts[0])


def drop_old(connection: Connection) -> int:
    """Drop segments that are older than their topics keep. How many; 0 also while a backup reads them."""
    connection.execute(  # first, and by itself: who appends does not wait while tables are dropped
        "SELECT event_log.roll(topic_id) FROM event_log.topics"
        " WHERE event_log.now_ms() >= segment_start_ms + segment_ms ORDER BY topic_id"
    )
    try:
        with connection.transaction():
            connection.execute(f"SET LOCAL lock_timeout = '{DROP_LOCK_WAIT}'".encode())
            row = connection.execute("SELECT event_log.drop_old()").fetchone()
    except psycopg.errors.LockNotAvailable:
        return 0
    assert row is not None, "a function returns a row"
    return int(row[0])


def topics_of(connection: Connection) -> dict[str, StoredTopic]:
    """Every topic by its name."""
    rows = connection.execute("SELECT topic_id, name, partition_count, segment FROM event_log.topics")
    return {row[1]: StoredTopic(*row) for row in rows}


def find_topics(connection: Connection, names: Sequence[str]) -> dict[str, StoredTopic]:
    """The topics of these names. Raises NotFound."""
    try:
        known = topics_of(connection)
    except psycopg.errors.UndefinedTable:
        known = {}
    for name in names:
        if name not in known:
            raise NotFound("topic", f"{name} in the event log; `xiangtong prepare` makes it")
    return {name: known[name] for name in names}


def spans_of(connection: Connection, topics: Sequence[StoredTopic]) -> dict[int, tuple[int, int]]:
    """The oldest and the open segment of each topic, by its id: what changes when segments do."""
    rows = connection.execute(
        "SELECT topic_id, (SELECT segment FROM event_log.segments s WHERE s.topic_id = t.topic_id"
        " ORDER BY segment LIMIT 1), segment FROM event_log.topics t WHERE topic_id = ANY(%s)",
        ([topic.topic_id for topic in topics],),
    )
    return {row[0]: (row[1], row[2]) for row in rows}


def segments_of(connection: Connection, topics: Sequence[StoredTopic]) -> dict[str, Segments]:
    """The segments of each topic, by its name."""
    found = {topic.topic_id: Segments(topic, [], [[] for _ in range(topic.partition_count)]) for topic in topics}
    rows = connection.execute(
        "SELECT topic_id, segment, partition, start_offset FROM event_log.segments WHERE topic_id = ANY(%s)"
        " ORDER BY topic_id, segment, partition",
        (list(found),),
    )
    for topic_id, segment, partition, start_offset in rows:
        segments = found[topic_id]
        if partition == 0:
            segments.numbers.append(segment)
        segments.starts[partition].append(start_offset)
    return {segments.topic.name: segments for segments in found.values()}
