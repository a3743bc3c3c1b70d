"""The compiled pass: delimiters, escapes, checksum, header, body, items, once over the bytes of many links."""
# numba compiles these functions: loops over rows and bytes are what they are for.

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from services.vehicle_tracking.terminals.jt808.columns import FRAME_BYTES_MAX, NO_VERSION, Reason
from services.vehicle_tracking.terminals.jt808.kernel_location import NOTHING, batch, located_answer, location

Octets = NDArray[np.uint8]

DELIMITER, ESCAPE = 0x7E, 0x7D
_DELIMITERS, _ESCAPES = np.uint64(0x7E7E7E7E7E7E7E7E), np.uint64(0x7D7D7D7D7D7D7D7D)
_ONES, _HIGH_BITS = np.uint64(0x0101010101010101), np.uint64(0x8080808080808080)
_FRAME_BYTES_MAX = FRAME_BYTES_MAX
_NO_VERSION = NO_VERSION
_SHORT, _TOO_LONG, _ESCAPE = int(Reason.SHORT), int(Reason.TOO_LONG), int(Reason.ESCAPE)
_CHECKSUM, _LENGTH_MISMATCH, _PHONE = int(Reason.CHECKSUM), int(Reason.LENGTH_MISMATCH), int(Reason.PHONE)
_ENCRYPTED, _PART_INDEX = int(Reason.ENCRYPTED), int(Reason.PART_INDEX)
_SHORTEST = 13  # header of 2013 and the check byte
_LOCATION, _LOCATION_ANSWER, _BATCH = 0x0200, 0x0201, 0x0704
ENCRYPTION_BITS, PART_BIT, _LENGTH_BITS = 0x1C00, 0x2000, 0x3FF


@numba.njit(cache=True, nogil=True)
def split(
    stream: Octets,
    words: NDArray[np.uint64],
    link_ends: NDArray[np.int64],
    opened: NDArray[np.bool_],
    marks: NDArray[np.int32],
    content: Octets,
    frames: Any,
    rejections: Any,
    rest_starts: NDArray[np.int64],
) -> tuple[int, int, int]:
    """Fill the frames up to their headers; returns how many rows of frames and rejections, and complete frames seen."""
    frame_count, rejection_count, seen = 0, 0, 0
    mark_count = _marked(stream, words, marks)
    used, begin, mark = 0, 0, 0
    for link in range(len(link_ends)):
        end, at, escape = link_ends[link], begin, mark  # marks from `escape` to `mark` are escapes of this frame
        while mark < mark_count and marks[mark] < end:
            stop = marks[mark]
            if stream[stop] == DELIMITER:
                if opened[link] and stop > at:
                    seen += 1
                    written, flaw = _unescaped(stream, at, stop, marks, escape, mark, content, used)
                    if flaw == NOTHING:
                        flaw = _header(content, used, written, frames, frame_count)
                    if flaw == NOTHING:
                        frames[frame_count].link, frames[frame_count].offset = link, at
                        frame_count += 1
                        used += written
                    else:
                        _reject(rejections[rejection_count], at, stop - at, link, flaw)
                        rejection_count += 1
                opened[link] = True  # what stands before the first delimiter was never a frame
                at, escape = stop + 1, mark + 1
            mark += 1
        rest_starts[link] = max(at, end - _FRAME_BYTES_MAX - 1) if opened[link] else end  # no rest grows without end
        begin = end
    return frame_count, rejection_count, seen


@numba.njit(cache=True, nogil=True)
def locate(content: Octets, frames: Any, locations: Any, rejections: Any, rejection_count: int) -> tuple[int, int]:
    """Add the locations of all frames; returns how many rows of locations and rejections there are then."""
    # A pass of its own, with one call of `location`: compiled together with the splitting it takes half as long again.
    location_count = 0
    for row in range(len(frames)):
        frame = frames[row]
        frame.first_location = location_count
        flaw = NOTHING
        start, end = int(frame.body_start), int(frame.body_start + frame.body_length)
        if frame.properties & ENCRYPTION_BITS:
            flaw = _ENCRYPTED
        elif frame.properties & PART_BIT:
            if frame.part_index < 1 or frame.part_index > frame.part_count:
                flaw = _PART_INDEX
        elif frame.message_id == _LOCATION or frame.message_id == _LOCATION_ANSWER:
            if frame.message_id == _LOCATION_ANSWER:
                start = located_answer(content, start, end)
            flaw = location(content, start, end, row, locations, location_count)
            location_count += flaw == NOTHING
        elif frame.message_id == _BATCH:
            location_count, rejection_count, flaw = batch(
                content, frame, row, locations, location_count, rejections, rejection_count
            )
        if flaw != NOTHING:
            frame.reason = flaw
            _reject(rejections[rejection_count], frame.offset, end - start, frame.link, flaw)
            rejection_count += 1
        frame.location_count = location_count - frame.first_location
    return location_count, rejection_count


