"""Gantry records as JSON lines, in the order in which they are received; field names are the trade's in snake case."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulation.toll_exits import CHUNK, ExitNames
from simulation.toll_gantries import GantryRecords
from simulation.toll_ids import characters, digits, iso_times, joined, stamps
from simulation.toll_network import Int64s, TollNetwork
from simulation.toll_tariff import Passed, SyntheticTariff
from simulation.toll_trips import TollTrips
from simulation.toll_vehicles import CPC, NO_MEDIUM, OBU

PLATE_UNREAD, COLOUR_UNREAD = "默A00000", 9
HEX_FIRST, STATION_FIRST = 0x430000, 0x43000000
OBU_FIRST = 9_700_000_000_000_000  # a block of numbers that stands for no real tag
TERMINAL_FIRST = 0x43_0000_0000
SIGN_OWN, SIGN_FITTED = "1", "5"  # nearly all fitting in practice is by the minimum fee
COMPUTED, FITTED = 1, 2
ALGORITHM_3DES, ALGORITHM_SM4 = 1, 2
COMPOUND_CONSUMPTION = "09"


@dataclass(frozen=True, slots=True)
class _Day:
    """All that the lines are made from."""

    trips: TollTrips
    network: TollNetwork
    tariff: SyntheticTariff
    names: ExitNames
    records: GantryRecords


def gantry_lines(
    trips: TollTrips, network: TollNetwork, tariff: SyntheticTariff, names: ExitNames, records: GantryRecords
) -> Iterator[list[str]]:
    """The gantry records as JSON lines as they arrive, CHUNK at a time; a duplicate is the same line again."""
    day = _Day(trips, network, tariff, names, records)
    for first in range(0, len(records.arrivals), CHUNK):
        yield _lines(day, records.arrivals[first : first + CHUNK])


def _lines(day: _Day, rows: Int64s) -> list[str]:
    texts = {**_identity(day, rows), **_vehicle(day, rows), **_trade(day, rows), **_groups(day, rows)}
    numbers = _numbers(day, rows)
    form = ",".join([*(f'"{name}":"%s"' for name in texts), *(f'"{name}":%d' for name in numbers)])
    arrays: tuple[Any, ...] = (*texts.values(), *numbers.values())
    columns = [array if isinstance(array, list) else array.tolist() for array in arrays]
    return [f"{{{form % row}}}" for row in zip(*columns, strict=True)]


def _identity(day: _Day, rows: Int64s) -> dict[str, Any]:
    records, numbers = day.records, day.trips.numbers[day.records.numbers_at[rows]].astype(np.int64)
    times_ms = records.times_ms[rows]
    interval_ids = np.array([interval.interval_id for interval in day.network.intervals], "S16")
    gantry_ids = joined(characters(interval_ids[numbers]), digits(10, 3, count=len(rows)))
    hours = stamps(times_ms)[:, :10]
    return {
        "trade_id": joined(characters(gantry_ids), hours, digits(records.trade_serials[rows], 6)).astype(str),
        "gantry_id": gantry_ids.astype(str),
        "gantry_hex": _hexes(HEX_FIRST + numbers, 6),
        "opposite_hex": _hexes(HEX_FIRST + (numbers ^ 1), 6),
        "hour_batch_no": joined(hours).astype(str),
        "gantry_order_num": joined(characters(interval_ids[numbers])[:, [14, 12, 13]]).astype(str),
        "trans_time": iso_times(times_ms).astype(str),
        "receive_time": iso_times(records.receive_times_ms[rows]).astype(str),
    }


def _vehicle(day: _Day, rows: Int64s) -> dict[str, Any]:
    """Whose crossing it is and which passage: a picture knows the plate only."""
    trips, records, names = day.trips, day.records, day.names
    of, pictures = records.rows[rows], records.pictures[rows]
    tagged = (trips.vehicles.media_types[of] == OBU) & ~pictures
    before = np.maximum(records.lasts[rows] - records.counts[rows], 0)
    at = records.places[before]
    followed = (records.lasts[rows] >= records.counts[rows]) & (at >= trips.starts[of]) & ~pictures
    hexes = np.array(_hexes(HEX_FIRST + trips.numbers[at].astype(np.int64), 6))
    return {
        "plate": np.where(records.unread[rows], PLATE_UNREAD, names.plates[of]),
        "pass_id": np.where(pictures, "", names.pass_ids[of].astype(str)),
        "cpu_card_id": np.where(tagged, names.card_ids[of].astype(str), ""),
        "obu_sn": np.where(tagged, joined(digits(OBU_FIRST + trips.vehicles.cards[of], 16)).astype(str), ""),
        "en_time": np.where(pictures, "", iso_times(trips.entry_times_ms[of]).astype(str)),
        "en_station_hex": np.where(pictures, "", _hexes(STATION_FIRST + trips.entry_stations[of].astype(np.int64), 8)),
        "last_gantry_hex": np.where(followed, hexes, "000000"),
        "last_gantry_time": np.where(followed, iso_times(trips.pass_times_ms[at]).astype(str), ""),
    }


def _trade(day: _Day, rows: Int64s) -> dict[str, Any]:
    """A trade that failed has zeros for its TAC and its terminal's number."""
    records = day.records
    gantries = day.trips.numbers[records.numbers_at[rows]].astype(np.int64)
    return {
        "tac": _hexes(records.tacs[rows], 8),
        "trans_type": [COMPOUND_CONSUMPTION] * len(rows),
        "terminal_no": _hexes(TERMINAL_FIRST + gantries, 12),
        "terminal_trans_no": _hexes(records.terminal_serials[rows], 8),
    }


