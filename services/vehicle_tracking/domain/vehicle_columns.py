"""What rules need to know of vehicles, as columns by row of each partition."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from services.vehicle_tracking.domain.engine_state import grown
from services.vehicle_tracking.domain.positions import Bytes, Int32s
from services.vehicle_tracking.domain.vehicles import Vehicle, VehicleKind


class VehicleColumns:
    """Kind and own speed limit of every vehicle; those not in the register are of kind OTHER without a limit. Row
    vehicle_id // partition_count of partition vehicle_id % partition_count."""

    def __init__(self, partition_count: int) -> None:
        self._partition_count = partition_count
        self._kinds: list[Bytes] = [np.zeros(0, np.uint8)] * partition_count
        self._speeds_kmh_max: list[Int32s] = [np.zeros(0, np.int32)] * partition_count

    def change(self, vehicles: Collection[Vehicle], removed_ids: Collection[int] = ()) -> None:
        """Take vehicles that are new or have changed, and forget others."""
        ids = np.array([*(vehicle.vehicle_id for vehicle in vehicles), *removed_ids], np.int64)
        kinds = np.full(len(ids), VehicleKind.OTHER, np.uint8)
        kinds[: len(vehicles)] = [vehicle.kind for vehicle in vehicles]
        limits = np.zeros(len(ids), np.int32)
        limits[: len(vehicles)] = [vehicle.speed_kmh_max for vehicle in vehicles]
        partitions, rows = ids % self._partition_count, ids // self._partition_count
        for partition in np.unique(partitions).tolist():
            chosen = partitions == partition
            self._reserve(partition, int(rows[chosen].max()) + 1)
            self._kinds[partition][rows[chosen]] = kinds[chosen]
            self._speeds_kmh_max[partition][rows[chosen]] = limits[chosen]

    def of(self, partition: int, row_count: int) -> tuple[Bytes, Int32s]:
        """Kinds and own limits of a partition, for at least `row_count` rows."""
        self._reserve(partition, row_count)
        return self._kinds[partition], self._speeds_kmh_max[partition]

    def _reserve(self, partition: int, row_count: int) -> None:
        self._kinds[partition] = grown(self._kinds[partition], row_count, fill=int(VehicleKind.OTHER))
        self._speeds_kmh_max[partition] = grown(self._speeds_kmh_max[partition], row_count)
