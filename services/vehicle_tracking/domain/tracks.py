"""Order and repeats in tracks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from services.vehicle_tracking.domain.positions import COLUMNS, Int32s, Int64s, PositionBatch
from services.vehicle_tracking.domain.quality import Quality

# Terminals wait half a minute for an answer, then cut the link and come back with what was not answered, after waits
# that grow to minutes while access or the log is away.
RESEND_MS_MAX = 600_000
RECENT_ROWS_MAX = 2_000_000  # a partition's rows that copies are looked for among: 16 MB, ten minutes of 3,300 a second
MEASURED = tuple(name for name in COLUMNS if name not in ("sources", "item_lengths"))  # a copy may come as blind-area
_PERHAPS_COPY = Quality.DUPLICATE | Quality.OUT_OF_ORDER | Quality.TIME  # no copy is newer than what it repeats
_MIX = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio
_SHIFT = np.uint64(29)

Rows = NDArray[np.intp]
Flags = NDArray[np.bool_]
Marks: TypeAlias = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Written:
    """What a file says. `marks`: of its rows, ascending; `received_ms_max`: the newest received time, 0 for no rows."""

    marks: Marks
    received_ms_max: int


def marks(positions: PositionBatch) -> Marks:
    """A number for all that each position says, however it came; two that differ have the same once in 2^64."""
    mixed = np.zeros(len(positions), np.uint64)
    for name in MEASURED:
        mixed ^= getattr(positions, name).astype(np.int64).view(np.uint64)
        mixed *= _MIX
        mixed ^= mixed >> _SHIFT
    return mixed


def archive_order(positions: PositionBatch, marks: Marks) -> Rows:
    """The rows to archive, by vehicle and fix time. `positions` in order of arrival; of rows that say exactly the same
    only the first stays."""
    times_ms, vehicle_ids = positions.fix_times_ms, positions.vehicle_ids
    order = np.lexsort((times_ms, vehicle_ids))
    again = _as_before(times_ms[order], vehicle_ids[order])
    several = order[again | np.concatenate((again[1:], [False]))[: len(again)]]  # few: only these are compared whole
    several = several[np.lexsort((marks[several], times_ms[several], vehicle_ids[several]))]
    kept = np.ones(len(order), np.bool_)
    kept[several[_as_before(marks[several], times_ms[several], vehicle_ids[several])]] = False
    return order[kept[order]]


def recent(newest_first: Iterable[Written], *, since_ms: int) -> Iterator[Written]:
    """The files among which copies are looked for: those received since then, as long as they are not too many."""
    count = 0
    for written in newest_first:
        count += len(written.marks)
        if count > RECENT_ROWS_MAX or 0 < written.received_ms_max < since_ms:
            return
        yield written


def copies(marks: Marks, quality_flags: Int32s, earlier: Sequence[Written]) -> Flags:
    """Which rows, (n,), say exactly what a row of the files `earlier` says."""
    found = np.zeros(len(marks), np.bool_)
    suspects = np.flatnonzero(quality_flags & int(_PERHAPS_COPY))
    wanted = marks[suspects]
    for written in earlier:
        if len(written.marks):
            places = np.searchsorted(written.marks, wanted)
            found[suspects] |= written.marks[np.minimum(places, len(written.marks) - 1)] == wanted
    return found


def track_order(fix_times_ms: Int64s) -> Rows:
    """The rows of one vehicle's track: each fix time once, ascending. Where several rows have one, the first wins."""
    _, first = np.unique(fix_times_ms, return_index=True)
    return first


def _as_before(*columns: NDArray[Any]) -> Flags:
    """Which rows are as the row before them in every column."""
    same = np.zeros(len(columns[0]), np.bool_)
    same[1:] = np.logical_and.reduce([column[1:] == column[:-1] for column in columns])
    return same
