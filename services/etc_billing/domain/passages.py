"""Passages as columns: what a toll system says of vehicles that left the network, as parallel arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

Int64s: TypeAlias = NDArray[np.int64]
Int32s: TypeAlias = NDArray[np.int32]
Bytes: TypeAlias = NDArray[np.uint8]

NO_FEE_FEN = -1  # the lane has charged nothing yet: our rating is the charge
UNKNOWN = -1  # of an interval or a station that the network does not have


@dataclass(frozen=True, slots=True)
class Intervals:
    """The toll intervals of n passages, end to end: those of passage i are `starts[i]:starts[i + 1]`, in driving order.

    `starts`: (n + 1,). All others (m,): `numbers` of intervals in the network, UNKNOWN for none; `pass_times_ms` when
    the vehicle was there.
    """

    starts: Int64s
    numbers: Int32s
    pass_times_ms: Int64s

    def passage_rows(self) -> Int64s:
        """To which passage each interval belongs, (m,)."""
        return np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))

    def take(self, rows: NDArray[np.intp]) -> Self:
        """The intervals of the passages at `rows`, (k,) indices, in that order."""
        counts = np.diff(self.starts)[rows]
        starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        places = np.arange(starts[-1]) - np.repeat(starts[:-1] - self.starts[rows], counts)
        return type(self)(starts, self.numbers[places], self.pass_times_ms[places])


@dataclass(frozen=True, slots=True)
class Passages:
    """Vehicles that left the network; columns of shape (n,).

    `vehicle_types`: JT/T 489-2019 (1–4, 11–16, 21–26). `vehicle_classes`: 0 ordinary, 21 green passage, 22 combine
    harvester, 23 disaster relief, 24 and 28 containers, … `seat_counts`: 0 where unknown. `media_types`: 1 OBU, 2 CPC,
    9 none. `fee_classes`: how the lane found the fee (1–6, 11). `entry_stations`, `exit_stations`: numbers in the
    network. `fees_fen`: what the lane charged, NO_FEE_FEN where it did not.
    """

    entry_times_ms: Int64s
    exit_times_ms: Int64s
    vehicle_types: Bytes
    vehicle_classes: Bytes
    seat_counts: Int32s
    media_types: Bytes
    fee_classes: Bytes
    entry_stations: Int32s
    exit_stations: Int32s
    fees_fen: Int64s
    intervals: Intervals

    def __len__(self) -> int:
        return len(self.exit_times_ms)

    def take(self, rows: NDArray[np.intp]) -> Self:
        """The passages at `rows`, (k,) indices, in that order."""
        columns = {name: getattr(self, name)[rows] for name in _COLUMNS}
        return type(self)(**columns, intervals=self.intervals.take(rows))


_COLUMNS = tuple(name for name in Passages.__dataclass_fields__ if name != "intervals")
