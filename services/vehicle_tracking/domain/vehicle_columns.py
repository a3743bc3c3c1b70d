"""What rules need to know of vehicles, as columns by row of each partition."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.vehicle_tracking.domain.engine_state import grown
from services.vehicle_tracking.domain.positions import Bytes, Int32s, Int64s
from services.vehicle_tracking.domain.vehicles import Vehicle, VehicleKind


@dataclass(frozen=True, slots=True)
class VehicleRows:
    """Vehicles of the register as columns, (n,) each: millions of objects would take minutes and gigabytes.
    `deleted`: there is no such vehicle any more."""

    vehicle_ids: Int64s
    kinds: Bytes
    speeds_kmh_max: Int32s
    region_codes: Int32s
    enterprise_ids: Int64s
    deleted: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.vehicle_ids)


def vehicle_rows(vehicles: Collection[Vehicle], removed_ids: Collection[int] = ()) -> VehicleRows:
    """These vehicles, and those that are removed."""
    none = [0] * len(removed_ids)
    return VehicleRows(
        np.array([*(vehicle.vehicle_id for vehicle in vehicles), *removed_ids], np.int64),
        np.array([*(vehicle.kind for vehicle in vehicles), *none], np.uint8),
        np.array([*(vehicle.speed_kmh_max for vehicle in vehicles), *none], np.int32),
        np.array([*(int(vehicle.region_code or 0) for vehicle in vehicles), *none], np.int32),
        np.array([*(vehicle.enterprise_id for vehicle in vehicles), *none], np.int64),
        np.repeat([False, True], [len(vehicles), len(removed_ids)]),
    )


class VehicleColumns:
    """Kind and own speed limit of every vehicle, and whether it is in the register; those that are not are of kind
    OTHER without a limit. Row vehicle_id // partition_count of partition vehicle_id % partition_count."""

    def __init__(self, partition_count: int) -> None:
        self._partition_count = partition_count
        self._kinds: list[Bytes] = [np.zeros(0, np.uint8)] * partition_count
        self._speeds_kmh_max: list[Int32s] = [np.zeros(0, np.int32)] * partition_count
        self._registered: list[NDArray[np.bool_]] = [np.zeros(0, np.bool_)] * partition_count

    def change(self, vehicles: Collection[Vehicle], removed_ids: Collection[int] = ()) -> None:
        """Take vehicles that are new or have changed, and forget others."""
        self.take(vehicle_rows(vehicles, removed_ids))

    def take(self, found: VehicleRows) -> None:
        """The same of columns; the last row of a vehicle counts."""
        kinds = np.where(found.deleted, np.uint8(VehicleKind.OTHER), found.kinds)
        limits = np.where(found.deleted, np.int32(0), found.speeds_kmh_max)
        partitions, rows = found.vehicle_ids % self._partition_count, found.vehicle_ids // self._partition_count
        for partition in np.unique(partitions).tolist():
            chosen = partitions == partition
            self._reserve(partition, int(rows[chosen].max()) + 1)
            self._kinds[partition][rows[chosen]] = kinds[chosen]
            self._speeds_kmh_max[partition][rows[chosen]] = limits[chosen]
            self._registered[partition][rows[chosen]] = ~found.deleted[chosen]

    def of(self, partition: int, row_count: int) -> tuple[Bytes, Int32s]:
        """Kinds and own limits of a partition, for at least `row_count` rows."""
        self._reserve(partition, row_count)
        return self._kinds[partition], self._speeds_kmh_max[partition]

    def registered(self, partition: int, row_count: int) -> NDArray[np.bool_]:
        """Which vehicles of a partition are in the register, for at least `row_count` rows."""
        self._reserve(partition, row_count)
        return self._registered[partition]

    def _reserve(self, partition: int, row_count: int) -> None:
        self._kinds[partition] = grown(self._kinds[partition], row_count, fill=int(VehicleKind.OTHER))
        self._speeds_kmh_max[partition] = grown(self._speeds_kmh_max[partition], row_count)
        self._registered[partition] = grown(self._registered[partition], row_count)
