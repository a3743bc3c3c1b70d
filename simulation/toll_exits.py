"""Trips as the exit records that toll systems send: identifiers as columns, and JSON lines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulation.toll_ids import NETWORK_ID, Texts, digits, exit_ids, iso_times, joined, pass_ids, plates
from simulation.toll_network import Int64s, TollNetwork
from simulation.toll_trips import TollTrips
from simulation.toll_vehicles import CPC, OBU

CHUNK = 20_000  # trips that are turned into text at a time
BLUE, YELLOW = 0, 1
BLUE_TYPES = (1, 11)
CARD_FIRST, CPC_FIRST = 9_900_000_000_000_000, 9_800_000_000_000_000  # blocks of numbers that stand for no real card


@dataclass(frozen=True, slots=True)
class ExitNames:
    """The texts of n exit records, (n,) each: `card_ids` and `issuer_ids` are empty where there is no ETC card."""

    exit_ids: Texts
    pass_ids: Texts
    card_ids: Texts
    issuer_ids: Texts
    plates: NDArray[np.str_]
    plate_colours: NDArray[np.uint8]


def exit_names(trips: TollTrips, network: TollNetwork) -> ExitNames:
    """What the trips, their cards and vehicles are called."""
    drivers = trips.vehicles
    tagged = drivers.media_types == OBU
    networks = np.where(tagged, drivers.issuers // 100, NETWORK_ID)
    media = np.where(drivers.media_types == CPC, CPC_FIRST, CARD_FIRST) + drivers.cards
    station_ids = np.array([station.station_id for station in network.stations], "S14")
    return ExitNames(
        exit_ids=exit_ids(trips.exit_stations.astype(np.int64), station_ids, trips.lanes, trips.exit_times_ms),
        pass_ids=pass_ids(drivers.media_types, networks, media, trips.entry_times_ms),
        card_ids=np.where(tagged, joined(digits(networks, 4), digits(media, 16)), b""),
        issuer_ids=np.where(tagged, joined(digits(drivers.issuers, 6)), b""),
        plates=plates(drivers.plates),
        plate_colours=np.where(np.isin(drivers.types, BLUE_TYPES), BLUE, YELLOW).astype(np.uint8),
    )


def exit_lines(trips: TollTrips, network: TollNetwork, names: ExitNames, fees_fen: Int64s) -> Iterator[list[str]]:
    """The exit records as JSON lines, CHUNK trips at a time. `fees_fen`: what the lanes charged, (n,)."""
    heads = _heads(network)
    for first in range(0, len(trips), CHUNK):
        rows = np.arange(first, min(first + CHUNK, len(trips)))
        passed = _passed(trips, heads, int(rows[0]), int(rows[-1]) + 1)
        yield [
            f'{{{texts},"fee_fen":{fee},"intervals":[{intervals}]}}'
            for texts, fee, intervals in zip(
                _fields(trips, network, names, rows), fees_fen[rows].tolist(), passed, strict=True
            )
        ]


def _heads(network: TollNetwork) -> list[str]:
    return [f'{{"interval_id":"{interval.interval_id}","pass_time":"' for interval in network.intervals]


def _passed(trips: TollTrips, heads: list[str], first: int, after: int) -> Iterator[str]:
    """The recorded intervals of the trips from `first` to `after`, as JSON between the brackets."""
    begin, end = trips.starts[first], trips.starts[after]
    mask = trips.seen[begin:end]
    times = iso_times(trips.pass_times_ms[begin:end][mask]).astype(str).tolist()
    numbers = trips.numbers[begin:end][mask].tolist()
    texts = [f'{heads[number]}{time}"}}' for number, time in zip(numbers, times, strict=True)]
    places = np.r_[0, np.cumsum(mask)][trips.starts[first : after + 1] - begin].tolist()
    return (",".join(texts[start:stop]) for start, stop in pairwise(places))


def _fields(trips: TollTrips, network: TollNetwork, names: ExitNames, rows: Int64s) -> Iterator[str]:
    """The fields of each trip of `rows` but fee and intervals. None of the texts needs escapes in JSON."""
    drivers = trips.vehicles.take(rows)
    stations = np.array([station.station_id for station in network.stations])
    texts: dict[str, NDArray[np.str_]] = {
        "exit_id": names.exit_ids[rows].astype(str),
        "pass_id": names.pass_ids[rows].astype(str),
        "card_id": names.card_ids[rows].astype(str),
        "issuer_id": names.issuer_ids[rows].astype(str),
        "plate": names.plates[rows],
        "entry_station_id": stations[trips.entry_stations[rows]],
        "entry_time": iso_times(trips.entry_times_ms[rows]).astype(str),
        "exit_time": iso_times(trips.exit_times_ms[rows]).astype(str),
    }
    numbers: dict[str, NDArray[Any]] = {
        "plate_colour": names.plate_colours[rows],
        "vehicle_type": drivers.charged_types,
        "vehicle_class": drivers.classes,
        "axle_count": drivers.axle_counts,
        "seat_count": drivers.seat_counts,
        "media_type": drivers.media_types,
        "pay_type": drivers.pay_types,
        "fee_class": drivers.fee_classes,
    }
    form = ",".join([*(f'"{name}":"%s"' for name in texts), *(f'"{name}":%d' for name in numbers)])
    arrays: tuple[NDArray[Any], ...] = (*texts.values(), *numbers.values())
    columns = [column.tolist() for column in arrays]
    return (form % row for row in zip(*columns, strict=True))
