"""Reading as a member of a group: one thread polls, another says meanwhile that this member lives."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence

from common.errors import Unavailable
from common.infra import diagnostics
from common.infra.log import GroupCallbacks, Record, TopicPartition
from common.infra.log_postgres_groups import Membership
from common.infra.log_postgres_rows import PLAN_OPTIONS, Reader
from common.infra.log_postgres_topics import drop_old, find_topics
from common.infra.postgres import BoundedConnection, connect, unavailable_when_away

LOOK_S_MAX = 1.0  # how often a member looks at its group when nobody tells it to
LOOKS_A_TIMEOUT = 4  # a member never believes in its ownership for longer than this share of the session time-out
POLL_GAP_S_MAX = 300.0  # a member that polls no more is stuck: its partitions go to others
UNHEARD_S_MAX = 0.5  # a notification may be lost with a connection: look for records at least this often
LEAVE_ATTEMPTS_MAX = 2  # the connection may be an old one; after that the time-out does it
DROP_S = 60.0
BEAT_OPTIONS = "-c synchronous_commit=off"  # a lost heartbeat is made up for by the next

log = diagnostics.logger(__name__)


class PostgresConsumer:
    """Reads partitions as a member of a group. Used from one thread."""

    def __init__(
        self, url: str, group: str, topics: Sequence[str], callbacks: GroupCallbacks, *, session_timeout_s: float
    ) -> None:
        self._url = url
        self._group = group
        self._topics = list(topics)
        self._callbacks = callbacks
        self._session_timeout_s = session_timeout_s
        self._look_s = min(LOOK_S_MAX, session_timeout_s / LOOKS_A_TIMEOUT)
        self._look_at_s = 0.0
        self._dry_until_s = 0.0
        self._connection: BoundedConnection | None = None
        self._membership: Membership | None = None
        self._reader: Reader | None = None
        self._heart: _Heart | None = None
        self._next: dict[TopicPartition, int] = {}
        self._paused: set[TopicPartition] = set()

    def poll(self, *, timeout_ms: int, records_max: int = 500, bytes_max: int = 64 * 1024 * 1024) -> list[Record]:
        """The next records of the owned partitions, in order within each; empty after `timeout_ms`. Raises Unavailable
        when the database is away; later calls try again."""
        deadline_s = time.monotonic() + timeout_ms / 1000
        try:
            with unavailable_when_away():
                while True:
                    if time.monotonic() >= self._look_at_s:
                        self._look()
                    if time.monotonic() < self._dry_until_s:
                        self._listen(min(deadline_s, self._look_at_s, self._dry_until_s) - time.monotonic())
                    if time.monotonic() >= self._dry_until_s and (records := self._read(records_max, bytes_max)):
                        return records
                    if time.monotonic() >= deadline_s:
                        return []
        except Unavailable:
            self._disconnect()
            raise

    def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Remember for the group the next offset to read. Raises Unavailable when ownership was lost."""
        if not offsets:
            return
        try:
            with unavailable_when_away():
                connection, membership, _ = self._connected()
                kept = membership.commit(connection, offsets)
        except Unavailable:
            self._disconnect()
            raise
        if not kept:
            self._look_at_s = 0.0
            raise Unavailable("OWNERSHIP_LOST", f"group {self._group} has given these partitions to another member")

    def pause(self, partitions: Sequence[TopicPartition]) -> None:
        """Stop returning records of these."""
        self._paused |= set(partitions) & self._next.keys()

    def resume(self, partitions: Sequence[TopicPartition]) -> None:
        """Return records of these again."""
        self._paused -= set(partitions)
        self._dry_until_s = 0.0

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Read `partition` from `offset` next. Nothing happens for one that is not owned."""
        if partition in self._next:
            self._next[partition] = offset
            self._dry_until_s = 0.0

    def assignment(self) -> set[TopicPartition]:
        """What this member owns now."""
        return set(self._next)

    def lag(self) -> dict[TopicPartition, int]:
        """How many records of each owned partition are not read yet."""
        try:
            with unavailable_when_away():
                connection, _, _ = self._connected()
                rows = connection.execute(
                    "SELECT name, number, event_log.next_offset(topic_id, number) FROM event_log.topics"
                    " JOIN unnest(%s::text[], %s::int[]) AS owned(name, number) USING (name)",
                    ([place.topic for place in self._next], [place.partition for place in self._next]),
                ).fetchall()
        except Unavailable:
            self._disconnect()
            raise
        ends = {TopicPartition(name, partition): end for name, partition, end in rows}
        return {place: max(0, ends[place] - offset) for place, offset in self._next.items()}

    def close(self) -> None:
        """Leave the group at once."""
        self._forget(set(self._next))
        if self._heart is not None:
            self._heart.stop()
        for _ in range(LEAVE_ATTEMPTS_MAX if self._membership is not None else 0):
            try:
                with unavailable_when_away():
                    connection, membership, _ = self._connected()
                    membership.leave(connection)
                break
            except Unavailable as error:
                log.warning("not left the group", group=self._group, error=str(error))
                self._disconnect()
        self._disconnect()

    def _connected(self) -> tuple[BoundedConnection, Membership, Reader]:
        if self._connection is None or self._membership is None or self._reader is None:
            # A member that is frozen while it looks must not keep the group waiting.
            frozen = f"-c idle_in_transaction_session_timeout={round(self._session_timeout_s * 1000)}"
            connection = connect(self._url, name="event-log-consumer", options=f"{PLAN_OPTIONS} {frozen}")
            try:
                topics = find_topics(connection, self._topics)
                if self._membership is None:
                    self._membership = Membership(self._group, topics, self._session_timeout_s)
                for topic in topics.values():
                    connection.execute(f"LISTEN event_log_{topic.topic_id}".encode())
                connection.execute(f"LISTEN {self._membership.channel}".encode())
            except BaseException:
                connection.close()
                raise
            self._connection, self._reader = connection, Reader(connection, self._topics)
        return self._connection, self._membership, self._reader

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = self._reader = None
        self._look_at_s = self._dry_until_s = 0.0

    def _look(self) -> None:
        """Follow what the group decides: what was lost goes first, then what is given up, then comes what is new."""
        connection, membership, _ = self._connected()
        if self._heart is None:
            self._heart = _Heart(self._url, membership, self._look_s)
        self._heart.polled_s = time.monotonic()
        self._listen(0.0)
        view = membership.look(connection)
        self._look_at_s = time.monotonic() + self._look_s
        self._forget(set(self._next) if view.joined else self._next.keys() - view.owned.keys() - view.surplus)
        if view.surplus:
            self._forget(view.surplus & self._next.keys())
            membership.let_go(connection)
        new = {place: offset for place, offset in view.owned.items() if place not in self._next}
        if new:
            starts = self._callbacks.assigned(sorted(new))
            self._dry_until_s = 0.0
            self._next |= {place: starts.get(place, offset or 0) for place, offset in new.items()}

    def _forget(self, places: set[TopicPartition]) -> None:
        if places:
            self._callbacks.revoked(sorted(places))
        for place in places:
            del self._next[place]
        self._paused -= places

    def _read(self, records_max: int, bytes_max: int) -> list[Record]:
        _, _, reader = self._connected()
        assert self._heart is not None, "a look comes before the first read"
        self._heart.polled_s = time.monotonic()
        self._dry_until_s = time.monotonic() + UNHEARD_S_MAX
        wanted = {place: offset for place, offset in self._next.items() if place not in self._paused}
        if not wanted:
            return []
        records = reader.read(wanted, records_max=records_max, bytes_max=bytes_max)
        if records:
            self._dry_until_s = 0.0
        for record in records:
            place = TopicPartition(record.topic, record.partition)
            del self._next[place]  # to the end of the line: next time the others come first
            self._next[place] = record.offset + 1
        return records

    def _listen(self, duration_s: float) -> None:
        """Hear, or wait for, that there are records or that the group has changed. What is heard must be taken now and
        then even where there is always something to read: it would pile up."""
        connection, membership, _ = self._connected()
        for note in connection.notifies(timeout=max(0.0, duration_s), stop_after=1):
            self._dry_until_s = 0.0
            if note.channel == membership.channel:
                self._look_at_s = 0.0


class _Heart:
    """A thread that says that a member lives, as long as it polls now and then. It also applies retention: nobody else
    is sure to be there."""

    def __init__(self, url: str, membership: Membership, interval_s: float) -> None:
        self.polled_s = time.monotonic()
        self._url = url
        self._membership = membership
        self._interval_s = interval_s
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True, name="event-log-heartbeat")
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stopping.set()
        self._thread.join()

    def _beat(self) -> None:
        connection: BoundedConnection | None = None
        drop_at_s = time.monotonic() + DROP_S
        while not self._stopping.wait(self._interval_s):
            if time.monotonic() - self.polled_s > POLL_GAP_S_MAX:
                continue
            try:
                with unavailable_when_away():
                    connection = connection or connect(self._url, name="event-log-heartbeat", options=BEAT_OPTIONS)
                    self._membership.beat(connection)
                    if time.monotonic() >= drop_at_s:
                        drop_at_s = time.monotonic() + DROP_S
                        drop_old(connection)
            except Unavailable as error:
                if connection is not None:
                    log.warning("heartbeat failed", error=str(error))
                    connection.close()
                connection = None
        if connection is not None:
            connection.close()
