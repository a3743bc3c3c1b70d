"""Tolls are posted when their time has come, each once, also when the server was away."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import grpc.aio
import numpy as np
from xiangtong.billing.v1 import billing_service_pb2 as pb

from common.clock import ManualClock
from simulation import toll_live
from simulation.province import province
from simulation.toll_live import DAY_MS, TollDay, TollSystem, post_live
from simulation.toll_network import toll_network

NOON_MS = 1_795_579_200_000  # 2026-11-25T12:00 in Shanghai
PASSAGES = 400


class Server:
    """Remembers what was posted; away for the first call."""

    def __init__(self, stop: asyncio.Event, clock: ManualClock) -> None:
        self.exit_ids: list[str] = []
        self.calls, self._stop, self._clock = 0, stop, clock

    async def PostPassageRecords(self, request: Any, timeout: float, metadata: Any) -> pb.PostPassageRecordsResponse:  # noqa: N802, ASYNC109 – as the generated stub
        self.calls += 1
        assert metadata == (("authorization", "Bearer secret"),)
        if self.calls == 1:
            none = grpc.aio.Metadata()
            raise grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, none, none)
        self.exit_ids += request.exits.exit_ids
        self._clock.advance(DAY_MS // 4)
        if self.calls == 8:
            self._stop.set()
        return pb.PostPassageRecordsResponse(outcomes=[pb.POSTING_OUTCOME_CREATED] * len(request.exits.exit_ids))


async def test_exits_are_posted_once_over_an_outage_and_over_midnight(monkeypatch: Any) -> None:
    monkeypatch.setattr(toll_live, "LOOK_S", 0.0)
    monkeypatch.setattr(toll_live, "RETRY_S", 0.0)
    stop, clock = asyncio.Event(), ManualClock(NOON_MS)
    server = Server(stop, clock)
    created = await post_live(
        TollSystem(server, "secret"), seed=1, passages=PASSAGES, clock=clock, stop=stop, from_ms=NOON_MS - DAY_MS // 4
    )
    assert created == len(server.exit_ids) == len(set(server.exit_ids))
    days = {exit_id[21:29] for exit_id in server.exit_ids}
    assert days == {"20261125", "20261126"}
    assert sum(exit_id[21:29] == "20261126" for exit_id in server.exit_ids) == PASSAGES


def test_a_message_holds_every_column_of_the_trips() -> None:
    day = TollDay(toll_network(province(1), 1), seed=1, count=100, now_ms=NOON_MS)
    rows = day.left(day.end_ms - DAY_MS, day.end_ms)
    message = day.message(rows[10:20])
    assert len(rows) == 100
    assert list(message.fees_fen) == day.fees_fen[10:20].tolist()
    assert sum(message.interval_counts) == len(message.interval_indexes) == len(message.interval_times_ms)
    assert np.all(np.diff(message.exit_times_ms) >= 0)
    assert len(day.message(rows[:0]).exit_ids) == 0
