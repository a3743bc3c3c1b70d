"""PositionBatch: many fixes as parallel columns; the unit of work of this service."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from enum import IntEnum
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from typing import Self

Int32s: TypeAlias = NDArray[np.int32]
Int64s: TypeAlias = NDArray[np.int64]
Bytes: TypeAlias = NDArray[np.uint8]

ABSENT = -1  # odometer and recorder speed when the terminal sent none


class PositionSource(IntEnum):
    """Where a position came from; the numbers are those of positions.proto."""

    TERMINAL = 1
    BLIND_AREA = 2
    PROGRAM = 3
    PLATFORM = 4


@dataclass(frozen=True, slots=True)
class PositionBatch:
    """Many fixes. All columns have shape (n,); units are in the names; WGS-84; 1e-7 degree; 0.1 km/h; 0.1 km.

    `alarm_words`, `status_words`, `video_alarm_words`: all 32 bits as they came (int32 bit patterns).
    `item_lengths`: bytes of `item_blob` of each position: additional items (id, length, value) as they came.
    """

    received_time_ms: int
    vehicle_ids: Int64s
    fix_times_ms: Int64s
    longitudes_e7: Int32s
    latitudes_e7: Int32s
    speeds_01kmh: Int32s
    headings_deg: Int32s
    altitudes_m: Int32s
    alarm_words: Int32s
    status_words: Int32s
    sources: Bytes
    odometers_01km: Int32s
    recorder_speeds_01kmh: Int32s
    video_alarm_words: Int32s
    item_lengths: Int32s
    item_blob: bytes = b""

    def __len__(self) -> int:
        return len(self.vehicle_ids)

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> Self:
        """The positions at `rows`: (m,) indices or (n,) bool, in that order."""
        columns = {name: getattr(self, name)[rows] for name in COLUMNS}
        return type(self)(received_time_ms=self.received_time_ms, **columns, item_blob=_item_blob(self, rows))


COLUMNS: tuple[str, ...] = tuple(
    f.name for f in fields(PositionBatch) if f.name not in ("received_time_ms", "item_blob")
)
OPTIONAL_COLUMNS = {
    "odometers_01km": ABSENT,
    "recorder_speeds_01kmh": ABSENT,
    "video_alarm_words": 0,
    "item_lengths": 0,
}
COLUMN_TYPES: dict[str, type[np.generic]] = {
    name: np.int64 if name in ("vehicle_ids", "fix_times_ms") else np.uint8 if name == "sources" else np.int32
    for name in COLUMNS
}


def batch(received_time_ms: int, *, item_blob: bytes = b"", **columns: object) -> PositionBatch:
    """A batch of the given columns (anything numpy takes), each converted to its type; columns not given are filled
    with their absent value (zero where there is none). `vehicle_ids` is required."""
    count = len(np.asarray(columns["vehicle_ids"]))
    filled = {}
    for name, kind in COLUMN_TYPES.items():
        default = OPTIONAL_COLUMNS.get(name, int(PositionSource.PROGRAM) if name == "sources" else 0)
        given = columns.get(name)
        filled[name] = np.full(count, default, kind) if given is None else np.ascontiguousarray(given, kind)
        assert filled[name].shape == (count,), name
    return PositionBatch(received_time_ms, **filled, item_blob=item_blob)


def joined(batches: Sequence[PositionBatch]) -> PositionBatch:
    """One batch of all positions, in order; the newest received time."""
    columns = {name: np.concatenate([getattr(b, name) for b in batches]) for name in COLUMNS}
    newest = max(b.received_time_ms for b in batches)
    return PositionBatch(newest, **columns, item_blob=b"".join(b.item_blob for b in batches))


def _item_blob(positions: PositionBatch, rows: NDArray[np.intp] | NDArray[np.bool_]) -> bytes:
    if not positions.item_blob:
        return b""
    ends = np.cumsum(positions.item_lengths, dtype=np.int64)
    starts = ends - positions.item_lengths
    blob = positions.item_blob
    return b"".join(blob[a:b] for a, b in zip(starts[rows].tolist(), ends[rows].tolist(), strict=True))
