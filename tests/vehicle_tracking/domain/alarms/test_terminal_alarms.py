"""terminal: one alarm for each bit of the alarm word."""

from __future__ import annotations

import pytest

from services.vehicle_tracking.domain.alarms.terminal_alarms import TERMINAL_ALARMS, level_of
from services.vehicle_tracking.domain.fences import AlarmLevel
from tests.vehicle_tracking.engine_tables import Run, second

SIGN = 1 << 31


def test_a_bit_is_an_alarm_from_its_first_fix_to_the_first_without_it() -> None:
    run = Run(TERMINAL_ALARMS)
    run.each("second alarm\n0 0\n10 1\n20 1\n30 0\n40 1")
    assert run.spans() == [(10, 30), (40, None)]
    assert {alarm.subject for alarm in run.told} == {0}


@pytest.mark.parametrize("as_one_batch", [True, False])
def test_bits_are_told_apart(as_one_batch: bool) -> None:
    run = Run(TERMINAL_ALARMS)
    table = f"second alarm\n0 {SIGN + 4}\n10 {SIGN + 1}\n20 {SIGN + 5}\n30 1\n40 {SIGN}\n50 0"
    (run.fixes if as_one_batch else run.each)(table)
    ends = sorted((a.subject, second(a.raise_time_ms), second(a.clear_time_ms)) for a in run.alarms.values())
    assert ends == [(0, 10, 40), (2, 0, 10), (2, 20, 30), (31, 0, 30), (31, 40, 50)]


def test_clearing_tells_the_evidence_of_raising() -> None:
    run = Run(TERMINAL_ALARMS)
    run.each("second alarm lon kmh\n0 2 112 60\n10 0 113 70")
    raised, cleared = run.told
    assert raised.evidence == cleared.evidence
    assert (cleared.evidence[0].longitude_e7, cleared.create_time_ms) == (1_120_000_000, raised.create_time_ms)


def test_a_fix_without_a_place_carries_its_bits_and_shows_the_place_before() -> None:
    run = Run(TERMINAL_ALARMS)
    run.each("vehicle second alarm lon status\n3 0 0 112 2\n3 10 16 0 0\n4 10 16 0 0")
    assert [[e.longitude_e7 for e in alarm.evidence] for alarm in run.told] == [[1_120_000_000], []]


LEVELS = "3 2 3 3 1 1 1 1 1 1 1 1 1 2 2 2 2 2 2 2 2 2 2 2 1 2 2 2 2 3 3 2"


def test_every_bit_has_its_level() -> None:
    assert [level_of(bit) for bit in range(32)] == [AlarmLevel(int(digit)) for digit in LEVELS.split()]


def test_an_alarm_is_late_by_the_fix_with_the_bit() -> None:
    run = Run(TERMINAL_ALARMS)
    run.fixes("second alarm source\n0 1 2\n10 0 1")
    assert run.only().late


def test_many_changes_in_one_batch_are_all_told() -> None:
    run = Run(TERMINAL_ALARMS)
    words = [(1 << 32) - 1, 0]
    run.fixes("vehicle second alarm\n" + "\n".join(f"{v} {s} {words[s % 2]}" for s in range(10) for v in range(1, 9)))
    assert len(run.alarms) == 5 * 32 * 8
    assert all(a.clear_time_ms == a.raise_time_ms + 1000 for a in run.alarms.values())
