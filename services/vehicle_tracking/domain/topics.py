"""Names of the topics and which partition a vehicle belongs to."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

POSITIONS = "positions"  # value: PositionBatch, all of whose vehicles belong to the record's partition
ALARMS = "alarms"  # value: Alarm
DEAD_LETTERS = "dead-letters"  # value: the raw bytes; headers: reason and where it came from
ENGINE_GROUP = "tracking-engine"


def partitions(vehicle_ids: NDArray[Any], partition_count: int) -> NDArray[Any]:
    """The partition of each vehicle, (n,). Ids are dense, so `vehicle_id // partition_count` is its row there."""
    result: NDArray[Any] = vehicle_ids % partition_count
    return result