@numba.njit(cache=True, nogil=True)
def _marked(stream: Octets, words: NDArray[np.uint64], marks: NDArray[np.int32]) -> int:
    """Where every delimiter and escape stands. Returns how many. `words`: the stream, eight bytes each."""
    count = 0
    for index in range(len(words)):
        word = words[index]
        delimiters, escapes = word ^ _DELIMITERS, word ^ _ESCAPES
        zeros = (delimiters - _ONES) & ~delimiters | (escapes - _ONES) & ~escapes
        if zeros & _HIGH_BITS:  # some byte is one of the two
            for at in range(index * 8, index * 8 + 8):
                marks[count] = at
                count += stream[at] in (DELIMITER, ESCAPE)
    for at in range(len(words) * 8, len(stream)):
        marks[count] = at
        count += stream[at] in (DELIMITER, ESCAPE)
    return count


@numba.njit(cache=True, nogil=True)
def _unescaped(
    stream: Octets, at: int, stop: int, marks: NDArray[np.int32], first: int, last: int, content: Octets, used: int
) -> tuple[int, int]:
    """Copy a frame without its escapes, marks `first` to `last`. Returns bytes written, and 0 or a reason."""
    if stop - at > _FRAME_BYTES_MAX:
        return 0, _TOO_LONG
    start = used
    for index in range(first, last):
        escape = marks[index]
        if escape < at or escape + 1 == stop or stream[escape + 1] - 1 > 1 or stream[escape + 1] == 0:
            return 0, _ESCAPE
        _copy(stream, at, escape - at, content, used)
        used += escape - at
        content[used] = stream[escape + 1] + ESCAPE - 1
        used += 1
        at = escape + 2
    _copy(stream, at, stop - at, content, used)
    return used + stop - at - start, 0


@numba.njit(cache=True, nogil=True, inline="always")
def _copy(stream: Octets, at: int, count: int, content: Octets, used: int) -> None:
    source, target = np.uint64(at), np.uint64(used)  # unsigned: no test for negative indices, so vector code
    for k in range(np.uint64(count)):
        content[target + k] = stream[source + k]


@numba.njit(cache=True, nogil=True, inline="always")
def _checked(content: Octets, at: int, count: int) -> np.uint8:
    start, check = np.uint64(at), np.uint8(0)
    for k in range(np.uint64(count)):
        check ^= content[start + k]
    return check


@numba.njit(cache=True, nogil=True)
def _header(content: Octets, start: int, written: int, frames: Any, row: int) -> int:
    """Read the header into frames[row]; 0 or a reason. Which edition it is, the lengths say: bit 14 may lie."""
    if written < _SHORTEST:
        return _SHORT
    if _checked(content, start, written) != 0:
        return _CHECKSUM
    properties = np.int64(content[start + 2]) << 8 | content[start + 3]
    part_bytes = 4 if properties & PART_BIT else 0
    header_bytes = written - 1 - (properties & _LENGTH_BITS) - part_bytes
    if header_bytes != 12 and header_bytes != 17:
        return _LENGTH_MISMATCH
    is_2019 = header_bytes == 17
    at = start + 5 if is_2019 else start + 4
    after = start + header_bytes - 2
    if is_2019 and content[at] != 0:  # 20 digits do not fit in 64 bits, and no numbering plan has them
        return _PHONE
    phone = np.int64(0)
    for k in range(at, after):
        high, low = np.int64(content[k] >> 4), np.int64(content[k] & 15)
        if high > 9 or low > 9:
            return _PHONE
        phone = phone * 100 + high * 10 + low
    frame = frames[row]
    frame.phone = phone
    frame.header_start = start
    frame.body_start = start + header_bytes + part_bytes
    frame.body_length = properties & _LENGTH_BITS
    frame.message_id = np.int64(content[start]) << 8 | content[start + 1]
    frame.properties = properties
    frame.serial = np.int64(content[after]) << 8 | content[after + 1]
    frame.version = content[start + 4] if is_2019 else _NO_VERSION
    frame.is_2019 = is_2019
    frame.reason = 0
    frame.part_count = np.int64(content[after + 2]) << 8 | content[after + 3] if part_bytes else 0
    frame.part_index = np.int64(content[after + 4]) << 8 | content[after + 5] if part_bytes else 0
    return 0


@numba.njit(cache=True, nogil=True, inline="always")
def _reject(rejection: Any, offset: int, length: int, link: int, reason: int) -> None:
    rejection.offset = offset
    rejection.length = length
    rejection.link = link
    rejection.reason = reason
