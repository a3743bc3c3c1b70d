"""Alarms in PostgreSQL and on their way to whoever watches: stored first, then appended to the topic, then told."""

# ruff: noqa: S608 – only column lists of this module are spliced into queries; values travel as parameters

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import redis as redis_py
from psycopg.rows import TupleRow
from psycopg.types.json import Jsonb
from xiangtong.tracking.v1 import alarms_pb2

from common.clock import milliseconds
from common.errors import NotFound, Stale
from common.infra.log import NewRecord, Producer
from common.infra.redis import unavailable_when_away
from services.vehicle_tracking.adapters.changes import Change, Pool, connected, read
from services.vehicle_tracking.convert.alarms import Acknowledgement, alarm_message, evidence_from, evidence_rows
from services.vehicle_tracking.convert.live import ALARMS_CHANNEL
from services.vehicle_tracking.domain.alarm_filters import AlarmFilter
from services.vehicle_tracking.domain.alarms.alarm import Alarm
from services.vehicle_tracking.domain.fences import AlarmLevel
from services.vehicle_tracking.domain.topics import ALARMS

_COLUMNS = (
    "alarm_id, rule, vehicle_id, fence_id, subject, level, raise_time, clear_time, evidence, late, measured_value,"
    " limit_value, create_time, state, acknowledged_by, acknowledge_time, remark, version"
)
# A replay tells of an alarm again as it was when it was young: what is cleared stays as it is.
_STORE = """
INSERT INTO alarms (alarm_id, rule, vehicle_id, fence_id, subject, level, raise_time, clear_time, evidence, late,
    measured_value, limit_value, create_time)
SELECT alarm_id, rule, vehicle_id, fence_id, subject, level, to_timestamp(raise_ms / 1000.0),
    to_timestamp(clear_ms / 1000.0), evidence, late, measured, allowed, to_timestamp(create_ms / 1000.0)
FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::bigint[], %s::int[], %s::int[], %s::bigint[], %s::bigint[],
    %s::jsonb[], %s::bool[], %s::float8[], %s::float8[], %s::bigint[])
AS given (alarm_id, rule, vehicle_id, fence_id, subject, level, raise_ms, clear_ms, evidence, late, measured, allowed,
    create_ms)
ON CONFLICT (alarm_id) DO UPDATE SET clear_time = excluded.clear_time, level = excluded.level,
    evidence = excluded.evidence, measured_value = excluded.measured_value, limit_value = excluded.limit_value
WHERE alarms.clear_time IS NULL
"""


class AlarmStore:
    """Alarms as people list and acknowledge them. Thread-safe."""

    def __init__(self, pool: Pool, redis: redis_py.Redis) -> None:
        self._pool = pool
        self._redis = redis

    def list_alarms(self, wanted: AlarmFilter, *, before: tuple[int, str] | None, count: int) -> list[alarms_pb2.Alarm]:
        """Up to `count` alarms, newest raise time first, then by id downwards; those before the (raise time, id)."""
        clauses, values = _clauses(wanted)
        if before is not None:
            clauses.append("(raise_time, alarm_id) < (to_timestamp(%s / 1000.0), %s)")
            values += before
        where = " AND ".join(clauses) or "true"
        query = f"SELECT {_COLUMNS} FROM alarms WHERE {where} ORDER BY raise_time DESC, alarm_id DESC LIMIT %s"
        return [_message(row) for row in read(self._pool, query, *values, count)]

    def acknowledge(self, alarm_id: str, *, caller: str, operator: str, remark: str, etag: str) -> alarms_pb2.Alarm:
        """The alarm as stored; published on the alarms channel when it changed. Raises NotFound, Stale."""
        with connected(self._pool) as connection, connection.transaction():
            writing = Change(connection, caller)
            before = _locked(writing, alarm_id)
            if etag and etag != before.etag:
                raise Stale("alarm", alarm_id)
            if before.state == alarms_pb2.ALARM_STATE_ACKNOWLEDGED:
                return before
            row = writing.rows(
                "UPDATE alarms SET state = %s, acknowledged_by = %s, acknowledge_time = clock_timestamp(),"
                f" remark = %s, version = version + 1 WHERE alarm_id = %s RETURNING {_COLUMNS}",
                alarms_pb2.ALARM_STATE_ACKNOWLEDGED, operator, remark, alarm_id,
            )[0]  # fmt: skip
            writing.audit("acknowledge", "alarm", alarm_id, after={"operator": operator, "remark": remark})
        stored = _message(row)
        with unavailable_when_away():
            self._redis.publish(ALARMS_CHANNEL, stored.SerializeToString())
        return stored


