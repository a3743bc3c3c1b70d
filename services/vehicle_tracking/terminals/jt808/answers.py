"""What the platform says: frames for one terminal, or the general answers 0x8001 to all frames of a tick at once.

Contract. Whom a frame goes to is a `Peer`: the phone and the edition of the header that the terminal writes (2011 and
2013 share one). The caller counts serial numbers per link, from 0, and passes the next one. Everything returned is
escaped, checked and delimited. `general_answers` takes rows of `Decoded.frames`, results and serials side by side, and
gives one `bytes` with the end of each answer; rows of one link stand beside each other, so its answers are one slice.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import reduce
from operator import xor
from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from services.vehicle_tracking.terminals.jt808.columns import Table

GENERAL_ANSWER, REGISTER_ANSWER, RESEND_PARTS = 0x8001, 0x8100, 0x8003
NO_ANSWER = -1
OK, FAILED, BAD_MESSAGE, UNSUPPORTED, ALARM_CONFIRMED = range(5)  # results of a general answer
REGISTERED, VEHICLE_TAKEN, NO_SUCH_VEHICLE, TERMINAL_TAKEN, NO_SUCH_TERMINAL = range(5)  # of a register answer
BODY_BYTES_MAX = 1023  # ten bits of the header
RESENT_PARTS_MAX = 255  # 2013 counts them in one byte

_IS_2019 = 0x4000
_ANSWER_BYTES_MAX = 2 * (17 + 5 + 1) + 2


class Peer(NamedTuple):
    """Whom a frame goes to. `version`: the protocol version byte of the terminal's 2019 header."""

    phone: int
    is_2019: bool
    version: int


class Answers(NamedTuple):
    """Answers behind each other. `ends`: (n,) where each ends; an answer that is not given has no bytes."""

    octets: bytes
    ends: NDArray[np.int64]


def peer(frame: Any) -> Peer:
    """Who sent a row of the frames."""
    return Peer(int(frame["phone"]), bool(frame["is_2019"]), int(frame["version"]))


def general_answers(frames: Table, results: NDArray[np.int8], serials: NDArray[np.uint16]) -> Answers:
    """An 0x8001 for each row of `frames`. `results`: (n,) OK and so on, or NO_ANSWER. `serials`: (n,) of the answers.

    A serial stands for NO_ANSWER too, so that the caller decides whether it is spent."""
    out = np.empty(len(frames) * _ANSWER_BYTES_MAX, np.uint8)
    ends = np.empty(len(frames), np.int64)
    used = _write_answers(frames, results, serials, out, ends)
    return Answers(out[:used].tobytes(), ends)


def general_answer(to: Peer, *, serial: int, answered_serial: int, answered_id: int, result: int) -> bytes:
    """One 0x8001."""
    return message(to, GENERAL_ANSWER, serial, struct.pack(">HHB", answered_serial, answered_id, result))


def register_answer(to: Peer, *, serial: int, answered_serial: int, result: int, auth_code: str = "") -> bytes:
    """An 0x8100; the code goes with REGISTERED only."""
    code = auth_code.encode("gbk") if result == REGISTERED else b""
    return message(to, REGISTER_ANSWER, serial, struct.pack(">HB", answered_serial, result) + code)


def resend_parts(to: Peer, *, serial: int, first_serial: int, part_indexes: Sequence[int]) -> bytes:
    """An 0x8003 that asks for parts again. `first_serial`: the serial number of the message's first part."""
    assert 0 < len(part_indexes) <= RESENT_PARTS_MAX
    count = struct.pack(">H" if to.is_2019 else ">B", len(part_indexes))
    indexes = struct.pack(f">{len(part_indexes)}H", *part_indexes)
    return message(to, RESEND_PARTS, serial, struct.pack(">H", first_serial) + count + indexes)


def message(to: Peer, message_id: int, serial: int, body: bytes) -> bytes:
    """A frame of any kind, up to 1023 bytes of body."""
    assert len(body) <= BODY_BYTES_MAX
    properties = len(body) | (_IS_2019 if to.is_2019 else 0)
    phone = bytes((to.version,)) + bytes.fromhex(f"{to.phone:020}") if to.is_2019 else bytes.fromhex(f"{to.phone:012}")
    return enclosed(struct.pack(">HH", message_id, properties) + phone + struct.pack(">H", serial) + body)


def enclosed(content: bytes) -> bytes:
    """Header and body with check byte, escapes and delimiters."""
    checked = content + bytes((reduce(xor, content),))
    return b"\x7e" + checked.replace(b"\x7d", b"\x7d\x01").replace(b"\x7e", b"\x7d\x02") + b"\x7e"


@numba.njit(cache=True, nogil=True)
def _write_answers(
    frames: Any,
    results: NDArray[np.int8],
    serials: NDArray[np.uint16],
    out: NDArray[np.uint8],
    ends: NDArray[np.int64],
) -> int:
    """Write the answers into `out`; returns the bytes used."""
    content = np.zeros(23, np.uint8)
    used = 0
    for row in range(len(frames)):
        if results[row] >= 0:
            length = _answer(frames[row], results[row], int(serials[row]), content)
            used = _escaped(content, length, out, used)
        ends[row] = used
    return used


@numba.njit(cache=True, nogil=True, inline="always")
def _answer(frame: Any, result: int, serial: int, content: NDArray[np.uint8]) -> int:
    """Header and body of one answer; returns their length."""
    content[0], content[1], content[2], content[3] = 0x80, 0x01, 0x40 if frame.is_2019 else 0, 5
    after = 15 if frame.is_2019 else 10
    if frame.is_2019:
        content[4] = frame.version
    phone, at = frame.phone, after
    while at > (5 if frame.is_2019 else 4):
        at -= 1
        pair = phone % 100
        content[at] = pair // 10 << 4 | pair % 10
        phone //= 100
    content[after], content[after + 1] = serial >> 8, serial & 0xFF
    content[after + 2], content[after + 3] = frame.serial >> 8, frame.serial & 0xFF
    content[after + 4], content[after + 5] = frame.message_id >> 8, frame.message_id & 0xFF
    content[after + 6] = result
    return after + 7


@numba.njit(cache=True, nogil=True, inline="always")
def _escaped(content: NDArray[np.uint8], length: int, out: NDArray[np.uint8], used: int) -> int:
    """Add a frame with check byte, escapes and delimiters; returns the bytes used then."""
    check = np.uint8(0)
    for k in range(length):
        check ^= content[k]
    content[length] = check
    out[used] = 0x7E
    used += 1
    for k in range(length + 1):
        octet = content[k]
        if octet == 0x7D or octet == 0x7E:
            out[used], out[used + 1] = 0x7D, octet - 0x7C
            used += 2
        else:
            out[used] = octet
            used += 1
    out[used] = 0x7E
    return used + 1
