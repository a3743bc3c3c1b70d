"""Groups: who is a member, and which member owns which partition.

Every member looks at the group now and then, and at once when another one says that something changed; whoever looks
does what is due, under one lock per group. A partition moves in two steps: its owner learns that another is wanted,
finishes and lets go; the wanted one takes it. Partitions that stay are never interrupted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import TypeAlias
from uuid import UUID, uuid4

import psycopg

from common.infra.log import TopicPartition
from common.infra.log_postgres_topics import Connection, StoredTopic

SESSION_TIMEOUT_S = 10.0  # a process may be stopped for as long (a debugger, a busy machine) without losing partitions
GROUP_LOCK = 2020175482

Key: TypeAlias = tuple[int, int]  # topic id, partition


@dataclass(frozen=True, slots=True)
class View:
    """What a look at the group found. `joined`: this member was not in it, so what it held before is lost. `owned`:
    what it may read, with the group's committed offset. `surplus`: what it is to give up, as others are wanted."""

    joined: bool
    owned: dict[TopicPartition, int | None]
    surplus: set[TopicPartition]


class Membership:
    """One member of a group. Its methods take a connection, which may be a new one after an outage."""

    def __init__(self, group: str, topics: Mapping[str, StoredTopic], session_timeout_s: float) -> None:
        self.member_id = uuid4()
        self.channel = f"event_log_group_{blake2b(group.encode(), digest_size=8).hexdigest()}"
        self._group = group
        self._names = {topic.topic_id: topic.name for topic in topics.values()}
        self._session_timeout_s = session_timeout_s

    def look(self, connection: Connection) -> View:
        """Join if need be, put out members that are silent, share partitions anew, and take what is free."""
        with connection.transaction():
            self._lock(connection)
            joined = not self.beat(connection)
            if joined:
                self._join(connection)
            self._put_out_silent(connection)
            changed = self._share(connection)
            self._take(connection)
            if changed:
                self._tell(connection)
            rows = connection.execute(
                "SELECT topic_id, partition, next_offset, wanted_id FROM event_log.owners"
                " WHERE group_name = %s AND member_id = %s",
                (self._group, self.member_id),
            ).fetchall()
        places = {TopicPartition(self._names[row[0]], row[1]): row for row in rows}
        surplus = {place for place, row in places.items() if row[3] != self.member_id}
        return View(joined, {place: row[2] for place, row in places.items() if place not in surplus}, surplus)

    def beat(self, connection: Connection) -> bool:
        """Say that this member lives. Whether it is still a member."""
        return bool(
            connection.execute(
                "UPDATE event_log.members SET heartbeat_time = clock_timestamp()"
                " WHERE group_name = %s AND member_id = %s",
                (self._group, self.member_id),
            ).rowcount
        )

    def let_go(self, connection: Connection) -> None:
        """Give up what others are wanted for."""
        with connection.transaction():
            self._lock(connection)
            connection.execute(
                "UPDATE event_log.owners SET member_id = NULL"
                " WHERE group_name = %s AND member_id = %s AND wanted_id IS DISTINCT FROM member_id",
                (self._group, self.member_id),
            )
            self._tell(connection)

    def leave(self, connection: Connection) -> None:
        """Give up everything and be no member any more."""
        with connection.transaction():
            self._lock(connection)
            connection.execute(
                "DELETE FROM event_log.members WHERE group_name = %s AND member_id = %s", (self._group, self.member_id)
            )
            self._free(connection)
            self._share(connection)
            self._tell(connection)

    def commit(self, connection: Connection, offsets: Mapping[TopicPartition, int]) -> bool:
        """Note how far the group has come. Whether this member owns all of these; if not, nothing is noted."""
        ids = {name: topic_id for topic_id, name in self._names.items()}
        places = sorted((ids[place.topic], place.partition, offset) for place, offset in offsets.items())
        noted = 0
        with connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock_shared(%s, hashtext(%s))", (GROUP_LOCK, self._group))
            noted = connection.execute(
                "UPDATE event_log.owners o SET next_offset = w.next_offset"
                " FROM unnest(%s::int[], %s::int[], %s::bigint[]) AS w(topic_id, partition, next_offset)"
                " WHERE o.group_name = %s AND o.member_id = %s"
                " AND o.topic_id = w.topic_id AND o.partition = w.partition",
                (*(list(column) for column in zip(*places, strict=True)), self._group, self.member_id),
            ).rowcount
            if noted != len(places):
                raise psycopg.Rollback
        return noted == len(places)

    def _lock(self, connection: Connection) -> None:
        connection.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", (GROUP_LOCK, self._group))

    def _join(self, connection: Connection) -> None:
        connection.execute(
            "INSERT INTO event_log.members (group_name, member_id, topic_ids) VALUES (%s, %s, %s)",
            (self._group, self.member_id, list(self._names)),
        )
        connection.execute(
            "INSERT INTO event_log.owners (group_name, topic_id, partition)"
            " SELECT %s, topic_id, number FROM event_log.topics, generate_series(0, partition_count - 1) AS number"
            " WHERE topic_id = ANY(%s) ON CONFLICT DO NOTHING",
            (self._group, list(self._names)),
        )

    def _put_out_silent(self, connection: Connection) -> None:
        """While the server was away nobody could say that he lives, so all are given time again."""
        connection.execute(
            "DELETE FROM event_log.members WHERE group_name = %s AND"
            " greatest(heartbeat_time, pg_postmaster_start_time()) < clock_timestamp() - make_interval(secs => %s)",
            (self._group, self._session_timeout_s),
        )
        self._free(connection)

    def _free(self, connection: Connection) -> None:
        connection.execute(
            "UPDATE event_log.owners o SET member_id = NULL"
            " WHERE group_name = %s AND member_id IS NOT NULL AND NOT EXISTS"
            " (SELECT FROM event_log.members m WHERE m.group_name = o.group_name AND m.member_id = o.member_id)",
            (self._group,),
        )

    def _share(self, connection: Connection) -> bool:
        """Note who is wanted where. Whether that is new."""
        members: dict[UUID, Collection[int]] = dict(
            connection.execute(
                "SELECT member_id, topic_ids FROM event_log.members WHERE group_name = %s", (self._group,)
            ).fetchall()
        )
        rows = connection.execute(
            "SELECT topic_id, partition, coalesce(member_id, wanted_id), wanted_id FROM event_log.owners"
            " WHERE group_name = %s",
            (self._group,),
        ).fetchall()
        wanted = shared({(row[0], row[1]): row[2] for row in rows}, members)
        moved = [(wanted[row[0], row[1]], row[0], row[1]) for row in rows if wanted[row[0], row[1]] != row[3]]
        for member_id, topic_id, partition in moved:
            connection.execute(
                "UPDATE event_log.owners SET wanted_id = %s WHERE group_name = %s AND topic_id = %s AND partition = %s",
                (member_id, self._group, topic_id, partition),
            )
        return bool(moved)

    def _take(self, connection: Connection) -> None:
        connection.execute(
            "UPDATE event_log.owners SET member_id = wanted_id"
            " WHERE group_name = %s AND wanted_id = %s AND member_id IS NULL",
            (self._group, self.member_id),
        )

    def _tell(self, connection: Connection) -> None:
        connection.execute("SELECT pg_notify(%s, '')", (self.channel,))


