"""Which positions take part, in which order."""

from __future__ import annotations

import numpy as np

from services.vehicle_tracking.domain.alarms.rule import NEVER_MS
from services.vehicle_tracking.domain.fixes import LATEST, Sifted, sifted, taken
from services.vehicle_tracking.domain.quality import Quality
from tests.vehicle_tracking.engine_tables import fixes, second


class Sieve:
    def __init__(self) -> None:
        self.latest = np.zeros(10, LATEST)
        self.kinds = np.arange(10, dtype=np.uint8)

    def take(self, table: str) -> Sifted:
        positions = fixes(table)
        return sifted(
            positions,
            positions.vehicle_ids,
            latest=self.latest,
            kinds=self.kinds,
            late_ms=300_000,
            future_ms=0,
        )


def test_a_batch_is_taken_in_order_of_fix_time() -> None:
    sift = Sieve().take("vehicle second\n3 20\n4 15\n3 10\n4 5\n3 30")
    for vehicle, seconds in ((3, [10, 20, 30]), (4, [5, 15])):
        chosen = sift.fixes.rows == vehicle
        assert [second(time_ms) for time_ms in sift.fixes.times_ms[chosen].tolist()] == seconds
    assert sift.usable.all()


def test_order_of_arrival_is_kept_where_it_is_that_of_time() -> None:
    sift = Sieve().take("vehicle second\n3 20\n4 10\n3 30\n4 15")
    assert sift.fixes.batch_rows.tolist() == [0, 1, 2, 3]


def test_of_two_fixes_of_one_time_the_first_wins() -> None:
    sift = Sieve().take("second kmh\n10 40\n20 50\n20 60\n10 70")
    assert sift.fixes.speeds_01kmh.tolist() == [400, 500]
    assert [Quality(flag) for flag in sift.quality_flags.tolist()] == [0, 0, Quality.DUPLICATE, Quality.DUPLICATE]


def test_what_was_seen_in_an_earlier_batch_takes_no_part_again() -> None:
    sieve = Sieve()
    sieve.take("second\n10\n20")
    sift = sieve.take("second\n20\n15\n30")
    flags = [Quality.DUPLICATE, Quality.OUT_OF_ORDER, 0]
    assert (sift.quality_flags.tolist(), sift.usable.tolist()) == (flags, [False, False, True])


def test_a_time_in_the_future_takes_no_part_and_does_not_make_later_fixes_old() -> None:
    sieve = Sieve()
    sieve.take("second received\n1000 10")
    assert sieve.take("second\n20").usable.all()


def test_signs_of_life_are_heard_in_order_but_are_no_place() -> None:
    sift = Sieve().take("second lon status alarm\n10 112 2 0\n20 0 0 5\n30 113 2 0")
    assert sift.heard.alarm_words.tolist() == [0, 5, 0]
    assert sift.heard.positioned.tolist() == [True, False, True]
    assert sift.fixes.batch_rows.tolist() == [0, 2]
    assert sift.fixes.before_longitudes_e7.tolist() == [0, 1_120_000_000]


def test_each_fix_knows_the_place_before_it_across_batches() -> None:
    sieve = Sieve()
    first = sieve.take("second kmh\n10 40")
    assert first.fixes.before_times_ms.tolist() == [NEVER_MS]
    assert not first.fixes.evidence_before(0)
    after = sieve.take("second kmh\n20 50\n30 60").fixes
    assert [second(time_ms) for time_ms in after.before_times_ms.tolist()] == [10, 20]
    assert after.before_speeds_01kmh.tolist() == [400, 500]
    assert after.evidence_before(1)[0] == after.evidence(0)


def test_late_is_what_was_uploaded_later_or_received_late() -> None:
    sift = Sieve().take("vehicle second source received\n1 0 1 300\n2 299 2 300\n3 -0.001 1 300\n4 300 4 300")
    assert sift.fixes.lates.tolist() == [False, True, True, False]


def test_kinds_come_from_the_vehicles_row() -> None:
    assert Sieve().take("vehicle second\n5 0\n3 0").fixes.kinds.tolist() == [5, 3]


def test_room_for_order_is_given_back_empty() -> None:
    sieve = Sieve()
    sieve.take("second\n10\n5\n20")
    sieve.take("second\n100\n110\n120")
    assert not sieve.latest["newest_ms"].any()


def test_fixes_can_be_taken_by_index_and_by_truth() -> None:
    found = Sieve().take("second\n10\n20\n30").fixes
    assert taken(found, np.array([2, 0])).batch_rows.tolist() == [2, 0]
    assert taken(found, np.array([False, True, False])).batch_rows.tolist() == [1]
