"""Order and repeats in tracks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from services.vehicle_tracking.domain.positions import COLUMNS, Int64s, PositionBatch

Rows = NDArray[np.intp]
_MEASURED = tuple(name for name in COLUMNS if name not in ("sources", "item_lengths"))


def archive_order(positions: PositionBatch) -> Rows:
    """The rows to archive, by vehicle and fix time. `positions` in order of arrival; of rows that say exactly the same
    only the first stays, however it came."""
    order = np.lexsort((positions.fix_times_ms, positions.vehicle_ids))
    repeated = np.zeros(len(order), np.bool_)
    if len(order) > 1:
        repeated[1:] = positions.vehicle_ids[order[1:]] == positions.vehicle_ids[order[:-1]]
        repeated[1:] &= positions.fix_times_ms[order[1:]] == positions.fix_times_ms[order[:-1]]
    suspects = np.flatnonzero(repeated)  # few: only these are compared whole
    for name in _MEASURED:
        column = getattr(positions, name)
        repeated[suspects] &= column[order[suspects]] == column[order[suspects - 1]]
    return order[~repeated]


def track_order(fix_times_ms: Int64s) -> Rows:
    """The rows of one vehicle's track: each fix time once, ascending. Where several rows have one, the first wins."""
    _, first = np.unique(fix_times_ms, return_index=True)
    return first
