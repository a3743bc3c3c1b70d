"""WatchPositions: a snapshot, then what changed since the last message, and a heartbeat when nothing does.

A watcher holds no queue: each message says what changed since the one before, so one that reads slowly gets the
latest per vehicle. One that leaves a message unread for SLOW_S_MAX is dropped.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import numpy as np
from xiangtong.tracking.v1 import tracking_service_pb2 as pb

from common.clock import Clock
from common.errors import InvalidInput, TooMuch, Violation
from services.vehicle_tracking.adapters.live_table import Ids, LiveTable
from services.vehicle_tracking.convert.positions import encode
from services.vehicle_tracking.convert.tracking import filter_from
from services.vehicle_tracking.domain.live_filters import Filter

CHUNK_COUNT = 20_000  # positions a message: about 1 MB
INTERVAL_MS_DEFAULT, INTERVAL_MS_MIN, INTERVAL_MS_MAX = 1000, 200, 10_000
HEARTBEAT_S = 10.0
SLOW_S_MAX = 30.0


class Watcher:
    """What one watcher has been told, and what it must be told next."""

    def __init__(self, table: LiveTable, wanted: Filter, clock: Clock, *, since: int | None) -> None:
        self._table = table
        self._wanted = wanted
        self._clock = clock
        self._since = since or 0
        self._resumed = since is not None
        self._shown = np.zeros(0, np.bool_)

    def token(self) -> str:
        """Where to resume."""
        return f"{self._table.epoch}:{self._since}"

    def next_ids(self) -> tuple[Ids, Ids]:
        """Vehicles that match and have changed, and those that no longer match; both since the last time."""
        number = self._table.change
        changed = self._table.changed(self._since)
        if len(changed) and int(changed[-1]) >= len(self._shown):
            self._shown = np.concatenate([self._shown, np.zeros(int(changed[-1]) + 1024 - len(self._shown), np.bool_)])
        mask = self._table.matching(changed, self._wanted)
        told = np.ones(len(changed), np.bool_) if self._resumed else self._shown[changed]
        self._shown[changed] = mask
        self._since, self._resumed = number, False
        return changed[mask], changed[~mask & told]

    def messages(
        self, ids: Ids, gone: Ids, step: pb.WatchStep.ValueType, last_step: pb.WatchStep.ValueType
    ) -> list[pb.WatchPositionsResponse]:
        """Messages of at most CHUNK_COUNT positions each; only the last one moves the resume token."""
        parts = [ids[start : start + CHUNK_COUNT] for start in range(0, len(ids), CHUNK_COUNT)] or [ids]
        found = [self._message(part, step) for part in parts]
        found[-1].step = last_step
        found[-1].resume_token = self.token()
        found[-1].gone_vehicle_ids.extend(gone.tolist())
        return found

    def _message(self, ids: Ids, step: pb.WatchStep.ValueType) -> pb.WatchPositionsResponse:
        message = pb.WatchPositionsResponse(step=step, online=self._table.online(ids).tolist())
        message.positions.MergeFromString(encode(self._table.positions(ids, self._clock.now_ms())))
        return message


async def watch(
    request: pb.WatchPositionsRequest, table: LiveTable, clock: Clock
) -> AsyncIterator[pb.WatchPositionsResponse]:
    """The messages of one watch, for as long as they are read."""
    interval_s = _interval_ms(request.interval_ms) / 1000
    since = _resumed_change(request.resume_token, table)
    watcher = Watcher(table, filter_from(request.filter), clock, since=since)
    snapshot = since is None
    quiet_since_s = clock.monotonic_s()
    while True:
        ids, gone = watcher.next_ids()
        for message in _told(watcher, ids, gone, snapshot=snapshot):
            sent_s = clock.monotonic_s()
            yield message
            quiet_since_s = clock.monotonic_s()
            if quiet_since_s - sent_s > SLOW_S_MAX:
                raise TooMuch("WATCHER_TOO_SLOW", f"a message was not read for {SLOW_S_MAX:g} s; resume when ready")
        snapshot = False
        if clock.monotonic_s() - quiet_since_s >= HEARTBEAT_S:
            quiet_since_s = clock.monotonic_s()
            yield pb.WatchPositionsResponse(step=pb.WATCH_STEP_HEARTBEAT, resume_token=watcher.token())
        await asyncio.sleep(interval_s)


def _told(watcher: Watcher, ids: Ids, gone: Ids, *, snapshot: bool) -> list[pb.WatchPositionsResponse]:
    if snapshot:
        return watcher.messages(ids, gone, pb.WATCH_STEP_SNAPSHOT, pb.WATCH_STEP_SNAPSHOT_END)
    if len(ids) or len(gone):
        return watcher.messages(ids, gone, pb.WATCH_STEP_CHANGE, pb.WATCH_STEP_CHANGE)
    return []


def _interval_ms(given: int) -> int:
    if given and not INTERVAL_MS_MIN <= given <= INTERVAL_MS_MAX:
        raise InvalidInput(
            Violation("interval_ms", f"give {INTERVAL_MS_MIN} to {INTERVAL_MS_MAX} ms, or 0 for {INTERVAL_MS_DEFAULT}")
        )
    return given or INTERVAL_MS_DEFAULT


def _resumed_change(token: str, table: LiveTable) -> int | None:
    """The change number to go on from; None to begin anew, as for a token of another process."""
    epoch, _, number = token.partition(":")
    if token and not (number.isascii() and number.isdigit()):
        raise InvalidInput(Violation("resume_token", "send a token of this watch as it came, or none"))
    if epoch != table.epoch or not token or int(number) > table.change:
        return None
    return int(number)
