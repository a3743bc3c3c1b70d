"""The tariff: what each toll interval costs each vehicle type in each version, and the network that it prices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from services.etc_billing.domain.passages import Bytes, Int32s, Int64s

NO_PRICE_FEN = -1  # the tariff has no price: a passage that needs it is rejected, never free
NO_VERSION = -1
VEHICLE_TYPES = (*range(1, 5), *range(11, 17), *range(21, 27))  # JT/T 489-2019: passenger, truck, special work
PASSENGER_TYPES = VEHICLE_TYPES[:4]
NO_SLOT = 255
INTERVAL_ID_LENGTH, STATION_ID_LENGTH, SECTION_ID_LENGTH = 16, 14, 11
_DIRECTION_AT = 14  # the 15th character of an interval id: 1 up, 2 down


def _slots() -> Bytes:
    slots = np.full(256, NO_SLOT, np.uint8)
    slots[list(VEHICLE_TYPES)] = np.arange(len(VEHICLE_TYPES))
    return slots


TYPE_SLOTS = _slots()  # (256,): the column of a vehicle type in the prices, NO_SLOT where there is no such type


@dataclass(frozen=True)
class Tariff:
    """Versions of prices over one network. A network number is a row of `interval_ids` or of `station_ids`.

    `owners`: of the intervals, (k,). `lengths_m`: (k,). `versions`: names, (v,), each in force from `from_ms` (v,),
    strictly rising, until the next. `prices_fen`: (v, k, 16), by vehicle type in the order of VEHICLE_TYPES,
    NO_PRICE_FEN where there is none.
    """

    interval_ids: tuple[str, ...]
    owners: tuple[str, ...]
    lengths_m: Int32s
    station_ids: tuple[str, ...]
    versions: tuple[str, ...]
    from_ms: Int64s
    prices_fen: Int32s

    def __post_init__(self) -> None:
        assert len(self.owners) == len(self.lengths_m) == len(self.interval_ids)
        assert self.prices_fen.shape == (len(self.versions), len(self.interval_ids), len(VEHICLE_TYPES))
        assert len(self.from_ms) == len(self.versions)
        assert np.all(np.diff(self.from_ms) > 0), "each version begins after the one before"
        assert self.prices_fen.min(initial=0) >= NO_PRICE_FEN

    @cached_property
    def interval_numbers(self) -> Mapping[str, int]:
        """The network number of every interval id."""
        return {interval_id: number for number, interval_id in enumerate(self.interval_ids)}

    @cached_property
    def station_numbers(self) -> Mapping[str, int]:
        """The network number of every station id."""
        return {station_id: number for number, station_id in enumerate(self.station_ids)}

    @cached_property
    def directions(self) -> Bytes:
        """Of every interval, (k,): 1 up, 2 down, 0 where its id says neither."""
        digits = [interval_id[_DIRECTION_AT : _DIRECTION_AT + 1] for interval_id in self.interval_ids]
        return np.array([int(digit) if digit in ("1", "2") else 0 for digit in digits], np.uint8)

    @cached_property
    def sections(self) -> NDArray[np.str_]:
        """The section of every interval, (k,)."""
        return np.array([interval_id[:SECTION_ID_LENGTH] for interval_id in self.interval_ids], f"U{SECTION_ID_LENGTH}")

    def version_rows(self, times_ms: Int64s) -> Int64s:
        """Which version is in force at each time, (n,); NO_VERSION before the first."""
        return np.searchsorted(self.from_ms, times_ms, side="right") - 1

    def prices_of(self, version_rows: Int64s, vehicle_types: Bytes, starts: Int64s, numbers: Int32s) -> Int64s:
        """The price of every interval (m,), NO_PRICE_FEN where there is none for any reason.

        `version_rows`, `vehicle_types`: (n,), of the passages, whose intervals' `numbers` (m,) lie between `starts`.
        """
        assert numbers.max(initial=-1) < len(self.interval_ids), "numbers are of another network"
        if not self.prices_fen.size:
            return np.full(len(numbers), NO_PRICE_FEN, np.int64)
        slots = TYPE_SLOTS[vehicle_types]
        known = (version_rows >= 0) & (slots != NO_SLOT)
        firsts = np.where(known, version_rows * len(self.interval_ids) * len(VEHICLE_TYPES) + slots, 0)
        counts = np.diff(starts)
        places = np.repeat(firsts, counts)
        places += np.maximum(numbers, 0).astype(np.int64) * len(VEHICLE_TYPES)
        prices: Int64s = self.prices_fen.reshape(-1)[places].astype(np.int64)
        if not known.all():
            prices[~np.repeat(known, counts)] = NO_PRICE_FEN
        prices[numbers < 0] = NO_PRICE_FEN
        return prices
