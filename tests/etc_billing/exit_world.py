"""Exit records for tests: one line each, all else filled in."""

from __future__ import annotations

from typing import Any

import numpy as np
from xiangtong.billing.v1 import billing_service_pb2 as pb

from services.etc_billing.convert.exit_records import exit_records_of
from services.etc_billing.domain.exit_records import ExitRecords
from services.etc_billing.flows.ports import Rated

DAY_MS = 1_795_536_000_000  # 2026-11-25T00:00 in Shanghai
STATION = "G0004430010001"
INTERVALS = ("G000443001000110", "G000443001000210", "G000443001000310")
PRICE_FEN = 1000


def exit_id(number: int, station: str = STATION) -> str:
    """The exit id of passage `number` at ten o'clock."""
    return f"{station}{number // 100:04d}010" + "20261125100000" + f"{number % 100:02d}"


def message(*rows: dict[str, Any]) -> pb.ExitRecords:
    """A wire message of records; each names what is not as usual."""
    found = pb.ExitRecords(interval_ids=INTERVALS)
    for n, row in enumerate(rows):
        usual: dict[str, Any] = {
            "exit_ids": exit_id(n),
            "pass_ids": f"0143019999000000{n:06d}20261125090000",
            "card_ids": f"4301{n:016d}",
            "issuer_ids": "430101",
            "plates": "湘A00001",
            "plate_colours": 0,
            "entry_station_ids": STATION,
            "entry_times_ms": DAY_MS + 9 * 3_600_000,
            "exit_times_ms": DAY_MS + 10 * 3_600_000,
            "vehicle_types": 1,
            "vehicle_classes": 0,
            "axle_counts": 2,
            "seat_counts": 5,
            "media_types": 1,
            "pay_types": 4,
            "fee_classes": 1,
            "fees_fen": -1,
            "intervals": (0, 1),
        }
        values = usual | row
        intervals = values.pop("intervals")
        for name, value in values.items():
            getattr(found, name).append(value)
        found.interval_counts.append(len(intervals))
        found.interval_indexes.extend(intervals)
        found.interval_times_ms.extend([DAY_MS + 9 * 3_600_000] * len(intervals))
    return found


def records(*rows: dict[str, Any]) -> ExitRecords:
    """The same as columns."""
    return exit_records_of(message(*rows))


def rated(some: ExitRecords) -> Rated:
    """A tariff of one price for each interval; a passage without intervals has none."""
    counts = np.diff(some.passages.intervals.starts)
    payables_fen = counts * PRICE_FEN
    return Rated(payables_fen, (payables_fen * 95 + 50) // 100, np.where(counts == 0, "NO_INTERVALS", ""))
