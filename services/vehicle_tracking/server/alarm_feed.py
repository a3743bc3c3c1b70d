"""Every raise, clear and acknowledgement as it comes, to every watcher at once."""

from __future__ import annotations

import asyncio
from collections import deque

from google.protobuf.message import DecodeError
from xiangtong.tracking.v1 import alarms_pb2

from common import ids
from common.infra import diagnostics
from services.vehicle_tracking.convert.registry import instant_ms
from services.vehicle_tracking.domain.alarm_filters import AlarmFilter

RECENT_MAX = 10_000  # how far back a watcher may resume
PENDING_MAX = 10_000  # what one watcher may leave unread

log = diagnostics.logger(__name__)


class AlarmWatcher:
    """What one watcher has not been told yet."""

    def __init__(self, wanted: AlarmFilter) -> None:
        self.wanted = wanted
        self.pending: deque[tuple[int, alarms_pb2.Alarm]] = deque()
        self.awake = asyncio.Event()
        self.too_slow = False
        self.restarted = False

    def offer(self, number: int, alarm: alarms_pb2.Alarm) -> None:
        """Keep an alarm for this watcher if it wants it; too many unread ones end the watch."""
        if not concerns(self.wanted, alarm):
            return
        if len(self.pending) >= PENDING_MAX:
            self.pending.clear()
            self.too_slow = True
        else:
            self.pending.append((number, alarm))
        self.awake.set()

    def restart(self) -> None:
        """Begin anew: alarms may have been missed."""
        self.pending.clear()
        self.restarted = True
        self.awake.set()


class AlarmFeed:
    """Numbers the alarms of this process and keeps the recent ones. `epoch` tells its numbers from another's."""

    def __init__(self) -> None:
        self.epoch = ids.request_id()[:12]
        self.number = 0
        self._recent: deque[tuple[int, alarms_pb2.Alarm]] = deque(maxlen=RECENT_MAX)
        self._watchers: set[AlarmWatcher] = set()
        self._started = False

    def take(self, message: bytes) -> None:
        """An Alarm message from the channel."""
        try:
            alarm = alarms_pb2.Alarm.FromString(message)
        except DecodeError:
            log.error("alarm message cannot be read", length=len(message))
            return
        self.number += 1
        self._recent.append((self.number, alarm))
        for watcher in self._watchers:
            watcher.offer(self.number, alarm)

    async def resync(self) -> None:
        """Alarms may have been missed: resume tokens are void and every watcher begins anew."""
        if self._started:
            self.epoch = ids.request_id()[:12]
            self._recent.clear()
            for watcher in self._watchers:
                watcher.restart()
        self._started = True

    def join(self, wanted: AlarmFilter) -> AlarmWatcher:
        """A new watcher, which gets what comes from now on."""
        watcher = AlarmWatcher(wanted)
        self._watchers.add(watcher)
        return watcher

    def leave(self, watcher: AlarmWatcher) -> None:
        """Forget a watcher."""
        self._watchers.discard(watcher)

    def token(self, number: int) -> str:
        """Where to resume after alarm `number`."""
        return f"{self.epoch}:{number}"

    def recent_after(self, epoch: str, number: int) -> list[tuple[int, alarms_pb2.Alarm]] | None:
        """What came after `number`; None when that is not known any more."""
        oldest = self._recent[0][0] if self._recent else self.number + 1
        if epoch != self.epoch or not oldest - 1 <= number <= self.number:
            return None
        return [entry for entry in self._recent if entry[0] > number]


def concerns(wanted: AlarmFilter, alarm: alarms_pb2.Alarm) -> bool:
    """Whether an alarm message matches but for its state."""
    return wanted.concerns(
        vehicle_id=alarm.vehicle_id,
        rule=alarm.rule,
        raise_time_ms=instant_ms(alarm.raise_time),
        fence_id=alarm.fence_id,
    )
