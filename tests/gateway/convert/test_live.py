"""Frames of the live stream, read back as the README describes them."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from xiangtong.tracking.v1 import tracking_service_pb2 as pb
from xiangtong.tracking.v1.positions_pb2 import PositionBatch
from xiangtong.tracking.v1.registry_service_pb2 import Vehicle

from common.errors import InvalidInput
from services.gateway.convert.bodies import LiveSeen, LiveView
from services.gateway.convert.live import (
    BYTES_A_VEHICLE,
    RECORD,
    FrameKind,
    alarms_text,
    frame,
    records_of,
    said,
    vehicles_text,
    view_of,
)
from tests.gateway.live_frames import read

NOW_MS = 1_764_000_000_000


def message(count: int, **columns: list[int]) -> pb.WatchPositionsResponse:
    names = (
        "fix_times_ms",
        "longitudes_e7",
        "latitudes_e7",
        "speeds_01kmh",
        "headings_deg",
        "alarm_words",
        "status_words",
    )
    filled: dict[str, Any] = {name: columns.get(name, [0] * count) for name in names}
    return pb.WatchPositionsResponse(
        positions=PositionBatch(vehicle_ids=list(range(1, count + 1)), **filled),
        online=[bool(value) for value in columns.get("online", [1] * count)],
    )


def test_a_position_becomes_eighteen_bytes_that_say_the_same() -> None:
    ids, records = records_of(
        message(
            1,
            fix_times_ms=[NOW_MS - 3500],
            longitudes_e7=[1_129_388_146],
            latitudes_e7=[-282_282_132],
            speeds_01kmh=[853],
            headings_deg=[271],
            alarm_words=[-2147483648],
            status_words=[3],
        )
    )
    wire = frame(FrameKind.CHANGE, ids, records, np.array([9]), epoch=2**32 - 1, number=7, base_time_ms=NOW_MS)
    assert len(wire) == 32 + BYTES_A_VEHICLE + 4
    found = read(wire)
    assert (found.kind, found.epoch, found.number, found.base_time_ms) == (3, 2**32 - 1, 7, NOW_MS)
    assert found.columns == {
        "ids": [1],
        "longitudes_e7": [1_129_388_146],
        "latitudes_e7": [-282_282_132],
        "gone": [9],
        "speeds_01kmh": [853],
        "ages_s": [3],
        "headings": [135],
        "flags": [15],
    }


@pytest.mark.parametrize(
    ("column", "value", "name", "told"),
    [
        ("speeds_01kmh", 70_000, "speeds_01kmh", 65_535),
        ("headings_deg", 360, "headings", 0),
        ("fix_times_ms", 1, "ages_s", 65_535),
        ("fix_times_ms", NOW_MS + 60_000, "ages_s", 0),
        ("online", 0, "flags", 0),
        ("status_words", 2, "flags", 5),
    ],
)
def test_a_value_beyond_its_column_is_held_at_the_end(column: str, value: int, name: str, told: int) -> None:
    ids, records = records_of(message(1, **{"fix_times_ms": [NOW_MS], column: [value]}))
    wire = frame(FrameKind.CHANGE, ids, records, ids[:0], epoch=1, number=1, base_time_ms=NOW_MS)
    assert read(wire).columns[name] == [told]


@given(st.integers(0, 50), st.integers(0, 5))
def test_a_frame_has_as_many_bytes_as_the_readme_says(count: int, gone: int) -> None:
    ids = np.arange(count)
    wire = frame(
        FrameKind.SNAPSHOT, ids, np.zeros(count, RECORD), np.arange(gone), epoch=1, number=0, base_time_ms=NOW_MS
    )
    assert len(wire) == 32 + 18 * count + 4 * gone
    assert read(wire).ids == ids.tolist() and read(wire).gone == list(range(gone))


def test_rows_of_the_register_come_as_columns() -> None:
    values: dict[str, Any] = {"kind": 4, "enterprise_id": 3, "region_code": "430100"}
    text = vehicles_text([Vehicle(vehicle_id=7, plate="湘A1", plate_colour=2, **values)])
    assert json.loads(text) == {
        "type": "vehicles",
        "vehicle_ids": [7],
        "plates": ["湘A1"],
        "plate_colours": [2],
        "kinds": [4],
        "enterprise_ids": [3],
        "region_codes": ["430100"],
    }


def test_alarms_come_with_the_number_to_resume_from() -> None:
    found = json.loads(alarms_text([{"alarm_id": "a"}], snapshot=True, number=5))
    assert found == {"type": "alarms", "snapshot": True, "alarms": [{"alarm_id": "a"}], "alarm_number": 5}


def test_what_a_browser_says_is_read() -> None:
    assert said('{"type":"seen","number":3}') == LiveSeen(type="seen", number=3)
    view = said('{"type":"view","bounding_box":[112,27,114,29],"kinds":["hazmat"],"region_codes":["430100"]}')
    assert isinstance(view, LiveView)
    found = view_of(view)
    assert found.box_e7 == (1_120_000_000, 270_000_000, 1_140_000_000, 290_000_000)
    assert (found.kinds, found.regions, found.enterprises) == (frozenset({4}), frozenset({430100}), frozenset())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "1",
        "{}",
        '{"type":7}',
        '{"type":"view","more":1}',
        '{"type":"view","bounding_box":[1,2,3]}',
        '{"type":"view","bounding_box":[NaN,2,3,4]}',
        '{"type":"seen","number":-1}',
        "[" * 10_000,
        '"' + "x" * 70_000 + '"',
    ],
)
def test_what_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        said(text)
