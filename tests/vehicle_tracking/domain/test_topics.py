"""Which partition a vehicle belongs to."""

from __future__ import annotations

import numpy as np

from services.vehicle_tracking.domain.topics import partitions


def test_rows_within_a_partition_are_dense() -> None:
    ids = np.arange(1, 25, dtype=np.int64)
    of_partition_3 = ids[partitions(ids, 8) == 3]
    assert (of_partition_3 // 8).tolist() == [0, 1, 2]


def test_no_vehicles_have_no_partitions() -> None:
    assert partitions(np.zeros(0, np.int64), 8).shape == (0,)
