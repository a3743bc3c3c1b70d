"""Order and repeats in tracks."""

from __future__ import annotations

import numpy as np

from services.vehicle_tracking.domain.positions import PositionBatch, PositionSource, batch
from services.vehicle_tracking.domain.quality import Quality
from services.vehicle_tracking.domain.tracks import (
    RECENT_ROWS_MAX,
    Written,
    archive_order,
    copies,
    marks,
    recent,
    track_order,
)


def positions(*rows: tuple[int, int, int]) -> PositionBatch:
    """Vehicle, fix time, longitude of each."""
    vehicle_ids, fix_times_ms, longitudes_e7 = np.array(rows, np.int64).reshape(-1, 3).T
    return batch(1, vehicle_ids=vehicle_ids, fix_times_ms=fix_times_ms, longitudes_e7=longitudes_e7)


def order(*rows: tuple[int, int, int]) -> list[int]:
    """Which are archived."""
    given = positions(*rows)
    found: list[int] = archive_order(given, marks(given)).tolist()
    return found


def written(*rows: tuple[int, int, int], received_ms: int = 1) -> Written:
    """A file of these."""
    return Written(np.sort(marks(positions(*rows))), received_ms)


def test_an_archive_is_ordered_by_vehicle_and_fix_time() -> None:
    assert order((2, 5, 0), (1, 9, 0), (2, 4, 0), (1, 8, 0)) == [3, 1, 2, 0]


def test_a_position_that_was_sent_twice_is_archived_once() -> None:
    assert order((1, 5, 7), (2, 5, 7), (1, 5, 7), (1, 5, 7)) == [0, 1]


def test_another_place_at_the_same_time_is_kept_as_evidence() -> None:
    assert order((1, 5, 7), (1, 5, 8)) == [0, 1]


def test_a_copy_is_left_out_though_another_place_at_its_time_came_between() -> None:
    assert order((1, 5, 8), (1, 5, 7), (1, 5, 8), (1, 5, 7)) == [0, 1]


def test_nothing_and_one_are_in_order() -> None:
    assert order() == []
    assert order((1, 1, 1)) == [0]


def test_a_mark_tells_what_was_measured_and_not_how_it_came() -> None:
    live = positions((1, 5, 7), (1, 5, 8), (1, 6, 7), (2, 5, 7))
    assert len(set(marks(live).tolist())) == 4
    again = batch(9, vehicle_ids=[1], fix_times_ms=[5], longitudes_e7=[7], sources=[int(PositionSource.BLIND_AREA)])
    assert marks(again)[0] == marks(live)[0]


def test_a_copy_of_what_an_earlier_file_says_is_found() -> None:
    given = positions((1, 5, 7), (1, 5, 8), (1, 6, 7))
    late = np.full(3, int(Quality.OUT_OF_ORDER), np.int32)
    earlier = [written((1, 4, 7)), written(), written((1, 5, 7), (2, 6, 7))]
    assert copies(marks(given), late, earlier).tolist() == [True, False, False]
    assert copies(marks(given), late, []).tolist() == [False] * 3


def test_what_the_engine_took_for_new_is_no_copy() -> None:
    given = positions((1, 5, 7))
    assert not copies(marks(given), np.zeros(1, np.int32), [written((1, 5, 7))]).any()


def test_copies_are_looked_for_as_far_back_as_terminals_resend() -> None:
    newest_first = [written(received_ms=0), written((1, 9, 0), received_ms=30), written((1, 8, 0), received_ms=20)]
    assert list(recent(newest_first, since_ms=20)) == newest_first
    assert list(recent(newest_first, since_ms=21)) == newest_first[:2]


def test_copies_are_looked_for_among_so_many_rows_only() -> None:
    many = Written(np.zeros(RECENT_ROWS_MAX // 2, np.uint64), 9)
    assert len(list(recent([many] * 3, since_ms=0))) == 2


def test_a_track_has_each_fix_time_once_and_the_first_wins() -> None:
    assert track_order(np.array([30, 10, 30, 20, 10], np.int64)).tolist() == [1, 3, 0]
    assert track_order(np.zeros(0, np.int64)).tolist() == []
