"""Order and repeats in tracks."""

from __future__ import annotations

import numpy as np

from services.vehicle_tracking.domain.positions import PositionBatch, batch
from services.vehicle_tracking.domain.tracks import archive_order, track_order


def positions(*rows: tuple[int, int, int]) -> PositionBatch:
    """Vehicle, fix time, longitude of each."""
    vehicle_ids, fix_times_ms, longitudes_e7 = np.array(rows, np.int64).reshape(-1, 3).T
    return batch(1, vehicle_ids=vehicle_ids, fix_times_ms=fix_times_ms, longitudes_e7=longitudes_e7)


def test_an_archive_is_ordered_by_vehicle_and_fix_time() -> None:
    assert archive_order(positions((2, 5, 0), (1, 9, 0), (2, 4, 0), (1, 8, 0))).tolist() == [3, 1, 2, 0]


def test_a_position_that_was_sent_twice_is_archived_once() -> None:
    assert archive_order(positions((1, 5, 7), (2, 5, 7), (1, 5, 7), (1, 5, 7))).tolist() == [0, 1]


def test_another_place_at_the_same_time_is_kept_as_evidence() -> None:
    assert archive_order(positions((1, 5, 7), (1, 5, 8))).tolist() == [0, 1]


def test_nothing_and_one_are_in_order() -> None:
    assert archive_order(positions()).tolist() == []
    assert archive_order(positions((1, 1, 1))).tolist() == [0]


def test_a_track_has_each_fix_time_once_and_the_first_wins() -> None:
    assert track_order(np.array([30, 10, 30, 20, 10], np.int64)).tolist() == [1, 3, 0]
    assert track_order(np.zeros(0, np.int64)).tolist() == []
