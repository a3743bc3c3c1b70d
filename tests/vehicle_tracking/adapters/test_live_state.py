"""Latest positions: which one counts, and that Redis gets them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import redis as redis_py

from common.infra.redis import connect
from services.vehicle_tracking.adapters.live_state import LiveRows, LiveState
from services.vehicle_tracking.convert.live import LIVE_CHANGE, LIVE_RECORD
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
        client.delete("live:1")
        yield client


@pytest.mark.enable_socket
@pytest.mark.services("redis")
def test_redis_holds_the_record_and_says_how_many_it_did_not_have(redis: redis_py.Redis) -> None:
    rows, live = LiveRows(1, 4), LiveState(redis)
    take(rows, (5, 30, 3), (9, 10, 7))
    changes, new_count = rows.changes()
    assert (live.write(1, changes), new_count) == (2, 2)
    take(rows, (5, 40, 4))
    changes, new_count = rows.changes()
    assert (live.write(1, changes), new_count) == (0, 0)
    record = np.frombuffer(redis.hget("live:1", (5).to_bytes(8, "big")), LIVE_RECORD)  # type: ignore[arg-type]
    assert record["longitude_e7"].tolist() == [4]
    assert live.write(1, np.zeros(0, LIVE_CHANGE)) == 0
