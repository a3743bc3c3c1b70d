"""What was wrong with a frame, and where, in words; for people who debug a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import reduce
from operator import xor
from typing import NamedTuple

import numpy as np

from services.vehicle_tracking.terminals.jt808.columns import FRAME_BYTES_MAX, LOCATION, Decoded, Reason
from services.vehicle_tracking.terminals.jt808.kernel_location import BASE_BYTES, NOTHING, located_answer, location

_BATCH, _LOCATED_ANSWER = 0x0704, 0x0201
_BATCH_BYTES_MIN = 3


class Explanation(NamedTuple):
    """`offset`: of the byte that is wrong, from the first byte behind the opening delimiter (escaped bytes for the
    reasons found before the escapes were undone, else unescaped ones)."""

    reason: Reason
    offset: int
    words: str


def explained(decoded: Decoded, rejection: int, stream: bytes) -> Explanation:
    """Why row `rejection` was rejected. `stream`: what was decoded."""
    row = decoded.rejections[rejection]
    reason, start = Reason(int(row["reason"])), int(row["offset"])
    body = _body_of(decoded, start)
    if body is None:
        end = start + int(row["length"])
        return Explanation(reason, *_FRAME_WORDS[reason](stream[start:end]))
    if body.message_id == _BATCH and len(body.octets) >= _BATCH_BYTES_MIN:
        return _batch_explained(decoded, rejection, body)
    return Explanation(reason, *_BODY_WORDS[reason](body))


class _Body(NamedTuple):
    message_id: int
    header_bytes: int
    octets: bytes
    part: tuple[int, int]

    @property
    def location_start(self) -> int:
        if self.message_id != _LOCATED_ANSWER:
            return 0
        padded = np.frombuffer(self.octets + bytes(BASE_BYTES + 2), np.uint8)
        return located_answer(padded, 0, len(self.octets))


def _body_of(decoded: Decoded, offset: int) -> _Body | None:
    """The body of the frame that begins there; None when its header was of no use."""
    rows = np.flatnonzero(decoded.frames["offset"] == offset)
    if not len(rows):
        return None
    frame = decoded.frames[rows[0]]
    header_bytes = int(frame["body_start"]) - int(frame["header_start"])
    part = (int(frame["part_index"]), int(frame["part_count"]))
    return _Body(int(frame["message_id"]), header_bytes, decoded.body(int(rows[0])), part)


def _short(raw: bytes) -> tuple[int, str]:
    return len(raw), f"{len(unescaped(raw))} bytes, but header and check byte alone take 13 帧过短"


def _too_long(raw: bytes) -> tuple[int, str]:
    return FRAME_BYTES_MAX, f"{len(raw)} bytes without a delimiter; the longest frame has {FRAME_BYTES_MAX} 帧过长"


def _escape(raw: bytes) -> tuple[int, str]:
    at = next(at for at in _escapes(raw) if raw[at + 1 : at + 2] not in (b"\x01", b"\x02"))
    after = f"{raw[at + 1]:02x}" if at + 1 < len(raw) else "the end of the frame"
    return at, f"7d is followed by {after}, where only 01 and 02 may stand 转义错误"


def _checksum(raw: bytes) -> tuple[int, str]:
    octets = unescaped(raw)
    found, right = octets[-1], reduce(xor, octets[:-1])
    return len(octets) - 1, f"the check byte is {found:02x}, header and body give {right:02x} 校验码错误"


def _length_mismatch(raw: bytes) -> tuple[int, str]:
    octets = unescaped(raw)
    properties = int.from_bytes(octets[2:4], "big")
    body, part = properties & 0x3FF, 4 if properties & 0x2000 else 0
    wanted = " or ".join(f"{head + part + body + 1} ({edition})" for head, edition in ((12, "2011/2013"), (17, "2019")))
    return 2, f"the header tells of {body} bytes of body, so {wanted} bytes in all; {len(octets)} came 长度不符"


def _phone(raw: bytes) -> tuple[int, str]:
    octets = unescaped(raw)
    properties = int.from_bytes(octets[2:4], "big")
    is_2019 = len(octets) - 1 - (properties & 0x3FF) - (4 if properties & 0x2000 else 0) == 17
    start, size = (5, 10) if is_2019 else (4, 6)
    digits = octets[start : start + size].hex()
    wrong = next((at for at, digit in enumerate(digits) if not digit.isdecimal()), 0)
    return start + wrong // 2, f"the phone {digits} is no decimal number of at most 18 digits 终端手机号错误"


_FRAME_WORDS: dict[Reason, Callable[[bytes], tuple[int, str]]] = {
    Reason.SHORT: _short,
    Reason.TOO_LONG: _too_long,
    Reason.ESCAPE: _escape,
    Reason.CHECKSUM: _checksum,
    Reason.LENGTH_MISMATCH: _length_mismatch,
    Reason.PHONE: _phone,
}


def _encrypted(_: _Body) -> tuple[int, str]:
    return 2, "bits 10 to 12 of the body properties say that the body is encrypted 消息体加密，不支持"


def _part_index(body: _Body) -> tuple[int, str]:
    index, count = body.part
    return body.header_bytes - 2, f"part {index} of {count} 分包序号错误"


def _body_short(body: _Body) -> tuple[int, str]:
    needed = _BATCH_BYTES_MIN if body.message_id == _BATCH else BASE_BYTES + body.location_start
    return body.header_bytes + len(body.octets), f"{len(body.octets)} bytes of body, {needed} are needed 消息体过短"


def _bcd_time(body: _Body) -> tuple[int, str]:
    at = body.location_start + 22
    digits = body.octets[at : at + 6].hex()
    return body.header_bytes + at, f"{digits} is no time YYMMDDhhmmss 定位时间错误"


def _coordinate(body: _Body) -> tuple[int, str]:
    at = body.location_start + 8
    latitude, longitude = (int.from_bytes(body.octets[k : k + 4], "big") / 1e6 for k in (at, at + 4))
    return body.header_bytes + at, f"latitude {latitude}, longitude {longitude} are on no globe 经纬度超出范围"


_BODY_WORDS: dict[Reason, Callable[[_Body], tuple[int, str]]] = {
    Reason.ENCRYPTED: _encrypted,
    Reason.PART_INDEX: _part_index,
    Reason.BODY_SHORT: _body_short,
    Reason.BCD_TIME: _bcd_time,
    Reason.COORDINATE: _coordinate,
}


def _batch_explained(decoded: Decoded, rejection: int, body: _Body) -> Explanation:
    """Which item of a batch it was: the rejections of a frame stand in the order of its items."""
    reason, offset = Reason(int(decoded.rejections[rejection]["reason"])), decoded.rejections[rejection]["offset"]
    if reason in (Reason.ENCRYPTED, Reason.PART_INDEX):
        return Explanation(reason, *_BODY_WORDS[reason](body))
    earlier = int(np.count_nonzero(decoded.rejections["offset"][:rejection] == offset))
    flawed = [item for item in _items(body.octets) if item.flaw]
    item = flawed[earlier]
    if item.flaw == Reason.BATCH_ITEM:
        count = int.from_bytes(body.octets[:2], "big")
        words = f"item {item.number} of {count} runs past the end of the body 批量数据项超出消息体"
        return Explanation(reason, body.header_bytes + item.start, words)
    alone = _Body(0x0200, body.header_bytes + item.start, item.octets, (0, 0))
    at, words = _BODY_WORDS[reason](alone)
    return Explanation(reason, at, f"item {item.number}: {words}")


class _Item(NamedTuple):
    number: int
    start: int
    octets: bytes
    flaw: int


def _items(octets: bytes) -> Iterator[_Item]:
    """The items of a batch, each with what is wrong with it by the live decoder."""
    at, scratch = _BATCH_BYTES_MIN, np.zeros(1, LOCATION)
    content = np.frombuffer(octets, np.uint8)
    for number in range(1, int.from_bytes(octets[:2], "big") + 1):
        size = int.from_bytes(octets[at : at + 2], "big")
        if at + 2 > len(octets) or at + 2 + size > len(octets):
            yield _Item(number, at, b"", Reason.BATCH_ITEM)
            return
        flaw = location(content, at + 2, at + 2 + size, 0, scratch, 0)
        yield _Item(number, at + 2, octets[at + 2 : at + 2 + size], flaw if flaw != NOTHING else 0)
        at += 2 + size


def unescaped(raw: bytes) -> bytes:
    """A frame without its escapes, which are right."""
    return raw.replace(b"\x7d\x02", b"\x7e").replace(b"\x7d\x01", b"\x7d")


def _escapes(raw: bytes) -> Iterator[int]:
    at = raw.find(0x7D)
    while at >= 0:
        yield at
        at = raw.find(0x7D, at + 2)
