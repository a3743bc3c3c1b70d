"""offline_displacement: far apart in time and place, at a speed that can be."""

from __future__ import annotations

import pytest

from services.vehicle_tracking.domain.alarms.offline_displacement import OFFLINE_DISPLACEMENT
from services.vehicle_tracking.domain.fences import AlarmLevel
from tests.vehicle_tracking.engine_tables import Run

# The vehicle is at 112° east, 28° north at second 0, with 98.18 km to a degree of longitude there.
CASES = """
    second  lon      raised
    1800    112.25   1
    1799.9  112.25   0
    1800    112.203  0
    1800    112.204  1
    1800    112.519  1
    1800    112.520  0
    90000   112.25   1
"""


@pytest.mark.parametrize("line", CASES.strip().splitlines()[1:])
def test_thirty_minutes_twenty_kilometres_and_at_most_102_kmh(line: str) -> None:
    second, lon, raised = line.split()
    run = Run(OFFLINE_DISPLACEMENT)
    run.each(f"second lon\n0 112\n{second} {lon}")
    assert len(run.told) == int(raised)


def test_it_lasts_from_the_earlier_fix_to_the_later_and_tells_how_far() -> None:
    run = Run(OFFLINE_DISPLACEMENT)
    run.fixes("second lon source\n0 112 1\n3600 112.5 2")
    alarm = run.only()
    assert run.spans() == [(0, 3600)]
    assert (alarm.level, alarm.late, alarm.limit_value) == (AlarmLevel.MEDIUM, True, 20)
    assert alarm.measured_value == pytest.approx(49.09, abs=0.02)
    assert [e.longitude_e7 for e in alarm.evidence] == [1_120_000_000, 1_125_000_000]


def test_signs_of_life_between_do_not_hide_it() -> None:
    run = Run(OFFLINE_DISPLACEMENT)
    run.each("second lon status\n0 112 2\n900 0 0\n1800 112.3 2")
    assert run.spans() == [(0, 1800)]


def test_a_first_fix_is_no_displacement() -> None:
    run = Run(OFFLINE_DISPLACEMENT)
    run.fixes("second lon\n90000 112")
    assert run.told == []
