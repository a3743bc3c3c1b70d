"""A made-up tariff (示例, synthetic) for the toll network, as columns and as the folder that the billing imports.

No price in it is Hunan's. The products are those of the trade: ETC and truck percents, containers, cheaper nights for
trucks on some roads, free classes, free holidays.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulation.toll_ids import SHANGHAI_S
from simulation.toll_network import Int32s, Int64s, TollNetwork
from simulation.toll_vehicles import CONTAINER_2, GREEN, HARVESTER, PASSENGERS, RELIEF, TRUCKS

NOTE = "示例数据，非湖南省收费标准 / synthetic: not the tariff of Hunan"
RATES_FEN_KM = {  # by vehicle type
    1: 45,
    2: 68,
    3: 95,
    4: 118,
    11: 45,
    12: 92,
    13: 147,
    14: 171,
    15: 189,
    16: 207,
    21: 45,
    22: 92,
    23: 147,
    24: 171,
    25: 189,
    26: 207,
}
VERSIONS = {  # name, then from when, and its prices in percent of the first
    "4320200101001": ("2020-01-01T00:00:00+08:00", 100),
    "4320260701001": ("2026-07-01T00:00:00+08:00", 103),
}
SECTION_PERCENTS = (88, 125)  # of the rate: sections are dearer and cheaper
ETC_PERCENT, TRUCK_PERCENT = 95, 85
CONTAINER_PERCENT, NIGHT_PERCENT = 70, 90
NIGHT_ROUTES = ("G0004", "G0060", "G0055")
NIGHT_HOURS = (22, 6)
FREE_CLASSES = (GREEN, HARVESTER, RELIEF)
SEATS_FREE_MAX = 7
HOLIDAYS = (  # free windows of 2026: first and last day
    ("2026-02-15", "2026-02-23"),
    ("2026-04-04", "2026-04-06"),
    ("2026-05-01", "2026-05-05"),
    ("2026-10-01", "2026-10-07"),
)
DAY_MS = 86_400_000


class Passed(NamedTuple):
    """Intervals that vehicles passed and when, (m,)."""

    numbers: Int32s
    times_ms: Int64s


@dataclass(frozen=True, slots=True)
class SyntheticTariff:
    """Prices (versions, intervals, vehicle types in the order of RATES_FEN_KM), and since when each version holds.

    `cheap_nights`: intervals that cost trucks less at night, (i,) bool.
    """

    prices_fen: Int64s
    froms_ms: Int64s
    cheap_nights: NDArray[np.bool_]
    etc_percent: int = ETC_PERCENT
    truck_percent: int = TRUCK_PERCENT

    def prices_at(self, times_ms: Int64s, intervals: Int32s, types: NDArray[np.uint8]) -> Int64s:
        """The price of each interval for each type at each time, all (m,)."""
        columns = np.zeros(256, np.int64)
        columns[list(RATES_FEN_KM)] = np.arange(len(RATES_FEN_KM))
        versions = np.searchsorted(self.froms_ms, times_ms, side="right") - 1
        assert (versions >= 0).all(), "before the first version"
        return self.prices_fen[versions, intervals, columns[types]]

    def percents_of(self, types: NDArray[np.uint8]) -> Int64s:
        """What of a price a tag pays, by vehicle type, (n,)."""
        return np.where(np.isin(types, PASSENGERS), self.etc_percent, self.truck_percent)

    def reduced(
        self, prices_fen: Int64s, passed: Passed, types: NDArray[np.uint8], classes: NDArray[np.uint8]
    ) -> Int64s:
        """The prices (m,) less what containers and trucks at night are spared, each half-up to the fen."""
        after = np.where(classes == CONTAINER_2, (prices_fen * CONTAINER_PERCENT + 50) // 100, prices_fen)
        hours = (passed.times_ms // 1000 + SHANGHAI_S) // 3600 % 24
        night = (hours >= NIGHT_HOURS[0]) | (hours < NIGHT_HOURS[1])
        cheap = night & self.cheap_nights[passed.numbers] & np.isin(types, TRUCKS)
        return np.where(cheap, (after * NIGHT_PERCENT + 50) // 100, after)

    def holidays_at(self, times_ms: Int64s) -> NDArray[np.bool_]:
        """Whether each time is on a free holiday, (n,)."""
        free = np.zeros(len(times_ms), np.bool_)
        for first, last in HOLIDAYS:
            free |= (times_ms >= _midnight_ms(first)) & (times_ms < _midnight_ms(last) + DAY_MS)
        return free

    def free_at(self, times_ms: Int64s, types: NDArray[np.uint8], seat_counts: Int32s) -> NDArray[np.bool_]:
        """Whether vehicles are free at the times because of a holiday, (n,): passenger vehicles of few seats."""
        small: NDArray[np.bool_] = np.isin(types, PASSENGERS) & (seat_counts > 0) & (seat_counts <= SEATS_FREE_MAX)
        return small & self.holidays_at(times_ms)


def synthetic_tariff(network: TollNetwork, seed: int) -> SyntheticTariff:
    """The made-up tariff of a network; the same for the same seed."""
    rng = np.random.default_rng([seed, 22])
    sections = sorted({interval.section for interval in network.intervals})
    dear = dict(zip(sections, rng.integers(*SECTION_PERCENTS, len(sections)).tolist(), strict=True))
    percents = np.array([dear[interval.section] for interval in network.intervals])
    rates = np.array(list(RATES_FEN_KM.values()))
    firsts = (network.lengths_m[:, None] * rates * percents[:, None] + 50_000) // 100_000
    prices = np.stack([(firsts * percent + 50) // 100 for _, percent in VERSIONS.values()])
    froms_ms = np.array([_instant_ms(effective_from) for effective_from, _ in VERSIONS.values()])
    cheap_nights = np.array([interval.section.startswith(NIGHT_ROUTES) for interval in network.intervals])
    return SyntheticTariff(prices, froms_ms, cheap_nights)


def write_tariff(folder: Path, network: TollNetwork, tariff: SyntheticTariff) -> None:
    """versions, intervals, stations, owners and prices as CSV and rules.json in `folder`, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    _write_csv(
        folder / "intervals.csv",
        ("interval_id", "name", "owner", "section", "length_m", "start_node", "end_node"),
        network.intervals,
    )
    _write_csv(folder / "stations.csv", ("station_id", "name", "node"), network.stations)
    _write_csv(folder / "owners.csv", ("owner", "name", "parent"), network.owners)
    versions = ((version, effective_from) for version, (effective_from, _) in VERSIONS.items())
    _write_csv(folder / "versions.csv", ("version", "effective_from"), versions)
    _write_csv(
        folder / "prices.csv",
        ("version", "interval_id", "vehicle_type", "price_fen"),
        (
            (version, interval.interval_id, kind, price)
            for version, table in zip(VERSIONS, tariff.prices_fen.tolist(), strict=True)
            for interval, row in zip(network.intervals, table, strict=True)
            for kind, price in zip(RATES_FEN_KM, row, strict=True)
        ),
    )
    text = json.dumps(_rules(network, tariff), ensure_ascii=False, indent=2)
    (folder / "rules.json").write_text(text + "\n", encoding="utf-8")


