"""Every reason that a position can have against it, once, through the engine."""

from __future__ import annotations

import pytest

from services.vehicle_tracking.domain.quality import Quality
from tests.vehicle_tracking.engine_tables import Run

# What one field of a good fix (second 100, received at 101) is set to; whether it may still be shown on the map.
FLAWS = """
    reason          usable  column    value
    TIME            0       second    161.001
    LONGITUDE       0       lon       73.5499999
    LONGITUDE       0       lon       135.0833334
    LATITUDE        0       lat       3.8499999
    LATITUDE        0       lat       53.5500001
    SPEED           0       kmh       160.1
    SPEED           0       kmh       -0.1
    HEADING         0       heading   361
    HEADING         0       heading   -1
    ALTITUDE        0       altitude  6501
    ALTITUDE        0       altitude  -201
    NOT_POSITIONED  0       status    1
    ENCRYPTED       0       status    34
    DUPLICATE       0       second    50
    OUT_OF_ORDER    0       second    49.9
    DRIFT           1       lon       112.1
"""
# Values at the edge of what is accepted.
EDGES = """
    column    value
    second    161
    kmh       160
    kmh       0
    heading   360
    altitude  6500
    altitude  -200
    status    3
    lon       112.01
"""


def judged(column: str, value: str) -> tuple[Quality, bool]:
    run = Run()
    run.fixes("second\n50")
    row = {"second": "100", "received": "101"} | {column: value}
    outcome = run.fixes(f"{' '.join(row)}\n{' '.join(row.values())}")
    return Quality(int(outcome.quality_flags[0])), bool(outcome.usable[0])


@pytest.mark.parametrize("line", FLAWS.strip().splitlines()[1:])
def test_a_flaw_is_named_by_its_field(line: str) -> None:
    reason, usable, column, value = line.split()
    assert judged(column, value) in [
        (Quality[reason], bool(int(usable))),
        (Quality[reason] | Quality.DRIFT, bool(int(usable))),
    ]


@pytest.mark.parametrize("line", EDGES.strip().splitlines()[1:])
def test_what_lies_on_the_edge_of_a_range_is_accepted(line: str) -> None:
    assert judged(*line.split()) == (Quality(0), True)


@pytest.mark.parametrize(
    "place", ["73.55 28", "135.0833333 28", "112 3.85", "112 53.55"], ids=["west", "east", "south", "north"]
)
def test_the_borders_of_the_country_are_accepted(place: str) -> None:
    assert Run().fixes(f"lon lat\n{place}").usable.all()


def test_a_time_before_1970_is_no_time() -> None:
    run = Run()
    outcome = run.fixes("second received\n-1767240000 1")
    assert outcome.quality_flags.tolist() == [Quality.TIME]


def test_several_flaws_are_all_named() -> None:
    outcome = Run().fixes("lon lat kmh status received\n0 0 999 0 1")
    flaws = Quality.LONGITUDE | Quality.LATITUDE | Quality.SPEED | Quality.NOT_POSITIONED
    assert outcome.quality_flags.tolist() == [flaws]


def test_the_numbers_of_the_reasons_stay_what_they_are() -> None:
    names = "TIME LONGITUDE LATITUDE SPEED HEADING ALTITUDE NOT_POSITIONED ENCRYPTED DUPLICATE OUT_OF_ORDER DRIFT"
    assert [flag.name for flag in Quality] == names.split()
    assert [int(flag) for flag in Quality] == [1 << bit for bit in range(11)]
