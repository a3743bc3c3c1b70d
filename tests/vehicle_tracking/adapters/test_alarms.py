"""Alarms in PostgreSQL, in the topic and on the channel."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
import redis as redis_py
from xiangtong.tracking.v1 import alarms_pb2

from common.errors import NotFound, Stale
from common.infra.log import NewRecord
from common.infra.redis import connect
from services.vehicle_tracking.adapters.alarms import AlarmOutlet, AlarmStore
from services.vehicle_tracking.adapters.changes import Pool, read
from services.vehicle_tracking.domain.alarm_filters import AlarmFilter
from services.vehicle_tracking.domain.alarms.alarm import Alarm, EvidencePosition
from services.vehicle_tracking.domain.fences import AlarmLevel
from tests.vehicle_tracking.server.api_serving import migrated_pool

pytestmark = [pytest.mark.enable_socket, pytest.mark.services("postgres", "redis")]

RAISED = Alarm("overspeed", 7, 60_000, AlarmLevel.LOW, evidence=(EvidencePosition(60_000, 1, 2, 3),), measured_value=90)
CLEARED = replace(RAISED, clear_time_ms=95_000, level=AlarmLevel.HIGH, measured_value=130)


class Topic:
    """What was appended."""

    def __init__(self) -> None:
        self.records: list[NewRecord] = []

    def append(self, records: Sequence[NewRecord], *, timeout_s: float = 30.0) -> list[int]:
        self.records += records
        return list(range(len(records)))

    def close(self) -> None:
        pass


@pytest.fixture(scope="module")
def pool(postgres_url: str) -> Iterator[Pool]:
    with migrated_pool(postgres_url) as opened:
        yield opened


@pytest.fixture
def redis(redis_url: str) -> Iterator[redis_py.Redis]:
    with connect(redis_url) as client:
        yield client


@pytest.fixture
def store(pool: Pool, redis: redis_py.Redis) -> AlarmStore:
    read(pool, "DELETE FROM alarms RETURNING 1")
    return AlarmStore(pool, redis)


@pytest.fixture
def outlet(pool: Pool, redis: redis_py.Redis) -> AlarmOutlet:
    return AlarmOutlet(pool, redis, Topic(), partition_count=4)


def stored(store: AlarmStore) -> list[alarms_pb2.Alarm]:
    return store.list_alarms(AlarmFilter(), before=None, count=100)


def test_a_cleared_alarm_is_one_row_with_both_times(store: AlarmStore, outlet: AlarmOutlet) -> None:
    outlet.store([RAISED])
    outlet.store([CLEARED])
    [alarm] = stored(store)
    assert (alarm.raise_time.seconds, alarm.clear_time.seconds, alarm.level, alarm.measured_value) == (60, 95, 3, 130)


def test_a_replay_does_not_open_a_cleared_alarm_again(store: AlarmStore, outlet: AlarmOutlet) -> None:
    outlet.store([RAISED, CLEARED])
    outlet.store([RAISED])
    [alarm] = stored(store)
    assert (alarm.clear_time.seconds, alarm.level) == (95, 3)


def test_clearing_keeps_what_people_wrote_and_tells_it(store: AlarmStore, outlet: AlarmOutlet) -> None:
    outlet.store([RAISED])
    store.acknowledge(RAISED.alarm_id, caller="gateway", operator="li", remark="called", etag="1")
    [(vehicle_id, message)] = outlet.store([CLEARED])
    told = alarms_pb2.Alarm.FromString(message)
    assert (vehicle_id, told.state, told.acknowledged_by, told.remark) == (7, 2, "li", "called")
    assert told.clear_time.seconds == 95


def test_acknowledging_an_old_version_or_nothing_is_refused(store: AlarmStore, outlet: AlarmOutlet) -> None:
    outlet.store([RAISED])
    store.acknowledge(RAISED.alarm_id, caller="c", operator="li", remark="", etag="")
    with pytest.raises(Stale):
        store.acknowledge(RAISED.alarm_id, caller="c", operator="wu", remark="", etag="1")
    again = store.acknowledge(RAISED.alarm_id, caller="c", operator="wu", remark="", etag="2")
    assert again.acknowledged_by == "li"
    with pytest.raises(NotFound):
        store.acknowledge("0" * 32, caller="c", operator="li", remark="", etag="")


def test_acknowledging_is_told_on_the_channel(store: AlarmStore, outlet: AlarmOutlet, redis: redis_py.Redis) -> None:
    outlet.store([RAISED])
    watching: Any = redis.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]
    with watching:
        watching.subscribe("alarms")
        watching.get_message(timeout=1)
        store.acknowledge(RAISED.alarm_id, caller="c", operator="li", remark="", etag="")
        message = watching.get_message(timeout=5)
    assert message is not None
    assert alarms_pb2.Alarm.FromString(message["data"]).acknowledged_by == "li"


def test_alarms_are_published_to_the_partition_of_their_vehicle(pool: Pool, redis: redis_py.Redis) -> None:
    topic = Topic()
    AlarmOutlet(pool, redis, topic, partition_count=4).publish([(7, b"a"), (8, b"b")])
    assert [(record.partition, record.value) for record in topic.records] == [(3, b"a"), (0, b"b")]


def test_a_list_is_filtered_ordered_and_paged(store: AlarmStore, outlet: AlarmOutlet) -> None:
    outlet.store([replace(RAISED, vehicle_id=n % 2, raise_time_ms=1000 * n) for n in range(6)])
    outlet.store([replace(RAISED, rule="offline", vehicle_id=0, raise_time_ms=9000)])
    wanted = AlarmFilter(rules=frozenset({"overspeed"}), start_time_ms=1000, end_time_ms=5000)
    first = store.list_alarms(wanted, before=None, count=2)
    rest = store.list_alarms(wanted, before=(3000, first[-1].alarm_id), count=9)
    assert [a.raise_time.seconds for a in first] == [4, 3]
    assert [a.raise_time.seconds for a in rest] == [2, 1]
    assert len(store.list_alarms(AlarmFilter(vehicle_id=1), before=None, count=9)) == 3
    assert store.list_alarms(AlarmFilter(state=2), before=None, count=9) == []