def shared(holders: Mapping[Key, UUID | None], members: Mapping[UUID, Collection[int]]) -> dict[Key, UUID | None]:
    """Who is wanted for each partition: loads differ by one at most where all members read the same topics, and no more
    partitions move than that takes. `holders`: who has it now; `members`: the topics that each reads."""
    result: dict[Key, UUID | None] = dict.fromkeys(holders)
    for topic_id in sorted({topic_id for topic_id, _ in holders}):
        readers = sorted(member for member, topic_ids in members.items() if topic_id in topic_ids)
        if readers:
            keys = sorted(key for key in holders if key[0] == topic_id)
            loads = Counter(member for member in result.values() if member is not None)
            result |= _shared_topic({key: holders[key] for key in keys}, readers, loads)
    return result


def _shared_topic(
    holders: Mapping[Key, UUID | None], readers: list[UUID], loads: Mapping[UUID, int]
) -> dict[Key, UUID | None]:
    """The same for one topic. `loads`: how many partitions of earlier topics each has, which evens out remainders."""
    held = Counter(holder for holder in holders.values())
    quota, remainder = divmod(len(holders), len(readers))
    favoured = sorted(readers, key=lambda member: (loads.get(member, 0), -held[member], member))[:remainder]
    room = {member: quota + (member in favoured) for member in readers}
    result: dict[Key, UUID | None] = {}
    for key, holder in holders.items():
        if holder is not None and room.get(holder, 0) > 0:
            result[key] = holder
            room[holder] -= 1
    free = (member for member in readers for _ in range(room[member]))
    return result | {key: next(free) for key in holders if key not in result}
