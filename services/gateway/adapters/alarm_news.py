"""Alarms as they come, numbered, as text frames encoded once for all browsers."""

from __future__ import annotations

import heapq
from collections import deque
from typing import Any

from services.gateway.convert.live import alarms_text

RECENT_MAX = 2000  # messages that a browser may lag behind before it gets the snapshot again
SNAPSHOT_MAX = 1000  # open alarms that a console shows at once; older ones are listed by page
OPEN_MAX = 10_000  # as many as the api tells of


class AlarmNews:
    """Open alarms and the recent messages."""

    def __init__(self) -> None:
        self.number = 1
        self._recent: deque[tuple[int, str]] = deque(maxlen=RECENT_MAX)
        self._open: dict[str, dict[str, Any]] = {}
        self._snapshot = ""

    def restart(self, open_alarms: list[dict[str, Any]]) -> None:
        """Begin anew with these open alarms: others may have been missed, so every browser gets the snapshot."""
        self._open = {alarm["alarm_id"]: alarm for alarm in open_alarms}
        self.number += 1
        self._recent.clear()
        self._snapshot = ""

    def take(self, alarms: list[dict[str, Any]]) -> None:
        """Alarms that were raised, cleared or acknowledged."""
        self.number += 1
        self._recent.append((self.number, alarms_text(alarms, snapshot=False, number=self.number)))
        self._snapshot = ""
        for alarm in alarms:
            if alarm["state"] == "open":
                self._open[alarm["alarm_id"]] = alarm
            else:
                self._open.pop(alarm["alarm_id"], None)
        while len(self._open) > OPEN_MAX:
            del self._open[next(iter(self._open))]

    def after(self, number: int | None) -> list[str]:
        """The text frames that follow `number`; the snapshot when those are not known any more, or for None."""
        if number == self.number:
            return []
        oldest = self._recent[0][0] if self._recent else self.number + 1
        if number is None or not oldest - 1 <= number < self.number:
            return [self.snapshot()]
        return [text for found, text in self._recent if found > number]

    def snapshot(self) -> str:
        """The newest open alarms, newest first."""
        if not self._snapshot:
            newest = heapq.nlargest(SNAPSHOT_MAX, self._open.values(), key=lambda alarm: alarm["raise_time_ms"])
            self._snapshot = alarms_text(newest, snapshot=True, number=self.number)
        return self._snapshot
