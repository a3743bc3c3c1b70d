"""The alarm methods of TrackingService."""

# ruff: noqa: N802, ARG002 – the generated base class names the methods and their arguments

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Protocol

from xiangtong.tracking.v1 import alarms_pb2
from xiangtong.tracking.v1 import tracking_service_pb2 as pb

from common.errors import InvalidInput, TooMuch, Violation
from common.infra.callers import caller
from services.vehicle_tracking.convert.alarm_filters import alarm_filter_from
from services.vehicle_tracking.convert.registry import instant_ms
from services.vehicle_tracking.domain.alarm_filters import AlarmFilter
from services.vehicle_tracking.server.alarm_feed import AlarmFeed, AlarmWatcher
from services.vehicle_tracking.server.pages import cut, page_size, place

HEARTBEAT_S = 10.0
CHANGES_MAX = 500  # alarms a message
SNAPSHOT_PAGE = 1000
SNAPSHOT_MAX = 10_000  # open alarms beyond these, the oldest, are for ListAlarms
REMARK_CHARACTERS_MAX = 500
OPERATOR_CHARACTERS_MAX = 100


class AlarmStore(Protocol):
    """Where alarms are kept. Called away from the event loop."""

    def list_alarms(self, wanted: AlarmFilter, *, before: tuple[int, str] | None, count: int) -> list[alarms_pb2.Alarm]:
        """Up to `count` alarms, newest raise time first, then by id downwards; those before the (raise time, id)."""

    def acknowledge(self, alarm_id: str, *, caller: str, operator: str, remark: str, etag: str) -> alarms_pb2.Alarm:
        """The alarm as stored; published on the alarms channel when it changed. Raises NotFound, Stale."""


class AlarmMethods:
    """Alarms over gRPC."""

    def __init__(self, store: AlarmStore, feed: AlarmFeed) -> None:
        self._store = store
        self._feed = feed

    async def ListAlarms(self, request: pb.ListAlarmsRequest, context: Any) -> pb.ListAlarmsResponse:
        size, before = page_size(request.page_size), place(request, _before)
        wanted = alarm_filter_from(request.filter)
        found = await asyncio.to_thread(self._store.list_alarms, wanted, before=before, count=size + 1)
        page, token = cut(found, size, request, lambda alarm: f"{instant_ms(alarm.raise_time)} {alarm.alarm_id}")
        return pb.ListAlarmsResponse(alarms=page, next_page_token=token)

    async def AcknowledgeAlarm(self, request: pb.AcknowledgeAlarmRequest, context: Any) -> pb.AcknowledgeAlarmResponse:
        violations = [
            Violation(field, f"shorten it to {most} characters")
            for field, most in (("remark", REMARK_CHARACTERS_MAX), ("operator", OPERATOR_CHARACTERS_MAX))
            if len(getattr(request, field)) > most
        ]
        if violations:
            raise InvalidInput(*violations)
        alarm = await asyncio.to_thread(
            self._store.acknowledge,
            request.alarm_id,
            caller=caller().name,
            operator=request.operator or caller().name,
            remark=request.remark,
            etag=request.etag,
        )
        return pb.AcknowledgeAlarmResponse(alarm=alarm)

    async def WatchAlarms(self, request: pb.WatchAlarmsRequest, context: Any) -> AsyncIterator[pb.WatchAlarmsResponse]:
        wanted = alarm_filter_from(request.filter)
        epoch, number = _resume_place(request.resume_token)
        watcher = self._feed.join(wanted)
        try:
            missed = self._feed.recent_after(epoch, number)
            if missed is None:
                async for message in self._snapshot(watcher):
                    yield message
            for entry in missed or ():
                watcher.offer(*entry)
            while True:
                async for message in self._news(watcher):
                    yield message
        finally:
            self._feed.leave(watcher)

    async def _snapshot(self, watcher: AlarmWatcher) -> AsyncIterator[pb.WatchAlarmsResponse]:
        """The open alarms. What comes meanwhile waits and is told again after: a change told twice is harmless."""
        watcher.restarted = False
        token, before, told = self._feed.token(self._feed.number), None, 0
        wanted = _open(watcher.wanted)
        while True:
            page = await asyncio.to_thread(self._store.list_alarms, wanted, before=before, count=SNAPSHOT_PAGE)
            told += len(page)
            if len(page) < SNAPSHOT_PAGE or told >= SNAPSHOT_MAX:
                yield pb.WatchAlarmsResponse(alarms=page, step=pb.WATCH_STEP_SNAPSHOT_END, resume_token=token)
                return
            yield pb.WatchAlarmsResponse(alarms=page, step=pb.WATCH_STEP_SNAPSHOT)
            before = (instant_ms(page[-1].raise_time), page[-1].alarm_id)

    async def _news(self, watcher: AlarmWatcher) -> AsyncIterator[pb.WatchAlarmsResponse]:
        """What has come, or a heartbeat when nothing does."""
        if not watcher.awake.is_set():
            try:
                async with asyncio.timeout(HEARTBEAT_S):
                    await watcher.awake.wait()
            except TimeoutError:
                token = self._feed.token(self._feed.number)
                yield pb.WatchAlarmsResponse(step=pb.WATCH_STEP_HEARTBEAT, resume_token=token)
                return
        watcher.awake.clear()
        if watcher.too_slow:
            raise TooMuch("WATCHER_TOO_SLOW", "more alarms came than were read; resume when ready")
        if watcher.restarted:
            async for message in self._snapshot(watcher):
                yield message
        while watcher.pending:
            part = [watcher.pending.popleft() for _ in range(min(CHANGES_MAX, len(watcher.pending)))]
            yield pb.WatchAlarmsResponse(
                alarms=[alarm for _, alarm in part],
                step=pb.WATCH_STEP_CHANGE,
                resume_token=self._feed.token(part[-1][0]),
            )


def _open(wanted: AlarmFilter) -> AlarmFilter:
    return AlarmFilter(
        wanted.vehicle_id, wanted.rules, wanted.start_time_ms, wanted.end_time_ms, wanted.state or 1, wanted.fence_id
    )


def _before(text: str) -> tuple[int, str] | None:
    if not text:
        return None
    raise_time_ms, _, alarm_id = text.partition(" ")
    return int(raise_time_ms), alarm_id


def _resume_place(token: str) -> tuple[str, int]:
    epoch, _, number = token.partition(":")
    if token and not (number.isascii() and number.isdigit()):
        raise InvalidInput(Violation("resume_token", "send a token of this watch as it came, or none"))
    return epoch, int(number or 0)
