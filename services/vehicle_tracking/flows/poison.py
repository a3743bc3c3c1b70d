"""Records that cannot be used: why, and how many are too many."""

from __future__ import annotations

from collections import deque

from common.infra.log import Record
from services.vehicle_tracking.convert.positions import decode
from services.vehicle_tracking.domain.positions import PositionBatch
from services.vehicle_tracking.domain.topics import partitions

VEHICLE_ID_MAX = 1 << 24  # bounds the state of a partition: a damaged id must not reserve terabytes
WATCHED_RECORDS = 1000
JUDGED_RECORDS_MIN = 50  # a share of fewer says nothing

DAMAGED = "DAMAGED"
FOREIGN_VEHICLE = "FOREIGN_VEHICLE"


class PoisonError(ValueError):
    """A record that cannot be used. `reason`: one of the list in the service README."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class TooMuchPoisonError(RuntimeError):
    """So many records cannot be used that the fault must be ours: going on would put the province's data aside."""


class PoisonWatch:
    """The share of poison among the last records."""

    def __init__(self, share_max: float) -> None:
        self._share_max = share_max
        self._last: deque[bool] = deque(maxlen=WATCHED_RECORDS)

    def note(self, poisonous: bool) -> None:
        """Count a record. Raises TooMuchPoisonError."""
        self._last.append(poisonous)
        if poisonous and len(self._last) >= JUDGED_RECORDS_MIN and sum(self._last) > self._share_max * len(self._last):
            raise TooMuchPoisonError(f"{sum(self._last)} of the last {len(self._last)} records cannot be used")


def positions_of(record: Record, partition_count: int) -> PositionBatch:
    """The positions in a record of the topic. Raises PoisonError."""
    try:
        positions = decode(record.value)
    except ValueError as error:
        raise PoisonError(DAMAGED) from error
    ids = positions.vehicle_ids
    if len(ids) and (ids.min() < 1 or ids.max() >= VEHICLE_ID_MAX):
        raise PoisonError(FOREIGN_VEHICLE)
    if (partitions(ids, partition_count) != record.partition).any():
        raise PoisonError(FOREIGN_VEHICLE)
    return positions
