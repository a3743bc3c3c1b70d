"""Location bodies byte by byte: every standard additional item, at its standard lengths and at others."""

from __future__ import annotations

import struct
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest

from common.clock import SHANGHAI
from services.vehicle_tracking.domain.positions import PositionSource
from services.vehicle_tracking.terminals.jt808.columns import LOCATION, Item, Reason
from services.vehicle_tracking.terminals.jt808.kernel_location import NOTHING, instant_s, located_answer, location

BASE = bytes.fromhex("00000000000000030260f55c06f015bc000000000000240517083015")
TYRES = bytes(range(30))


def read(body: bytes) -> Any:
    """The row that a good body gives."""
    rows = np.zeros(1, LOCATION)
    assert location(np.frombuffer(body, np.uint8), 0, len(body), 0, rows, 0) == NOTHING
    return rows[0]


def flaw(body: bytes) -> int:
    return int(location(np.frombuffer(body + b"\0", np.uint8), 0, len(body), 0, np.zeros(1, LOCATION), 0))


STANDARD = [
    ("01 04 0012d687", Item.ODOMETER, {"odometer_01km": 1234567}),
    ("01 04 ffffffff", Item.ODOMETER, {"odometer_01km": 2**32 - 1}),
    ("02 02 01f4", Item.FUEL, {"fuel_01l": 500}),
    ("03 02 0366", Item.RECORDER_SPEED, {"recorder_speed_01kmh": 870}),
    ("04 02 0007", Item.ALARM_EVENT, {"alarm_event_id": 7}),
    ("05 1e" + TYRES.hex(), Item.TYRES, {"tyre_start": 30}),
    ("06 02 0014", Item.CABIN_TEMPERATURE, {"cabin_temperature_c": 20}),
    ("06 02 800c", Item.CABIN_TEMPERATURE, {"cabin_temperature_c": -12}),
    ("11 01 00", Item.OVERSPEED_AREA, {"overspeed_area_kind": 0, "overspeed_area_id": 0}),
    ("11 05 04 00000065", Item.OVERSPEED_AREA, {"overspeed_area_kind": 4, "overspeed_area_id": 101}),
    ("12 06 03 00000009 01", Item.CROSSED_AREA, {"crossed_area_id": 9, "crossed_area_kind": 3, "crossed_outwards": 1}),
    ("13 07 00000005 0078 01", Item.SEGMENT, {"segment_id": 5, "segment_s": 120, "segment_too_long": 1}),
    ("13 08 00000005 0078 0001", Item.SEGMENT, {"segment_id": 5, "segment_s": 120, "segment_too_long": 1}),
    ("14 04 80000010", Item.VIDEO_ALARM, {"video_alarm_word": -(2**31) + 16}),
    ("15 04 00000081", Item.LOST_CHANNELS, {"lost_channels": 0x81}),
    ("16 04 ffffffff", Item.OCCLUDED_CHANNELS, {"occluded_channels": 2**32 - 1}),
    ("17 02 1001", Item.STORAGE_FAULTS, {"storage_faults": 0x1001}),
    ("18 02 0003", Item.ABNORMAL_DRIVING, {"abnormal_driving": 3, "fatigue_degree": 0}),
    ("18 03 0001 50", Item.ABNORMAL_DRIVING, {"abnormal_driving": 1, "fatigue_degree": 80}),
    ("25 04 00004011", Item.SIGNALS, {"signals": 0x4011}),
    ("2a 02 0002", Item.IO_STATES, {"io_states": 2}),
    ("2b 04 0001 0002", Item.ANALOGUES, {"analogue_0": 2, "analogue_1": 1}),
    ("30 01 1f", Item.SIGNAL_STRENGTH, {"signal_strength": 31}),
    ("31 01 0e", Item.SATELLITES, {"satellites": 14}),
]


@pytest.mark.parametrize(("wire", "item", "values"), STANDARD)
def test_a_standard_item_is_read(wire: str, item: Item, values: dict[str, int]) -> None:
    row = read(BASE + bytes.fromhex(wire))
    assert row["items"] == 1 << item
    assert {name: int(row[name]) for name in values} == values


def test_every_standard_item_has_an_example() -> None:
    assert {item for _, item, _ in STANDARD} == set(Item) - {Item.UNREAD}


def test_all_items_stand_together_in_one_location() -> None:
    row = read(BASE + b"".join(bytes.fromhex(wire) for wire, _, _ in STANDARD))
    assert row["items"] == sum(1 << item for item in Item if item is not Item.UNREAD)


@pytest.mark.parametrize(
    "number", [0x01, 0x02, 0x03, 0x04, 0x05, 0x06, *range(0x11, 0x19), 0x25, 0x2A, 0x2B, 0x30, 0x31]
)
def test_a_standard_item_of_another_length_stays_raw_and_the_next_is_read(number: int) -> None:
    """Traccar's devices send 06 with one byte as battery: such a value must not become a temperature."""
    row = read(BASE + bytes((number, 9)) + b"\xee" * 9 + b"\x01\x04\x00\x12\xd6\x87")
    assert row["items"] & np.uint32(1 << Item.UNREAD)
    assert row["odometer_01km"] == 1234567
    known = [name for name in row.dtype.names or () if name not in _BASE_COLUMNS]
    assert [name for name in known if row[name] and name != "odometer_01km"] == []


