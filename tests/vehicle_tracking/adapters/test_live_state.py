"""Latest positions: which one counts, and that Redis gets them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import redis as redis_py
from redis.backoff import NoBackoff
from redis.retry import Retry

from common.clock import ManualClock
from common.infra.redis import connect
from services.vehicle_tracking.adapters.live_state import LiveRows, LiveState, write
from services.vehicle_tracking.convert.live import LIVE_CHANGE
from services.vehicle_tracking.domain.latest_rows import LIVE_RECORD
from services.vehicle_tracking.domain.positions import batch


def take(rows: LiveRows, *fixes: tuple[int, int, int], usable: bool = True) -> None:
    """Vehicle, fix time and longitude of each."""
    vehicle_ids, times, longitudes = np.array(fixes, np.int64).T
    positions = batch(1, vehicle_ids=vehicle_ids, fix_times_ms=times, longitudes_e7=longitudes)
    rows.take(positions, np.zeros(len(fixes), np.int32), np.full(len(fixes), usable))


def told(rows: LiveRows) -> list[tuple[int, int]]:
    """Vehicle and longitude of each change."""
    changes, _ = rows.changes()
    return list(zip(changes["vehicle_id"].tolist(), changes["record"]["longitude_e7"].tolist(), strict=True))


def test_the_newest_fix_of_each_vehicle_counts_in_whatever_order_they_come() -> None:
    rows = LiveRows(1, 4)
    take(rows, (5, 30, 3), (9, 10, 7), (5, 20, 2), (5, 10, 1))
    assert told(rows) == [(5, 3), (9, 7)]


def test_an_older_or_unusable_fix_changes_nothing() -> None:
    rows = LiveRows(1, 4)
    take(rows, (5, 30, 3))
    told(rows)
    take(rows, (5, 20, 2))
    take(rows, (5, 40, 4), usable=False)
    assert told(rows) == []


def test_a_vehicle_is_told_once_until_it_changes() -> None:
    rows = LiveRows(1, 4)
    take(rows, (5, 30, 3))
    assert (told(rows), told(rows)) == ([(5, 3)], [])
    rows.forget_telling()
    assert told(rows) == [(5, 3)]


def test_silence_is_a_change_and_the_next_fix_ends_it() -> None:
    rows = LiveRows(1, 4)
    take(rows, (5, 30, 3))
    told(rows)
    rows.set_offline(np.array([5, 4001]))
    silent, _ = rows.changes()
    assert silent["record"]["online"].tolist() == [0]
    take(rows, (5, 40, 4))
    assert rows.changes()[0]["record"]["online"].tolist() == [1]


def test_a_new_owner_tells_everything_again() -> None:
    rows = LiveRows(1, 4)
    take(rows, (5, 30, 3))
    assert told(LiveRows(1, 4, rows.saved())) == [(5, 3)]


@pytest.fixture
def redis(redis_url: str) -> Iterator[redis_py.Redis]:
    with connect(redis_url) as client:
        client.delete("live:1", "live:2")
        yield client


class Judged:
    """Everything is usable."""

    def __init__(self, count: int) -> None:
        self.quality_flags = np.zeros(count, np.int32)
        self.usable = np.ones(count, np.bool_)


def feed(live: LiveState, clock: ManualClock, vehicle_id: int, second: int) -> None:
    """A position a second later, written."""
    positions = batch(1, vehicle_ids=[vehicle_id], fix_times_ms=[second * 1000], longitudes_e7=[second])
    live.take(vehicle_id % 4, positions, Judged(1))
    for _ in range(3):  # what the first write finds missing is told by the second, awaited by the third
        clock.advance(1000)
        live.write_due()
        time.sleep(0.05)


def stored(redis: redis_py.Redis, vehicle_id: int) -> int | None:
    """The longitude that Redis holds."""
    value = redis.hget(f"live:{vehicle_id % 4}", vehicle_id.to_bytes(8, "big"))
    return None if value is None else int(np.frombuffer(value, LIVE_RECORD)["longitude_e7"][0])  # type: ignore[arg-type]


@pytest.mark.enable_socket
@pytest.mark.services("redis")
class TestRedis:
    """What Redis holds."""

    def test_changes_are_written_when_it_is_time(self, redis: redis_py.Redis) -> None:
        clock = ManualClock(1000)
        live = LiveState(redis, clock, partition_count=4, interval_ms=500)
        live.start(1, b"")
        live.start(2, b"")
        feed(live, clock, 5, 10)
        feed(live, clock, 6, 20)
        assert (stored(redis, 5), stored(redis, 6)) == (10, 20)
        live.close()

    def test_what_redis_lost_is_told_again(self, redis: redis_py.Redis) -> None:
        clock = ManualClock(1000)
        live = LiveState(redis, clock, partition_count=4, interval_ms=500)
        live.start(1, b"")
        feed(live, clock, 5, 10)
        feed(live, clock, 9, 10)
        redis.delete("live:1")
        feed(live, clock, 9, 20)
        assert (stored(redis, 5), stored(redis, 9)) == (10, 20)
        live.close()

    def test_a_partition_that_is_let_go_has_been_told(self, redis: redis_py.Redis) -> None:
        clock = ManualClock(1000)
        live = LiveState(redis, clock, partition_count=4, interval_ms=500)
        live.start(1, b"")
        live.take(1, batch(1, vehicle_ids=[5], fix_times_ms=[1000], longitudes_e7=[1]), Judged(1))
        live.stop(1)
        assert stored(redis, 5) == 1
        live.close()

    def test_the_channel_carries_the_changes(self, redis: redis_py.Redis) -> None:
        rows = LiveRows(1, 4)
        take(rows, (5, 30, 3), (9, 10, 7))
        watching: Any = redis.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]
        with watching:
            watching.subscribe("live")
            watching.get_message(timeout=1)
            assert write(redis, [(1, *rows.changes()), (2, np.zeros(0, LIVE_CHANGE), 0)])
            message = watching.get_message(timeout=5)
        assert np.frombuffer(message["data"], LIVE_CHANGE)["vehicle_id"].tolist() == [5, 9]


def test_a_redis_that_is_away_is_said() -> None:
    rows = LiveRows(1, 4)
    take(rows, (5, 30, 3))
    away = redis_py.Redis(unix_socket_path="/nowhere/redis.sock", retry=Retry(NoBackoff(), 0))
    assert not write(away, [(1, *rows.changes())])