class AlarmOutlet:
    """Where the engine puts alarms. Every step may be repeated."""

    def __init__(self, pool: Pool, redis: redis_py.Redis, producer: Producer, *, partition_count: int) -> None:
        self._pool = pool
        self._redis = redis
        self._producer = producer
        self._partition_count = partition_count

    def store(self, alarms: Sequence[Alarm]) -> list[tuple[int, bytes]]:
        """Vehicle and message of each alarm as stored, each alarm once. What people wrote about it stays."""
        newest = {alarm.alarm_id: alarm for alarm in alarms}  # one statement cannot write a row twice
        with connected(self._pool) as connection, connection.pipeline():
            connection.execute(_STORE, _arrays(newest))
            rows = connection.execute(
                f"SELECT {_COLUMNS} FROM alarms WHERE alarm_id = ANY(%s)".encode(), (list(newest),)
            ).fetchall()
        return [(row[2], _message(row).SerializeToString()) for row in rows]

    def publish(self, messages: Sequence[tuple[int, bytes]]) -> None:
        """Append messages to the topic, then tell whoever watches now."""
        self._producer.append(
            [NewRecord(ALARMS, vehicle_id % self._partition_count, message) for vehicle_id, message in messages]
        )
        with unavailable_when_away(), self._redis.pipeline(transaction=False) as commands:
            for _, message in messages:
                commands.publish(ALARMS_CHANNEL, message)
            commands.execute()


def _arrays(newest: dict[str, Alarm]) -> tuple[list[Any], ...]:
    alarms = list(newest.values())
    return (
        list(newest),
        [alarm.rule for alarm in alarms],
        [alarm.vehicle_id for alarm in alarms],
        [alarm.fence_id for alarm in alarms],
        [alarm.subject for alarm in alarms],
        [int(alarm.level) for alarm in alarms],
        [alarm.raise_time_ms for alarm in alarms],
        [alarm.clear_time_ms for alarm in alarms],
        [Jsonb(evidence_rows(alarm.evidence)) for alarm in alarms],
        [alarm.late for alarm in alarms],
        [float(alarm.measured_value) for alarm in alarms],
        [float(alarm.limit_value) for alarm in alarms],
        [alarm.create_time_ms for alarm in alarms],
    )


def _clauses(wanted: AlarmFilter) -> tuple[list[str], list[Any]]:
    given: list[tuple[str, Any]] = [
        ("vehicle_id = %s", wanted.vehicle_id or None),
        ("fence_id = %s", wanted.fence_id or None),
        ("rule = ANY(%s)", sorted(wanted.rules) or None),
        ("raise_time >= to_timestamp(%s / 1000.0)", wanted.start_time_ms),
        ("raise_time < to_timestamp(%s / 1000.0)", wanted.end_time_ms),
        ("state = %s", wanted.state or None),
    ]
    chosen = [(clause, value) for clause, value in given if value is not None]
    return [clause for clause, _ in chosen], [value for _, value in chosen]


def _locked(writing: Change, alarm_id: str) -> alarms_pb2.Alarm:
    rows = writing.rows(f"SELECT {_COLUMNS} FROM alarms WHERE alarm_id = %s FOR UPDATE", alarm_id)
    if not rows:
        raise NotFound("alarm", alarm_id)
    return _message(rows[0])


def _message(row: TupleRow) -> alarms_pb2.Alarm:
    (_, rule, vehicle_id, fence_id, subject, level, raised, cleared, evidence, late, measured, allowed, created,
     state, acknowledged_by, acknowledged, remark, version) = row  # fmt: skip
    alarm = Alarm(
        rule=rule,
        vehicle_id=vehicle_id,
        raise_time_ms=milliseconds(raised),
        level=AlarmLevel(level),
        fence_id=fence_id,
        subject=subject,
        clear_time_ms=None if cleared is None else milliseconds(cleared),
        evidence=evidence_from(evidence),
        late=late,
        measured_value=measured,
        limit_value=allowed,
        create_time_ms=milliseconds(created),
    )
    acknowledge_time_ms = None if acknowledged is None else milliseconds(acknowledged)
    return alarm_message(alarm, Acknowledgement(state, acknowledged_by, acknowledge_time_ms, remark, version))
