"""Records as rows: headers packed into bytes, and reading many partitions at once."""

from __future__ import annotations

import struct
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence

import psycopg

from common.infra.log import Record, TopicPartition
from common.infra.log_postgres_topics import Connection, Segments, find_topics, segments_of, spans_of

READ_BYTES_MAX = 64 * 1024 * 1024
PARTITION_RECORDS_MIN = 32  # of one partition in one read, so that few records_max among many partitions is no crawl
SEGMENTS_FRESH_S = 1.0  # a new segment is noticed within this time even while old ones still give records
# A plan made while a segment is nearly empty must be right when it is full.
PLAN_OPTIONS = "-c enable_seqscan=off -c enable_bitmapscan=off -c plan_cache_mode=force_generic_plan"
_LENGTHS = struct.Struct(">II")

READ = """
SELECT w.partition, r."offset", r.append_time_ms, r.headers, r.value
FROM unnest(%b::int[], %b::bigint[]) WITH ORDINALITY AS w(partition, "offset", place)
CROSS JOIN LATERAL (
    SELECT *, sum(size) OVER (ORDER BY "offset") AS size_sum FROM (
        SELECT * FROM event_log.{table} WHERE partition = w.partition AND "offset" >= w."offset"
        ORDER BY "offset" LIMIT %b
    ) AS next
) AS r
WHERE r.size_sum - r.size < %b
ORDER BY w.place, r."offset" LIMIT %b
"""


class Reader:
    """Reads records of `topics` on one connection that commits by itself."""

    def __init__(self, connection: Connection, topics: Sequence[str]) -> None:
        self._connection = connection
        self._topics = find_topics(connection, topics)
        self._segments: dict[str, Segments] = {}
        self._spans: dict[int, tuple[int, int]] = {}
        self._fresh_until_s = 0.0

    def read(
        self, places: Mapping[TopicPartition, int], *, records_max: int, bytes_max: int = READ_BYTES_MAX
    ) -> list[Record]:
        """Records from each place's offset on, in order within each; the first record always comes, however large."""
        if time.monotonic() >= self._fresh_until_s:
            self._refresh()
        found = self._read_known(places, records_max=records_max, bytes_max=bytes_max)
        if not found and self._refresh():
            found = self._read_known(places, records_max=records_max, bytes_max=bytes_max)
        return found

    def _refresh(self) -> bool:
        """Learn of new and dropped segments. Whether anything is new."""
        topics = list(self._topics.values())
        spans = spans_of(self._connection, topics)
        self._fresh_until_s = time.monotonic() + SEGMENTS_FRESH_S
        if spans == self._spans:
            return False
        self._segments = segments_of(self._connection, topics)  # may be newer than `spans`: then it is read once more
        self._spans = spans
        return True

    def _read_known(self, places: Mapping[TopicPartition, int], *, records_max: int, bytes_max: int) -> list[Record]:
        tables: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
        for (topic, partition), offset in places.items():
            segment, start = self._segments[topic].place(partition, offset)
            tables[topic, f"records_{self._topics[topic].topic_id}_{segment}"].append((partition, start))
        share = max(1, len(places))
        found: list[Record] = []
        for (topic, table), starts in tables.items():
            limits = (
                max(-(-records_max // share), PARTITION_RECORDS_MIN),
                bytes_max // share,
                records_max - len(found),
            )
            found += self._rows(topic, table, starts, limits)
            if len(found) >= records_max:
                break
        return found

    def _rows(
        self, topic: str, table: str, starts: Sequence[tuple[int, int]], limits: tuple[int, int, int]
    ) -> list[Record]:
        partitions, offsets = zip(*starts, strict=True)
        cursor = self._connection.cursor(binary=True)
        try:
            cursor.execute(READ.format(table=table).encode(), (list(partitions), list(offsets), *limits), prepare=True)
        except psycopg.errors.UndefinedTable:  # dropped a moment ago: the next read begins at what is the oldest now
            self._fresh_until_s = 0.0
            return []
        return [
            Record(topic, partition, offset, value, append_time_ms, unpacked(headers))
            for partition, offset, append_time_ms, headers, value in cursor
        ]


def packed(headers: Sequence[tuple[str, bytes]]) -> bytes | None:
    """Headers as bytes; None where there are none."""
    if not headers:
        return None
    names = [(name.encode(), value) for name, value in headers]
    return b"".join(_LENGTHS.pack(len(name), len(value)) + name + value for name, value in names)


def unpacked(stored: bytes | None) -> tuple[tuple[str, bytes], ...]:
    """The headers in `stored`."""
    headers, start = [], 0
    while stored and start < len(stored):
        name_length, value_length = _LENGTHS.unpack_from(stored, start)
        name_end = start + _LENGTHS.size + name_length
        headers.append((stored[start + _LENGTHS.size : name_end].decode(), stored[name_end : name_end + value_length]))
        start = name_end + value_length
    return tuple(headers)