def _rules(network: TollNetwork, tariff: SyntheticTariff) -> dict[str, Any]:
    nights = {
        "percent": NIGHT_PERCENT,
        "vehicle_types": TRUCKS,
        "day_periods": [[f"{hour:02d}:00" for hour in NIGHT_HOURS]],
        "sections": sorted(
            {interval.section for interval in network.intervals if interval.section.startswith(NIGHT_ROUTES)}
        ),
    }
    containers = {"percent": CONTAINER_PERCENT, "vehicle_classes": [CONTAINER_2]}
    made: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
        ("containers", "二类集装箱优惠（示例）", "containers J2 (synthetic)", containers),
        ("differential", "货车夜间差异化收费（示例）", "trucks at night (synthetic)", nights),
        ("etc_passenger", "客车ETC九五折（示例）", "ETC, passenger (synthetic)", {"percent": tariff.etc_percent}),
        ("etc_truck", "货车ETC折扣（示例）", "ETC, trucks (synthetic)", {"percent": tariff.truck_percent}),
        ("whole_yuan", "现金按元取整（示例）", "whole yuan (synthetic)", {}),
        ("green_passage", "绿通免费（示例）", "green passage (synthetic)", {}),
        ("harvesters", "联合收割机免费（示例）", "combine harvesters (synthetic)", {}),
        ("disaster_relief", "抢险救灾免费（示例）", "disaster relief (synthetic)", {}),
        (
            "free_holidays",
            "节假日小客车免费（示例）",
            "free holidays (synthetic)",
            {"seat_count_max": SEATS_FREE_MAX, "free_dates": HOLIDAYS},
        ),
    )
    rules = [
        {"code": code, "product": product, "name_zh": name_zh, "name_en": name_en, "order": code, **parameters}
        for code, (product, name_zh, name_en, parameters) in enumerate(made, 2)
    ]
    return {"note": NOTE, "rules": rules}


def _write_csv(path: Path, columns: tuple[str, ...], rows: Iterable[Iterable[Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def _midnight_ms(day: str) -> int:
    return _instant_ms(f"{day}T00:00:00+08:00")


def _instant_ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)
