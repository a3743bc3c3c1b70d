"""What a decoded frame says, every field by its name in its unit, for people who debug a terminal."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from common.clock import SHANGHAI
from services.vehicle_tracking.terminals.jt808 import names
from services.vehicle_tracking.terminals.jt808.columns import Decoded
from services.vehicle_tracking.terminals.jt808.description_items import Described, items_described
from services.vehicle_tracking.terminals.jt808.kernel_location import BASE_BYTES
from services.vehicle_tracking.terminals.jt808.logins import authentication, registration


def frame_described(decoded: Decoded, row: int) -> Described:
    """Header, body and locations of a frame."""
    frame = decoded.frames[row]
    return {**header_described(frame), **_body_described(decoded, row)}


def header_described(frame: Any) -> Described:
    """The fields of the header."""
    message_id, properties = int(frame["message_id"]), int(frame["properties"])
    header: Described = {
        "message_id": f"0x{message_id:04x}",
        "message": names.MESSAGES.get(message_id, "unknown 未知"),
        "edition": "2019" if frame["is_2019"] else "2011/2013",
        "phone": str(frame["phone"]),
        "serial": int(frame["serial"]),
        "body_length": int(frame["body_length"]),
    }
    if frame["is_2019"]:
        header["protocol_version"] = int(frame["version"])
    if bool(properties & 0x4000) != bool(frame["is_2019"]):
        header["note"] = "bit 14 of the body properties says otherwise; the lengths decide 版本标识与长度不符"
    if frame["part_count"]:
        header["part"] = {"index": int(frame["part_index"]), "count": int(frame["part_count"])}
    return header


def location_described(decoded: Decoded, index: int) -> Described:
    """One location with its additional items."""
    place = decoded.locations[index]
    status = int(place["status_word"]) & 0xFFFFFFFF
    return {
        "fix_time": datetime.fromtimestamp(int(place["fix_time_ms"]) // 1000, SHANGHAI).isoformat(),
        "longitude_deg": int(place["longitude_e7"]) / 1e7,
        "latitude_deg": int(place["latitude_e7"]) / 1e7,
        "altitude_m": int(place["altitude_m"]),
        "speed_kmh": int(place["speed_01kmh"]) / 10,
        "heading_deg": int(place["heading_deg"]),
        "alarm_word": f"0x{int(place['alarm_word']) & 0xFFFFFFFF:08x}",
        "alarms": names.bit_names(int(place["alarm_word"]), names.ALARMS),
        "status_word": f"0x{status:08x}",
        "status": names.bit_names(status & ~0x300, names.STATUS),
        "load": names.LOADS[status >> 8 & 3],
        **items_described(decoded, place),
    }


def _body_described(decoded: Decoded, row: int) -> Described:
    frame, body = decoded.frames[row], decoded.body(row)
    message_id = int(frame["message_id"])
    if message_id in _LOCATED and frame["location_count"]:
        return _located(decoded, row, body)
    if not body:
        return {}
    if frame["reason"] or frame["part_count"] or message_id not in _BODIES:
        return {"body": body.hex()}
    return _BODIES[message_id](frame, body) or {"body": body.hex(), "note": "the body cannot be read 消息体无法解析"}


def _located(decoded: Decoded, row: int, body: bytes) -> Described:
    frame = decoded.frames[row]
    first = int(frame["first_location"])
    places = range(first, first + int(frame["location_count"]))
    if frame["message_id"] == _BATCH:
        kind = _BATCH_KINDS.get(body[2], f"{body[2]}")
        locations = [location_described(decoded, place) for place in places]
        return {"batch_kind": kind, "item_count": int.from_bytes(body[:2], "big"), "locations": locations}
    location_start = int(decoded.locations[first]["item_start"]) - BASE_BYTES - int(frame["body_start"])
    answered: Described = {"answered_serial": int.from_bytes(body[:2], "big")} if location_start else {}
    return {**answered, "location": location_described(decoded, first)}


def _registration(frame: Any, body: bytes) -> Described:
    said = registration(body, is_2019=bool(frame["is_2019"]))
    return {"registration": said._asdict()} if said else {}


def _authentication(frame: Any, body: bytes) -> Described:
    said = authentication(body, is_2019=bool(frame["is_2019"]))
    return {"authentication": said._asdict()} if said else {}


def _general_answer(_: Any, body: bytes) -> Described:
    if len(body) < 5:
        return {}
    return {
        "answered_serial": int.from_bytes(body[:2], "big"),
        "answered_id": f"0x{int.from_bytes(body[2:4], 'big'):04x}",
        "result": names.GENERAL_RESULTS.get(body[4], f"{body[4]}"),
    }


def _register_answer(_: Any, body: bytes) -> Described:
    if len(body) < 3:
        return {}
    answered: Described = {"answered_serial": int.from_bytes(body[:2], "big")}
    result = names.REGISTER_RESULTS.get(body[2], f"{body[2]}")
    return answered | {"result": result, "auth_code": body[3:].decode("gbk", "replace").rstrip("\0")}


def _resend_parts(_: Any, body: bytes) -> Described:
    if len(body) < 3:
        return {}
    start = 3 if len(body) == 3 + 2 * body[2] else 4  # 2013 counts the parts in one byte, 2019 in two
    indexes = [int.from_bytes(body[at : at + 2], "big") for at in range(start, len(body) - 1, 2)]
    return {"first_serial": int.from_bytes(body[:2], "big"), "part_indexes": indexes}


_BATCH = 0x0704
_LOCATED = {0x0200, 0x0201, _BATCH}
_BATCH_KINDS = {0: "ordinary 正常位置批量汇报", 1: "blind area 盲区补报"}
_BODIES: dict[int, Callable[[Any, bytes], Described]] = {
    0x0001: _general_answer,
    0x0005: _resend_parts,
    0x0100: _registration,
    0x0102: _authentication,
    0x8001: _general_answer,
    0x8003: _resend_parts,
    0x8100: _register_answer,
}
