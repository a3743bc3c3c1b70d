"""The event log in PostgreSQL: for one machine, and wherever Kafka would be one server too many.

Records lie in tables that retention drops whole (log_migrations/); an append is one call and one transaction, whose
commit makes it durable; NOTIFY wakes whoever waits for records.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from psycopg.errors import UndefinedTable

from common.errors import NotAllowedNow, NotFound
from common.infra.log import GroupCallbacks, Record, Topic, TopicPartition
from common.infra.log_postgres_consumer import PostgresConsumer
from common.infra.log_postgres_groups import SESSION_TIMEOUT_S
from common.infra.log_postgres_producer import PostgresProducer
from common.infra.log_postgres_rows import PLAN_OPTIONS, Reader
from common.infra.log_postgres_topics import drop_old, topics_of
from common.infra.migrations import migrate
from common.infra.postgres import open_pool, unavailable_when_away

MIGRATIONS = Path(__file__).parent / "log_migrations"
CREATION_LOCK = 2020175481  # any number that nobody else locks
CONNECTIONS_MAX = 4  # of read, bounds and the like; producers and consumers have their own
SEGMENTS_OF_RETENTION = 24  # what retention drops at once is this share of what a topic keeps
SEGMENT_MS_MIN = 100
PING_S_MAX = 3.0  # whoever asks whether a role is ready does not wait longer


class PostgresLog:
    """An event log in the database `url`. `session_timeout_s`: how long a silent member of a group keeps its
    partitions."""

    def __init__(self, url: str, *, session_timeout_s: float = SESSION_TIMEOUT_S) -> None:
        self._url = url
        self._session_timeout_s = session_timeout_s
        self._pool = open_pool(
            url, connections_max=CONNECTIONS_MAX, name="event-log", autocommit=True, options=PLAN_OPTIONS
        )

    def create_topics(self, topics: Sequence[Topic]) -> None:
        """Make these topics; those that exist stay (a different partition count raises NotAllowedNow)."""
        migrate(self._url, MIGRATIONS)
        with unavailable_when_away(), self._pool.connection() as connection, connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (CREATION_LOCK,))
            known = topics_of(connection)
            for topic in topics:
                segment_ms = max(SEGMENT_MS_MIN, topic.retention_ms // SEGMENTS_OF_RETENTION)
                if topic.name not in known:
                    connection.execute(
                        "SELECT event_log.create_topic(%s, %s, %s, %s)",
                        (topic.name, topic.partition_count, topic.retention_ms, segment_ms),
                    )
                elif known[topic.name].partition_count != topic.partition_count:
                    raise NotAllowedNow(
                        "PARTITION_COUNT_FIXED",
                        f"topic {topic.name} has {known[topic.name].partition_count} partitions and keeps them:"
                        f" {topic.partition_count} would send vehicles to other partitions",
                    )
                else:
                    connection.execute(
                        "UPDATE event_log.topics SET retention_ms = %s, segment_ms = %s WHERE name = %s",
                        (topic.retention_ms, segment_ms, topic.name),
                    )

    def producer(self) -> PostgresProducer:
        """A new producer."""
        return PostgresProducer(self._url)

    def consumer(self, group: str, topics: Sequence[str], callbacks: GroupCallbacks | None = None) -> PostgresConsumer:
        """A new member of `group`; it joins with its first poll."""
        return PostgresConsumer(
            self._url, group, topics, callbacks or GroupCallbacks(), session_timeout_s=self._session_timeout_s
        )

    def read(self, partition: TopicPartition, offset: int, *, records_max: int = 500) -> list[Record]:
        """Up to `records_max` records from `offset` on, without a group; empty at the end. An offset older than the
        oldest record reads from the oldest."""
        with unavailable_when_away(), self._pool.connection() as connection:
            return Reader(connection, [partition.topic]).read({partition: offset}, records_max=records_max)

    def bounds(self, partition: TopicPartition) -> tuple[int, int]:
        """The oldest offset and the offset that the next record will get."""
        try:
            with unavailable_when_away(), self._pool.connection() as connection:
                row = connection.execute(
                    "SELECT min(s.start_offset), event_log.next_offset(s.topic_id, s.partition)"
                    " FROM event_log.topics t JOIN event_log.segments s USING (topic_id)"
                    " WHERE t.name = %s AND s.partition = %s GROUP BY s.topic_id, s.partition",
                    partition,
                ).fetchone()
        except UndefinedTable:
            raise NotFound("topic", f"{partition.topic}: nothing was ever prepared here") from None
        if row is None:
            raise NotFound("partition", f"{partition.topic}/{partition.partition}")
        return int(row[0]), int(row[1])

    def committed(self, group: str, partition: TopicPartition) -> int | None:
        """What the group has committed; None when nothing."""
        with unavailable_when_away(), self._pool.connection() as connection:
            row = connection.execute(
                "SELECT o.next_offset FROM event_log.owners o JOIN event_log.topics t USING (topic_id)"
                " WHERE o.group_name = %s AND t.name = %s AND o.partition = %s",
                (group, *partition),
            ).fetchone()
        return None if row is None else row[0]

    def drop_old_records(self) -> int:
        """Drop segments that are older than their topics keep, as members of groups do by themselves once a minute. How
        many were dropped."""
        with unavailable_when_away(), self._pool.connection() as connection:
            return drop_old(connection)

    def ping(self) -> None:
        """Raise Unavailable when the database does not answer."""
        with unavailable_when_away(), self._pool.connection(PING_S_MAX) as connection:
            connection.execute("SELECT 1")

    def close(self) -> None:
        """Let go of everything."""
        self._pool.close()