def _groups(day: _Day, rows: Int64s) -> dict[str, list[str]]:
    """The intervals that each record charges for and their amounts, parted by bars."""
    money, ends = _money(day, rows), np.r_[0, np.cumsum(day.records.counts[rows])].tolist()
    ids = np.array([interval.interval_id for interval in day.network.intervals])
    own = np.zeros(ends[-1], np.bool_)
    own[np.array(ends[1:], np.int64) - 1] = True
    groups: dict[str, list[Any]] = {
        "toll_interval_id": ids[money.numbers].tolist(),
        "pay_fee_group": money.pays_fen.tolist(),
        "discount_fee_group": (money.pays_fen - money.fees_fen).tolist(),
        "fee_group": money.fees_fen.tolist(),
        "toll_interval_sign": np.where(own, SIGN_OWN, SIGN_FITTED).tolist(),
    }
    return {
        name: ["|".join(map(str, values[start:stop])) for start, stop in pairwise(ends)]
        for name, values in groups.items()
    }


@dataclass(frozen=True, slots=True)
class _Money:
    """Of all intervals of some records end to end: numbers, prices, and what reductions and medium leave of them."""

    numbers: Int64s
    pays_fen: Int64s
    fees_fen: Int64s


def _money(day: _Day, rows: Int64s) -> _Money:
    trips, records = day.trips, day.records
    counts = records.counts[rows]
    ends = np.cumsum(counts)
    members = np.arange(counts.sum()) + np.repeat(records.lasts[rows] + 1 - ends, counts)
    at, of = records.places[members], np.repeat(records.rows[rows], counts)
    types, tagged = trips.vehicles.charged_types[of], trips.vehicles.media_types[of] == OBU
    pays = day.tariff.prices_at(trips.exit_times_ms[of], trips.numbers[at], types)
    passed = Passed(trips.numbers[at], trips.pass_times_ms[at])
    dues = day.tariff.reduced(pays, passed, types, trips.vehicles.classes[of])
    discounted = (dues * day.tariff.percents_of(types) + 50) // 100
    fees = np.where(tagged & ~np.repeat(records.pictures[rows], counts), discounted, dues)
    return _Money(trips.numbers[at].astype(np.int64), pays, fees)


def _numbers(day: _Day, rows: Int64s) -> dict[str, NDArray[Any]]:
    trips, records, of = day.trips, day.records, day.records.rows[rows]
    drivers, pictures, counts = trips.vehicles.take(of), records.pictures[rows], records.counts[rows]
    money, ends = _money(day, rows), np.cumsum(counts)
    holiday = day.tariff.free_at(records.times_ms[rows], drivers.charged_types, drivers.seat_counts)
    pays, fees = (
        np.where(holiday, 0, np.add.reduceat(column, ends - counts)) for column in (money.pays_fen, money.fees_fen)
    )
    media = np.where(pictures, NO_MEDIUM, drivers.media_types)
    firsts = np.searchsorted(records.places, trips.starts[of])
    return {
        "pay_fee": pays,
        "discount_fee": pays - fees,
        "fee": fees,
        "trans_fee": np.zeros(len(rows), np.int64),  # the card pays once, at the exit
        "plate_color": np.where(records.unread[rows], COLOUR_UNREAD, day.names.plate_colours[of]),
        "vehicle_type": np.where(pictures, 0, drivers.charged_types),
        "identified_type": drivers.types,
        "vehicle_class": drivers.classes,
        "axle_count": drivers.axle_counts,
        "media_type": media,
        "obu_sign": np.where(media == OBU, 2, 0),
        "trans_no": records.card_serials[rows],
        "algorithm_identifier": np.where(media == CPC, ALGORITHM_SM4, ALGORITHM_3DES),
        "gantry_pass_count": records.lasts[rows] - firsts + 1,
        "trade_result": records.failed[rows],
        "rate_compute": np.where(counts > 1, FITTED, COMPUTED),
        "rate_fit_count": counts - 1,
        "holiday_state": holiday,
    }


def _hexes(numbers: Int64s, width: int) -> list[str]:
    return [f"{number:0{width}X}" for number in numbers.tolist()]
