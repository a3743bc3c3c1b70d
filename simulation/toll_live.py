"""Tolls as they happen: the exits of a simulated day, posted when their time has come."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime
from typing import Any

import grpc
import numpy as np
from xiangtong.billing.v1 import billing_service_pb2 as pb

from common.clock import Clock
from simulation.province import province
from simulation.toll_exits import ExitNames, exit_names
from simulation.toll_ids import SHANGHAI_S
from simulation.toll_messages import exit_message_of
from simulation.toll_network import Int64s, TollNetwork, toll_network, ways
from simulation.toll_tariff import synthetic_tariff
from simulation.toll_trips import TollTrips, toll_trips
from simulation.toll_truth import charged

RECORDS_A_CALL = 10_000
TIMEOUT_S = 60.0
DAY_MS = 86_400_000
LOOK_S = 2.0  # between two looks at who has left meanwhile
RETRY_S = 5.0


class TollDay:
    """The trips of one day, in order of exit."""

    def __init__(self, network: TollNetwork, *, seed: int, count: int, now_ms: int) -> None:
        on = datetime.fromtimestamp(now_ms / 1000 + SHANGHAI_S, UTC).date()
        self.network = network
        self.end_ms = (now_ms + SHANGHAI_S * 1000) // DAY_MS * DAY_MS + DAY_MS - SHANGHAI_S * 1000
        self.trips: TollTrips = toll_trips(network, ways(network), seed=seed, count=count, day=on)
        self.names: ExitNames = exit_names(self.trips, network)
        self.fees_fen: Int64s = charged(self.trips, synthetic_tariff(network, seed)).charges_fen

    def left(self, from_ms: int, until_ms: int) -> Int64s:
        """Which trips left the network from a time on until before another."""
        first, after = np.searchsorted(self.trips.exit_times_ms, [from_ms, until_ms])
        return np.arange(first, after)

    def message(self, rows: Int64s) -> pb.ExitRecords:
        """The exit records of trips, as toll systems post them."""
        return exit_message_of(self.trips, self.network, self.names, self.fees_fen, rows)


class TollSystem:
    """Who posts through `stub`, a BillingServiceStub. `token`: what it shows, empty for none."""

    def __init__(self, stub: Any, token: str) -> None:
        self._stub = stub
        self._metadata = (("authorization", f"Bearer {token}"),) if token else ()

    async def post(self, exits: pb.ExitRecords) -> pb.PostPassageRecordsResponse:
        """The answers to exit records. Raises grpc.aio.AioRpcError."""
        request = pb.PostPassageRecordsRequest(exits=exits)
        answer = await self._stub.PostPassageRecords(request, timeout=TIMEOUT_S, metadata=self._metadata)
        assert isinstance(answer, pb.PostPassageRecordsResponse)
        return answer


async def post_live(
    caller: TollSystem, *, seed: int, passages: int, clock: Clock, stop: asyncio.Event, from_ms: int
) -> int:
    """Post exits from `from_ms` on as they happen, day after day, until asked to stop. How many were created. What a
    server that is away did not answer is posted again: each exit counts once."""
    network = toll_network(province(seed), seed)
    day = TollDay(network, seed=seed, count=passages, now_ms=clock.now_ms())
    created = 0
    while not stop.is_set():
        now_ms = clock.now_ms()
        if from_ms >= day.end_ms:
            day = TollDay(network, seed=seed, count=passages, now_ms=now_ms)
        rows = day.left(from_ms, now_ms)[:RECORDS_A_CALL]
        try:
            if len(rows):
                answer = await caller.post(day.message(rows))
                created += sum(outcome == pb.POSTING_OUTCOME_CREATED for outcome in answer.outcomes)
            # Others may have left in the same second: those that are sent twice exist already.
            from_ms = int(day.trips.exit_times_ms[rows[-1]]) if len(rows) == RECORDS_A_CALL else now_ms
            pause_s = 0.0 if len(rows) == RECORDS_A_CALL else LOOK_S
        except grpc.aio.AioRpcError:
            pause_s = RETRY_S
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), pause_s)
    return created
