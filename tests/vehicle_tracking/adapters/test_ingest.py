"""Positions on their way into the event log."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import numpy as np
import pytest

from common.errors import TooMuch, Unavailable
from common.infra.log import NewRecord
from services.vehicle_tracking.adapters.ingest import RECORD_POSITIONS_MAX, Publisher, records
from services.vehicle_tracking.convert.positions import decode
from services.vehicle_tracking.domain.positions import PositionBatch, batch


class Log:
    """Appends when told to go on. `away`: how many more appends are refused."""

    def __init__(self, away: int = 0) -> None:
        self.appended: list[list[NewRecord]] = []
        self.away = away
        self.go_on = threading.Event()
        self.go_on.set()

    def append(self, new: Sequence[NewRecord], *, timeout_s: float = 30.0) -> list[int]:
        assert self.go_on.wait(10)
        if self.away:
            self.away -= 1
            raise Unavailable("LOG_UNAVAILABLE", "away")
        self.appended.append(list(new))
        return list(range(len(new)))

    def close(self) -> None:
        pass


def positions(*vehicle_ids: int) -> PositionBatch:
    """Positions whose fix times are their places in the list."""
    return batch(7, vehicle_ids=list(vehicle_ids), fix_times_ms=range(len(vehicle_ids)))


def vehicles(new: Sequence[NewRecord]) -> list[tuple[int, list[int]]]:
    """Partition and vehicles of each record."""
    return [(record.partition, decode(record.value).vehicle_ids.tolist()) for record in new]


def publisher(log: Log, most: int = 100) -> Publisher:
    return Publisher(log, partition_count=4, waiting_positions_max=most)


def test_a_record_holds_one_partition_in_the_order_of_arrival() -> None:
    new = records([positions(5, 4, 1, 5), positions(1, 8)], 4)
    assert vehicles(new) == [(0, [4, 8]), (1, [5, 1, 5, 1])]
    assert decode(new[1].value).fix_times_ms.tolist() == [0, 2, 3, 0]


def test_items_stay_with_their_positions() -> None:
    blob = b"".join(bytes([1, 1, n]) for n in range(3))
    mixed = batch(7, vehicle_ids=[1, 4, 5], item_lengths=[3, 3, 3], item_blob=blob)
    assert [decode(record.value).item_blob for record in records([mixed], 4)] == [
        b"\x01\x01\x01",
        b"\x01\x01\x00\x01\x01\x02",
    ]


def test_what_does_not_fit_into_a_record_becomes_several() -> None:
    new = records([positions(*[4] * (RECORD_POSITIONS_MAX + 1)), positions(8)], 4)
    assert [len(decode(record.value)) for record in new] == [RECORD_POSITIONS_MAX, 2]


async def test_positions_are_durable_when_publish_returns() -> None:
    log = Log()
    await publisher(log).publish(positions(1, 2))
    assert vehicles(log.appended[0]) == [(1, [1]), (2, [2])]


async def test_what_comes_during_an_append_shares_the_next_in_order() -> None:
    log = Log()
    log.go_on.clear()
    publish = publisher(log).publish
    first = asyncio.create_task(publish(positions(1)))
    await asyncio.sleep(0.05)
    rest = [asyncio.create_task(publish(positions(n))) for n in (5, 9, 13)]
    await asyncio.sleep(0.05)
    assert not first.done()
    log.go_on.set()
    await asyncio.gather(first, *rest)
    assert [vehicles(new) for new in log.appended] == [[(1, [1])], [(1, [5, 9, 13])]]


async def test_a_log_that_stays_away_is_said_to_everybody_who_waits() -> None:
    publish = publisher(Log(away=99)).publish
    results = await asyncio.gather(publish(positions(1)), publish(positions(2)), return_exceptions=True)
    assert [type(result) for result in results] == [Unavailable, Unavailable]


async def test_a_short_absence_is_bridged() -> None:
    log = Log(away=2)
    await publisher(log).publish(positions(1))
    assert len(log.appended) == 1


async def test_waiting_positions_are_bounded() -> None:
    log = Log()
    log.go_on.clear()
    given = publisher(log, most=4)
    waiting = asyncio.create_task(given.publish(positions(*range(1, 7))))
    await asyncio.sleep(0.05)
    assert given.full
    with pytest.raises(TooMuch):
        await given.publish(positions(1, 2, 3))
    log.go_on.set()
    await given.drain()
    assert waiting.done() and not given.full


async def test_nothing_is_nothing_to_append() -> None:
    log = Log()
    await publisher(log).publish(batch(1, vehicle_ids=np.zeros(0)))
    assert log.appended == []
