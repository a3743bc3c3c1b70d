"""Passages, tariffs and rules from small tables. All prices are made up (示例)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from common.clock import SHANGHAI, milliseconds
from services.etc_billing.domain.passages import NO_FEE_FEN, Intervals, Passages
from services.etc_billing.domain.products.product import RatingRule
from services.etc_billing.domain.tariff import NO_PRICE_FEN, VEHICLE_TYPES, Tariff

SECTIONS = ("G0004430010", "S0021430020")
STATIONS = tuple(f"{section}{n:03}" for section in SECTIONS for n in (1, 2))
START = "2026-03-02T00:00"


def ms(shanghai: str) -> int:
    """Milliseconds of a local time in Shanghai."""
    return milliseconds(datetime.fromisoformat(shanghai).replace(tzinfo=SHANGHAI))


def interval_id(number: int, direction: int = 1) -> str:
    """Even numbers are in the first section, odd ones in the second."""
    return f"{SECTIONS[number % 2]}{number:03}{direction}0"


def tariff(*prices_fen: int, later: Sequence[int] = (), later_from: str = "2026-06-01T00:00", shift: int = 0) -> Tariff:
    """Interval k costs prices_fen[k], and `shift` more for each type after the first; the last one leads down."""
    count = len(prices_fen)
    versions = [prices_fen, later] if later else [prices_fen]
    table = np.array(versions, np.int32)[:, :, np.newaxis] + shift * np.arange(len(VEHICLE_TYPES), dtype=np.int32)
    table[np.array(versions) == NO_PRICE_FEN] = NO_PRICE_FEN
    return Tariff(
        interval_ids=tuple(interval_id(k, 2 if k == count - 1 else 1) for k in range(count)),
        owners=tuple(f"示例业主{k % 3}" for k in range(count)),
        lengths_m=np.full(count, 9000, np.int32),
        station_ids=STATIONS,
        versions=("4320260101001", "4320260601001")[: len(versions)],
        from_ms=np.array([ms("2026-01-01T00:00"), ms(later_from)][: len(versions)], np.int64),
        prices_fen=table,
    )


@dataclass(frozen=True)
class Row:
    """One passage, an ETC car over interval 0 unless told otherwise. `passed`: when each interval was passed."""

    intervals: tuple[int, ...] = (0,)
    leave: str = "2026-03-02T10:00"
    vehicle_type: int = 1
    vehicle_class: int = 0
    seats: int = 5
    media: int = 1
    fee_class: int = 1
    stations: tuple[int, int] = (0, 1)
    passed: str = "2026-03-02T09:00"


def passages(*rows: Row) -> Passages:
    """The rows as columns."""
    counts = [len(row.intervals) for row in rows]
    numbers = [number for row in rows for number in row.intervals]
    passed = [ms(row.passed) for row in rows for _ in row.intervals]
    return Passages(
        entry_times_ms=np.array([ms(START) for _ in rows], np.int64),
        exit_times_ms=np.array([ms(row.leave) for row in rows], np.int64),
        vehicle_types=np.array([row.vehicle_type for row in rows], np.uint8),
        vehicle_classes=np.array([row.vehicle_class for row in rows], np.uint8),
        seat_counts=np.array([row.seats for row in rows], np.int32),
        media_types=np.array([row.media for row in rows], np.uint8),
        fee_classes=np.array([row.fee_class for row in rows], np.uint8),
        entry_stations=np.array([row.stations[0] for row in rows], np.int32),
        exit_stations=np.array([row.stations[1] for row in rows], np.int32),
        fees_fen=np.full(len(rows), NO_FEE_FEN, np.int64),
        intervals=Intervals(
            np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            np.array(numbers, np.int32),
            np.array(passed, np.int64),
        ),
    )


def rule(code: int, product: str, **values: object) -> RatingRule:
    """A rule with the product's name as its words."""
    return replace(RatingRule(code, product, f"示例{product}", product), **values)  # type: ignore[arg-type] # by name


USUAL = (
    rule(2, "etc_passenger", percent=95),
    rule(3, "etc_truck", percent=85),
    rule(4, "whole_yuan"),
    rule(5, "green_passage"),
    rule(6, "harvesters"),
    rule(7, "disaster_relief"),
    rule(
        8,
        "free_holidays",
        seat_count_max=7,
        windows_ms=((ms("2026-10-01T00:00"), ms("2026-10-08T00:00")),),
    ),
)
