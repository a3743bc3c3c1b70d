"""One watch of positions and one of alarms for this process, whose news all browsers share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, NoReturn

import grpc.aio
import numpy as np
from xiangtong.tracking.v1 import alarms_pb2
from xiangtong.tracking.v1 import tracking_service_pb2 as pb

from common.errors import Unavailable
from common.infra import diagnostics
from services.gateway.adapters.alarm_news import AlarmNews
from services.gateway.adapters.api import Api
from services.gateway.adapters.live_browser import Encoder
from services.gateway.adapters.live_table import LiveTable
from services.gateway.convert.alarms import alarm_json
from services.gateway.convert.live import Ids, records_of

SILENCE_S_MAX = 30.0  # the api sends a heartbeat every 10 s
RETRY_DELAY_S_MIN, RETRY_DELAY_S_MAX = 0.2, 5.0
LEARN_AGAIN_S = 0.5  # rows that changed are asked for together

log = diagnostics.logger(__name__)


class LiveHub:
    """`wake`: called after every change, by each browser's own stream."""

    def __init__(self, api: Api, *, interval_ms: int) -> None:
        self.table = LiveTable()
        self.encoder = Encoder(self.table)
        self.news = AlarmNews()
        self.wakers: set[Callable[[], None]] = set()
        self.ready = asyncio.Event()
        self.tasks: list[asyncio.Task[NoReturn]] = []
        self._api = api
        self._interval_ms = interval_ms
        self._told: list[Ids] = []
        self._told_alarms: list[alarms_pb2.Alarm] = []
        self._learn_again: set[int] = set()
        self._lost: set[str] = {"positions", "alarms"}

    @property
    def live(self) -> bool:
        """Whether what is here is up to date."""
        return not self._lost

    def check_alive(self) -> None:
        """Raise when a loop has ended, which only a fault of ours can do."""
        for task in self.tasks:
            if task.done():
                raise Unavailable("LIVE_STREAM_ENDED", f"{task.get_name()} has ended: see the log")

    def check(self) -> None:
        """Raise Unavailable while a watch is down: what browsers see is old then."""
        if self._lost:
            raise Unavailable("API_UNAVAILABLE", f"no watch of {' and '.join(sorted(self._lost))}: the api is away")

    async def plates(self, vehicle_ids: list[int]) -> None:
        """Know the plates of these vehicles, where the register does."""
        await self._learn(self.table.unknown(np.unique(np.array(vehicle_ids, np.int64))))

    async def follow_positions(self) -> NoReturn:
        """Keep the table up to date, for good."""
        await self._follow("positions", self._watch_positions, self._take_positions)

    async def follow_alarms(self) -> NoReturn:
        """Keep the news up to date, for good."""
        await self._follow("alarms", self._watch_alarms, self._take_alarms)

    async def learn_again(self) -> NoReturn:
        """Ask again for the rows of vehicles that were told again though nothing moved, for good."""
        while True:
            await asyncio.sleep(LEARN_AGAIN_S)
            some, self._learn_again = self._learn_again, set()
            try:
                await self._learn(np.fromiter(some, np.int64))
            except grpc.aio.AioRpcError:
                self._learn_again |= some
            if some:
                self._wake()

    def _watch_positions(self, token: str) -> Any:
        self._told.clear()
        request = pb.WatchPositionsRequest(resume_token=token, interval_ms=self._interval_ms)
        return self._api.tracking.WatchPositions(request)

    def _watch_alarms(self, token: str) -> Any:
        self._told_alarms.clear()
        return self._api.tracking.WatchAlarms(pb.WatchAlarmsRequest(resume_token=token))

    async def _follow(self, name: str, watch: Callable[[str], Any], take: Callable[[Any], Awaitable[None]]) -> NoReturn:
        token, delay_s = "", RETRY_DELAY_S_MIN
        while True:
            call = watch(token)
            try:
                while (message := await _read(call)) is not None:
                    await take(message)
                    token, delay_s = message.resume_token or token, RETRY_DELAY_S_MIN
                    if message.step != pb.WATCH_STEP_SNAPSHOT:
                        self._found(name)
            except (grpc.aio.AioRpcError, TimeoutError) as error:
                log.warning("watch lost", watch=name, error=_summary(error))
            finally:
                call.cancel()
            self._lost.add(name)
            self._wake()
            await asyncio.sleep(delay_s)
            delay_s = min(2 * delay_s, RETRY_DELAY_S_MAX)

    async def _take_positions(self, message: pb.WatchPositionsResponse) -> None:
        ids, records = records_of(message)
        await self._learn(self.table.unknown(ids))
        again = self.table.take(ids, records)
        if message.step in (pb.WATCH_STEP_SNAPSHOT, pb.WATCH_STEP_SNAPSHOT_END):
            self._told.append(ids)
        else:
            self._learn_again.update(again.tolist())
        self.table.remove(np.array(message.gone_vehicle_ids, np.int64))
        if message.step == pb.WATCH_STEP_SNAPSHOT_END:
            self._end_snapshot()
        if message.resume_token:
            self._wake()

    def _end_snapshot(self) -> None:
        """What a snapshot does not tell is gone; and while we did not watch, rows may have changed."""
        present = self.table.present()
        told = np.concatenate(self._told)
        self._told.clear()
        self.table.remove(np.setdiff1d(present, told))
        if self.ready.is_set():
            self._learn_again.update(told.tolist())

    async def _take_alarms(self, message: pb.WatchAlarmsResponse) -> None:
        await self.plates([alarm.vehicle_id for alarm in message.alarms])
        if message.step in (pb.WATCH_STEP_SNAPSHOT, pb.WATCH_STEP_SNAPSHOT_END):
            self._told_alarms.extend(message.alarms)
        elif message.alarms:
            self.news.take(self._json(list(message.alarms)))
            self._wake()
        if message.step == pb.WATCH_STEP_SNAPSHOT_END:
            self.news.restart(self._json(self._told_alarms))
            self._told_alarms.clear()
            self._wake()

    def _json(self, alarms: list[alarms_pb2.Alarm]) -> list[dict[str, Any]]:
        return [alarm_json(alarm, self.table.plate(alarm.vehicle_id)) for alarm in alarms]

    async def _learn(self, ids: Ids) -> None:
        if len(ids):
            self.table.learn([tracked.vehicle for tracked in await self._api.tracked(ids.tolist())])

    def _found(self, name: str) -> None:
        if name in self._lost:
            self._lost.discard(name)
            self._wake()
        if not self._lost:
            self.ready.set()

    def _wake(self) -> None:
        for wake in self.wakers:
            wake()


@asynccontextmanager
async def following(hub: LiveHub) -> AsyncIterator[LiveHub]:
    """The hub, kept up to date meanwhile."""
    loops = (hub.follow_positions, hub.follow_alarms, hub.learn_again)
    hub.tasks = tasks = [asyncio.create_task(loop(), name=loop.__name__) for loop in loops]
    for task in tasks:
        task.add_done_callback(_log_fault)
    try:
        yield hub
    finally:
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError, Exception):  # a fault was logged when it came
                await task


def _log_fault(task: asyncio.Task[NoReturn]) -> None:
    if not task.cancelled() and (fault := task.exception()):
        log.critical("live stream ended", task=task.get_name(), exc_info=fault)


async def _read(call: Any) -> Any:
    async with asyncio.timeout(SILENCE_S_MAX):
        message = await call.read()
    return None if message is grpc.aio.EOF else message


def _summary(error: BaseException) -> str:
    if isinstance(error, grpc.aio.AioRpcError):
        return f"{error.code().name}: {error.details()}"
    return f"nothing came for {SILENCE_S_MAX:g} s"