_BASE_COLUMNS = {
    "fix_time_ms", "frame", "longitude_e7", "latitude_e7", "altitude_m", "alarm_word", "status_word", "speed_01kmh",
    "heading_deg", "item_start", "item_length", "items", "source",
}  # fmt: skip


@pytest.mark.parametrize("number", [0x00, 0x07, 0x10, 0x19, 0x24, 0x26, 0x2F, 0x32, 0x64, 0x70, 0xE0, 0xEB, 0xFF])
def test_an_unknown_item_is_never_a_reason_to_lose_the_position(number: int) -> None:
    row = read(BASE + bytes((number, 4)) + b"\xde\xad\xbe\xef" + b"\x31\x01\x0c")
    assert (row["items"], row["satellites"]) == (1 << Item.UNREAD | 1 << Item.SATELLITES, 12)
    assert (row["item_start"], row["item_length"]) == (28, 9)


@pytest.mark.parametrize("tail", ["00", "01", "0104", "01040012d6", "fe", "31ff00"])
def test_what_runs_past_the_end_ends_the_items_and_keeps_the_position(tail: str) -> None:
    row = read(BASE + b"\x31\x01\x0c" + bytes.fromhex(tail))
    assert (row["items"], row["satellites"], row["longitude_e7"]) == (1 << Item.SATELLITES, 12, 1163975000)


def test_the_total_length_never_chooses_a_layout() -> None:
    """Two locations of equal length with different items: each is read by its items' numbers."""
    one = read(BASE + bytes.fromhex("0104 0000000a 0302 0014"))
    other = read(BASE + bytes.fromhex("0302 0014 0104 0000000a"))
    assert (one["odometer_01km"], one["recorder_speed_01kmh"]) == (10, 20)
    assert (other["odometer_01km"], other["recorder_speed_01kmh"]) == (10, 20)


@pytest.mark.parametrize(("status", "longitude", "latitude"), [(2, 1, 1), (6, 1, -1), (10, -1, 1), (14, -1, -1)])
def test_hemispheres_come_from_the_status(status: int, longitude: int, latitude: int) -> None:
    row = read(BASE[:4] + status.to_bytes(4, "big") + BASE[8:])
    assert (row["longitude_e7"], row["latitude_e7"]) == (longitude * 1163975000, latitude * 399087000)


def test_altitude_may_lie_below_the_sea() -> None:
    assert read(BASE[:16] + struct.pack(">h", -154) + BASE[18:])["altitude_m"] == -154


def test_no_coordinate_is_needed_where_nothing_is_positioned() -> None:
    row = read(b"\0\0\0\1" + b"\0\0\0\0" + b"\xff" * 8 + BASE[16:])
    assert (row["alarm_word"], row["longitude_e7"], row["latitude_e7"]) == (1, 0, 0)


@pytest.mark.parametrize(
    ("latitude", "longitude", "expected"),
    [
        (90_000_000, 180_000_000, NOTHING),
        (90_000_001, 0, Reason.COORDINATE),
        (0, 180_000_001, Reason.COORDINATE),
        (2**32 - 1, 2**32 - 1, Reason.COORDINATE),
    ],
)
def test_the_globe_ends_at_its_poles_and_its_date_line(latitude: int, longitude: int, expected: int) -> None:
    assert flaw(BASE[:8] + struct.pack(">II", latitude, longitude) + BASE[16:]) == expected


def test_every_day_of_the_century_is_the_right_instant() -> None:
    day = datetime(2000, 1, 1, 23, 59, 58, tzinfo=SHANGHAI)
    while day.year < 2100:
        wire = np.frombuffer(bytes.fromhex(f"{day:%y%m%d%H%M%S}"), np.uint8)
        assert instant_s(wire, 0) == day.timestamp(), day
        day += timedelta(days=1)


@pytest.mark.parametrize(
    "wrong",
    [
        "240000000000", "241301000000", "240100000000", "240132000000", "240230000000", "230229000000", "240431000000",
        "240101240000", "240101006000", "240101000060", "24010100000a", "a40101000000", "2401010a0000", "ffffffffffff",
    ],
)  # fmt: skip
def test_what_is_no_time_is_rejected(wrong: str) -> None:
    assert instant_s(np.frombuffer(bytes.fromhex(wrong), np.uint8), 0) < 0
    assert flaw(BASE[:22] + bytes.fromhex(wrong)) == Reason.BCD_TIME


@pytest.mark.parametrize("heading", [0, 1, 9, 0x107, 359])
@pytest.mark.parametrize("tail", ["", "310109", "01040012d687", "99"])
def test_a_query_answer_has_a_serial_in_front_except_in_2011(heading: int, tail: str) -> None:
    """Either reading of the other edition's bytes may be a valid time."""
    body = BASE[:20] + heading.to_bytes(2, "big") + BASE[22:] + bytes.fromhex(tail)
    for before, start in ((b"\0\7", 2), (b"", 0)):
        octets = np.frombuffer(before + body, np.uint8)
        assert located_answer(octets, 0, len(octets)) == start


def test_a_location_is_the_terminals_unless_a_batch_says_otherwise() -> None:
    assert read(BASE)["source"] == PositionSource.TERMINAL
