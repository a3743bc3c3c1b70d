"""Frames told in words: names in two languages, values in their units."""

from __future__ import annotations

import json
from typing import Any

import pytest

from services.vehicle_tracking.terminals.jt808 import names
from services.vehicle_tracking.terminals.jt808.columns import Item
from services.vehicle_tracking.terminals.jt808.description import frame_described
from services.vehicle_tracking.terminals.jt808.frames import decode_one
from simulation import frames
from simulation.frames import Identity

BASE = bytes.fromhex("00000000000000030260f55c06f015bc000000000000240517083015")
TERMINAL = Identity("13900001111", "湘A12345", 2)


def told(message_id: int, body: bytes, *, part: tuple[int, int] | None = None) -> dict[str, Any]:
    decoded = decode_one(frames.frame(TERMINAL, message_id, 7, body, part=part))
    return dict(json.loads(json.dumps(frame_described(decoded, 0))))


@pytest.mark.parametrize(
    ("wire", "told_as"),
    [
        ("010400000064", {"distance_km": 10.0}),
        ("020201f4", {"fuel_l": 50.0}),
        ("03020366", {"speed_kmh": 87.0}),
        ("04020007", {"alarm_event_id": 7}),
        ("051e" + "ff" * 28 + "20ff", {"pressures_pa": {"29": 32}}),
        ("0602800c", {"temperature_c": -12}),
        ("110100", {"area_kind": "none 无特定位置", "area_id": 0}),
        ("12060300000009" + "01", {"area_kind": "polygon 多边形区域", "area_id": 9, "direction": "out 出"}),
        ("130700000005007800", {"segment_id": 5, "duration_s": 120, "result": "too short 不足"}),
        ("140400000010", {"alarms": ["overcrowding 客车超员"]}),
        ("150400000081", {"channels": [1, 8]}),
        ("160480000000", {"channels": [32]}),
        ("17021001", {"units": [1, 13]}),
        ("1803000250", {"behaviours": ["phone call 打电话"], "fatigue_degree": 80}),
        ("250400004000", {"signals": ["clutch 离合器"]}),
        ("2a020002", {"states": ["sleep 休眠"]}),
        ("2b0400010002", {"ad0": 2, "ad1": 1}),
        ("30011f", {"signal_strength": 31}),
        ("31010e", {"satellite_count": 14}),
    ],
)
def test_a_standard_item_is_told_in_its_unit(wire: str, told_as: dict[str, object]) -> None:
    (item,) = told(0x0200, BASE + bytes.fromhex(wire))["location"]["items"]
    assert {name: item[name] for name in told_as} == told_as
    assert item["raw"] == wire[4:]
    assert "note" not in item


def test_there_is_a_name_for_every_standard_item_and_every_alarm_bit() -> None:
    assert len(names.ALARMS) == 32
    assert len(Item) == 20  # one is UNREAD; the table above has the others


def test_bits_without_a_name_are_told_by_number() -> None:
    body = b"\x80\0\0\1" + b"\x80\0\3\3" + BASE[8:]
    location = told(0x0200, body)["location"]
    assert location["alarms"] == ["emergency 紧急报警", "illegal door opening 非法开门报警"]
    assert location["status"] == ["ACC on ACC开", "positioned 定位", "bit 31"]
    assert location["load"] == "full 满载"


def test_a_batch_tells_its_kind_and_every_location() -> None:
    report = told(0x0704, b"\0\2\1" + (b"\0\x1c" + BASE) * 2)
    assert (report["batch_kind"], report["item_count"], len(report["locations"])) == ("blind area 盲区补报", 2, 2)


def test_a_query_answer_tells_what_it_answers() -> None:
    assert told(0x0201, b"\0\x09" + BASE)["answered_serial"] == 9
    assert "answered_serial" not in told(0x0201, BASE)


@pytest.mark.parametrize(
    ("message_id", "body"), [(0x0100, b"short"), (0x0001, b"\0"), (0x8100, b"\0"), (0x8003, b"\0")]
)
def test_a_body_that_cannot_be_read_is_shown_raw(message_id: int, body: bytes) -> None:
    report = told(message_id, body)
    assert (report["body"], "cannot be read" in report["note"]) == (body.hex(), True)


def test_a_message_we_do_not_know_is_shown_raw() -> None:
    report = told(0x0F42, b"\1\2")
    assert (report["message"], report["body"]) == ("unknown 未知", "0102")


def test_a_part_tells_its_place_and_its_bytes() -> None:
    report = told(0x0704, b"\1\2", part=(3, 2))
    assert (report["part"], report["body"]) == ({"index": 2, "count": 3}, "0102")


def test_a_lying_version_bit_is_remarked() -> None:
    content = bytearray(frames.frame(TERMINAL, 0x0002, 1, b"")[1:-2])
    content[2] |= 0x40
    decoded = decode_one(frames.enclosed(bytes(content)))
    assert "bit 14" in str(frame_described(decoded, 0)["note"])
