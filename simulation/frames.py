"""JT/T 808 frames as a terminal writes and reads them; knows nothing of the platform's own decoder."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache, reduce
from operator import xor
from typing import NamedTuple

from common.clock import SHANGHAI

REGISTER, LOG_OUT, AUTHENTICATE, HEARTBEAT = 0x0100, 0x0003, 0x0102, 0x0002
LOCATION, LOCATION_BATCH = 0x0200, 0x0704
GENERAL_ANSWER, REGISTER_ANSWER, RESEND_PARTS = 0x8001, 0x8100, 0x8003
BATCH_ORDINARY, BATCH_BLIND_AREA = 0, 1
BATCH_FIXES_MAX = 18  # 18 fixes of 52 bytes stay below the 1023 bytes of one frame's body
BODY_BYTES_MAX = 1023
BUFFER_BYTES_MAX = 64 * 1024  # the platform never owes a terminal this much: whoever sends more is not our platform
STATUS_ACC, STATUS_POSITIONED, STATUS_SOUTH, STATUS_WEST = 1, 2, 4, 8
_SOUTH_WEST = STATUS_SOUTH | STATUS_WEST


class Fix(NamedTuple):
    """One location report: 1e-7 degree (the wire carries 1e-6), 0.1 km/h, degrees, metres, 0.1 km (-1: no odometer)."""

    fix_time_ms: int
    longitude_e7: int
    latitude_e7: int
    speed_01kmh: int
    heading_deg: int
    altitude_m: int
    alarm_word: int
    status_word: int
    odometer_01km: int = -1


class Identity(NamedTuple):
    """What a terminal says of itself. `edition`: 2011, 2013 or 2019."""

    phone: str
    plate: str
    plate_colour: int
    edition: int = 2013
    region_code: str = "430100"


@dataclass(frozen=True, slots=True)
class Message:
    """What the platform has said."""

    message_id: int
    serial: int
    body: bytes


def frame(
    identity: Identity, message_id: int, serial: int, body: bytes, *, part: tuple[int, int] | None = None
) -> bytes:
    """One escaped frame with its delimiters. `part`: (how many parts, index from 1) of a sub-packaged message."""
    properties = len(body) | (0x2000 if part else 0) | (0x4000 if identity.edition == 2019 else 0)
    package = struct.pack(">HH", *part) if part else b""
    phone = _phone_field(identity.phone, identity.edition)
    return enclosed(struct.pack(">HH", message_id, properties) + phone + struct.pack(">H", serial) + package + body)


def enclosed(content: bytes) -> bytes:
    """Header and body with check byte, escapes and delimiters."""
    checked = content + bytes((reduce(xor, content),))
    return b"\x7e" + checked.replace(b"\x7d", b"\x7d\x01").replace(b"\x7e", b"\x7d\x02") + b"\x7e"


def register_body(identity: Identity) -> bytes:
    """Body of 0x0100 in the terminal's edition."""
    maker, model, number = {2011: (5, 8, 7), 2013: (5, 20, 7), 2019: (11, 30, 30)}[identity.edition]
    region = int(identity.region_code)
    fields = (
        b"XTSIM".ljust(maker, b"\0"),
        b"SIM-1".ljust(model, b"\0"),
        identity.phone[-7:].encode().ljust(number, b"\0"),
    )
    plate = identity.plate.encode("gbk") + (b"\0" if identity.edition == 2011 else b"")
    return (
        struct.pack(">HH", region // 10000, region % 10000) + b"".join(fields) + bytes((identity.plate_colour,)) + plate
    )


def authenticate_body(identity: Identity, code: str) -> bytes:
    """Body of 0x0102 in the terminal's edition."""
    raw = code.encode("gbk")
    if identity.edition != 2019:
        return raw
    return bytes((len(raw),)) + raw + identity.phone.rjust(15, "0")[-15:].encode() + b"SIM1".ljust(20, b"\0")


def location_body(fix: Fix) -> bytes:
    """Body of 0x0200: the base block, then odometer, recorder speed, signal strength and satellites."""
    hemispheres = (STATUS_SOUTH if fix.latitude_e7 < 0 else 0) | (STATUS_WEST if fix.longitude_e7 < 0 else 0)
    base = struct.pack(
        ">IIIIhHH",
        fix.alarm_word & 0xFFFFFFFF,
        fix.status_word & 0xFFFFFFFF & ~_SOUTH_WEST | hemispheres,
        _degrees_e6(fix.latitude_e7),
        _degrees_e6(fix.longitude_e7),
        fix.altitude_m,
        fix.speed_01kmh,
        fix.heading_deg,
    )
    odometer = b"" if fix.odometer_01km < 0 else struct.pack(">BBI", 0x01, 4, fix.odometer_01km)
    recorder = struct.pack(">BBH", 0x03, 2, fix.speed_01kmh)
    return base + bcd_time(fix.fix_time_ms) + odometer + recorder + b"\x30\x01\x1f\x31\x01\x0e"


def batch_body(fixes: Sequence[Fix], kind: int) -> bytes:
    """Body of 0x0704 with up to BATCH_FIXES_MAX fixes."""
    assert 0 < len(fixes) <= BATCH_FIXES_MAX
    bodies = [location_body(fix) for fix in fixes]
    items = b"".join(struct.pack(">H", len(body)) + body for body in bodies)
    return struct.pack(">HB", len(fixes), kind) + items


@lru_cache(maxsize=4096)
def bcd_time(instant_ms: int) -> bytes:
    """Six BCD bytes YYMMDDhhmmss in GMT+8, whole seconds."""
    return bytes.fromhex(datetime.fromtimestamp(instant_ms // 1000, SHANGHAI).strftime("%y%m%d%H%M%S"))


class FrameReader:
    """Cuts what the platform sends into messages. Frames with a wrong check are counted and dropped."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self.damaged_count = 0

    def feed(self, received: bytes) -> list[Message]:
        """The complete messages in what has arrived so far."""
        self._buffer += received
        *complete, rest = self._buffer.split(b"\x7e")
        self._buffer = bytearray(rest)
        if len(rest) > BUFFER_BYTES_MAX:
            raise ValueError("the peer does not send frames; is this the address of the access role?")
        return [message for piece in complete if piece and (message := self._message(bytes(piece)))]

    def _message(self, piece: bytes) -> Message | None:
        content = piece.replace(b"\x7d\x02", b"\x7e").replace(b"\x7d\x01", b"\x7d")
        if len(content) < 13 or reduce(xor, content) != 0:
            self.damaged_count += 1
            return None
        message_id, properties = struct.unpack_from(">HH", content)
        serial_at = 15 if properties & 0x4000 else 10
        body_at = serial_at + (6 if properties & 0x2000 else 2)
        serial = int.from_bytes(content[serial_at : serial_at + 2], "big")
        return Message(message_id, serial, content[body_at:-1])


def general_answer(body: bytes) -> tuple[int, int, int]:
    """Answered serial, answered message id and result of 0x8001."""
    serial, message_id, result = struct.unpack_from(">HHB", body)
    return serial, message_id, result


def register_answer(body: bytes) -> tuple[int, int, str]:
    """Answered serial, result and authentication code of 0x8100."""
    serial, result = struct.unpack_from(">HB", body)
    return serial, result, body[3:].decode("gbk").rstrip("\0")


def resend_parts(body: bytes) -> tuple[int, tuple[int, ...]]:
    """First serial and wanted part indexes of 0x8003, with a count of one byte (2013) or two (2019)."""
    (serial,) = struct.unpack_from(">H", body)
    start = 3 if len(body) == 3 + 2 * body[2] else 4
    return serial, struct.unpack(f">{(len(body) - start) // 2}H", body[start:])


@lru_cache(maxsize=65536)
def _phone_field(phone: str, edition: int) -> bytes:
    revision = "01" if edition == 2019 else ""  # the first revision of the edition that has this byte
    return bytes.fromhex(revision + phone.rjust(20 if edition == 2019 else 12, "0"))


def _degrees_e6(degrees_e7: int) -> int:
    return (abs(degrees_e7) + 5) // 10
