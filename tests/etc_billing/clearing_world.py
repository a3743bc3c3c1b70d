"""What clearing needs, in memory: a made-up tariff, files in a dictionary, passages in a list."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from common.clock import ManualClock
from common.errors import NotFound
from services.etc_billing.domain.exit_records import bodies
from services.etc_billing.domain.identifiers import record_keys
from services.etc_billing.domain.ledger import Account
from services.etc_billing.domain.passages import Int64s
from services.etc_billing.domain.tariff import VEHICLE_TYPES, Tariff
from services.etc_billing.flows.clearing import ClosedDay, ClosedSheet, Closing, DuePassage
from tests.etc_billing.exit_world import DAY_MS, INTERVALS, STATION, records

DAY = (DAY_MS + 8 * 3_600_000) // 86_400_000
OVER = ManualClock(DAY_MS + 3 * 86_400_000)
OWNERS = ("示例甲", "示例乙", "示例甲")
TARIFF = Tariff(
    interval_ids=INTERVALS,
    owners=OWNERS,
    lengths_m=np.full(3, 9000, np.int32),
    station_ids=(STATION,),
    versions=("4320260101001",),
    from_ms=np.zeros(1, np.int64),
    prices_fen=np.broadcast_to(np.array([[465], [530], [25]], np.int32), (1, 3, len(VEHICLE_TYPES))).copy(),
)


class Crash(Exception):
    """The process ends here."""


@dataclass
class MemoryFiles:
    """Files by path. `writes_left`: after so many the process ends."""

    found: dict[str, bytes] = field(default_factory=dict)
    writes_left: int = 1_000_000

    def write(self, path: str, *parts: bytes) -> None:
        if self.writes_left == 0:
            raise Crash
        self.writes_left -= 1
        self.found[path] = b"".join(parts)

    def read(self, path: str) -> bytes:
        if path not in self.found:
            raise NotFound("file", path)
        return self.found[path]


@dataclass
class MemoryClearings:
    """Closed days in memory, with the passages that were posted. `crashes`: the process ends before a day is closed."""

    passages: list[tuple[int, DuePassage]] = field(default_factory=list)
    closings: dict[int, Closing] = field(default_factory=dict)
    crashes: bool = False

    def post(self, *rows: dict[str, Any], day: int = DAY) -> None:
        """Add passages that cost 1000 fen, or `fees_fen`."""
        some = records(*({"fees_fen": 1000} | row for row in rows))
        keys = record_keys(some.identities["exit_id"])
        for key, fee_fen, body in zip(keys, some.passages.fees_fen.tolist(), bodies(some), strict=True):
            self.passages.append((day, DuePassage(key.tobytes(), fee_fen, body)))

    @contextmanager
    def opened(self) -> Iterator[MemoryClearings]:
        yield self

    def find_last_closed(self) -> int | None:
        return max(self.closings, default=None)

    def due(self, day: int) -> Iterator[list[DuePassage]]:
        known = {key.tobytes() for closing in self.closings.values() for key in closing.keys}
        for at, passage in self.passages:
            if at <= day and passage.key not in known:
                yield [passage]

    def account_numbers(self, accounts: Sequence[Account]) -> Int64s:
        return np.arange(len(accounts), dtype=np.int64)

    def close(self, closing: Closing) -> ClosedDay:
        if self.crashes:
            raise Crash
        assert closing.day not in self.closings
        self.closings[closing.day] = closing
        found = self.find_closed(closing.day)
        assert found is not None
        return found

    def find_closed(self, day: int) -> ClosedDay | None:
        one = self.closings.get(day)
        return ClosedDay(day, one.close_time_ms, one.digest, len(one.keys), one.total_fen, 1) if one else None

    def sheets(self, day: int) -> list[ClosedSheet]:
        return list(self.closings[day].sheets)

    def find_day(self, key: bytes) -> int | None:
        return next((day for day, one in self.closings.items() if key in [k.tobytes() for k in one.keys]), None)
