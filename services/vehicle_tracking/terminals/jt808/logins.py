"""How a terminal presents itself: the bodies of registration, authentication, heartbeat and log-out.

Contract. `registration` and `authentication` take an unescaped body and whether its header is that of 2019, and return
what it says, or None when it is too short or its text is not GBK. Heartbeat 0x0002 and log-out 0x0003 have no body; one
that is there is ignored.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

HEARTBEAT, LOG_OUT, REGISTER, AUTHENTICATE = 0x0002, 0x0003, 0x0100, 0x0102
NO_PLATE = 0  # plate colour of a vehicle without a plate; its VIN stands in the plate's place

_BODY_2011_BYTES_MAX = 36  # a plate needs 11 bytes at most, so a longer body is one of 2013
_LAYOUTS = {2011: (5, 8, 7), 2013: (5, 20, 7), 2019: (11, 30, 30)}  # bytes of maker, model, terminal number
_IMEI_BYTES, _VERSION_BYTES = 15, 20


class Registration(NamedTuple):
    """A body of 0x0100. `region_code`: six digits of GB/T 2260, or empty where the terminal does not know it."""

    edition: int
    region_code: str
    maker: str
    model: str
    terminal_number: str
    plate_colour: int
    plate: str
    vin: str


class Authentication(NamedTuple):
    """A body of 0x0102; `imei` and `software_version` are empty before 2019."""

    code: str
    imei: str = ""
    software_version: str = ""


def registration(body: bytes, *, is_2019: bool) -> Registration | None:
    """What a terminal says of itself; None when that cannot be read."""
    edition = 2019 if is_2019 else 2013 if len(body) > _BODY_2011_BYTES_MAX else 2011
    sizes = _LAYOUTS[edition]
    if len(body) < 4 + sum(sizes) + 1:
        return None
    province, city, maker, model, number, colour = struct.unpack_from(">HH{}s{}s{}sB".format(*sizes), body)
    try:
        maker, model, number, name = (_text(raw) for raw in (maker, model, number, body[4 + sum(sizes) + 1 :]))
    except UnicodeDecodeError:
        return None
    plate, vin = (name, "") if colour != NO_PLATE else ("", name)
    return Registration(edition, _region_code(province, city), maker, model, number, colour, plate, vin)


def authentication(body: bytes, *, is_2019: bool) -> Authentication | None:
    """The code that a terminal shows; None when the body cannot be read."""
    try:
        if not is_2019:
            return Authentication(_text(body))
        if not body or len(body) < 1 + body[0]:
            return None
        imei_at = 1 + body[0]
        version_at = imei_at + _IMEI_BYTES
        return Authentication(
            _text(body[1:imei_at]),
            _text(body[imei_at:version_at]),
            _text(body[version_at : version_at + _VERSION_BYTES]),
        )
    except UnicodeDecodeError:
        return None


def _region_code(province: int, city: int) -> str:
    return f"{province:02}{city:04}" if 0 < province < 100 and city < 10_000 else ""


def _text(raw: bytes) -> str:
    """GBK without the padding: makers pad on either side, with NUL or space, and leave junk behind a NUL."""
    return raw.lstrip(b"\0 ").partition(b"\0")[0].rstrip(b" ").decode("gbk")
