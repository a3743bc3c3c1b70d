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
_ENCRYPTION_BITS, _PART_BIT, _LENGTH_BITS = 0x1C00, 0x2000, 0x3FF


@numba.njit(cache=True, nogil=True)
def decode(
    stream: Octets,
    words: NDArray[np.uint64],
    link_ends: NDArray[np.int64],
    opened: NDArray[np.bool_],
    marks: NDArray[np.int32],
    content: Octets,
    frames: Any,
    locations: Any,
    rejections: Any,
    rest_starts: NDArray[np.int64],
) -> tuple[int, int, int, int]:
    """Fill the tables; returns how many rows of frames, locations and rejections, and complete frames seen."""
    counts = np.zeros(4, np.int64)
    mark_count = _marked(stream, words, marks)
    used, begin, mark = 0, 0, 0
    for link in range(len(link_ends)):
        end, at, escape = link_ends[link], begin, mark  # marks from `escape` to `mark` are escapes of this frame
        while mark < mark_count and marks[mark] < end:
            stop = marks[mark]
            if stream[stop] == DELIMITER:
                if opened[link] and stop > at:
                    counts[3] += 1
                    written, flaw = _unescaped(stream, at, stop, marks[escape:mark], content, used)
                    used = _frame(stop, at, link, written, flaw, content, frames, locations, rejections, counts, used)
                opened[link] = True  # what stands before the first delimiter was never a frame
                at, escape = stop + 1, mark + 1
            mark += 1
        rest_starts[link] = max(at, end - _FRAME_BYTES_MAX - 1) if opened[link] else end  # no rest grows without end
        begin = end
    return counts[0], counts[1], counts[2], counts[3]


@numba.njit(cache=True, nogil=True)
def decode_bodies(
    content: Octets,
    rows: NDArray[np.int64],
    starts: NDArray[np.int64],
    ends: NDArray[np.int64],
    frames: Any,
    locations: Any,
    rejections: Any,
) -> tuple[int, int]:
    """Decode bodies put together from parts, as those of the frames `rows`; returns rows of locations, rejections."""
    counts = np.zeros(4, np.int64)
    for index in range(len(rows)):
        row = rows[index]
        frames[row].first_location = counts[1]
        _body(content, starts[index], ends[index], row, frames, locations, rejections, counts)
        frames[row].location_count = counts[1] - frames[row].first_location
    return counts[1], counts[2]


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
    stream: Octets, at: int, stop: int, escapes: NDArray[np.int32], content: Octets, used: int
) -> tuple[int, int]:
    """Copy a frame without its escapes. Returns bytes written, and 0 or a reason."""
    if stop - at > _FRAME_BYTES_MAX:
        return 0, _TOO_LONG
    start = used
    for index in range(len(escapes)):
        escape = escapes[index]
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


@numba.njit(cache=True, nogil=True, inline="always")
def _frame(
    stop: int,
    at: int,
    link: int,
    written: int,
    flaw: int,
    content: Octets,
    frames: Any,
    locations: Any,
    rejections: Any,
    counts: NDArray[np.int64],
    used: int,
) -> int:
    """Add one frame, or why it is none. Returns how much of `content` is in use then."""
    row = counts[0]
    if flaw == 0:
        flaw = _header(content, used, written, frames, row)
    if flaw != 0:
        _reject(rejections, counts, at, stop - at, link, flaw)
        return used
    frame = frames[row]
    frame.link = link
    frame.offset = at
    counts[0] += 1
    frame.first_location = counts[1]
    if frame.properties & _ENCRYPTION_BITS:
        frame.reason = _ENCRYPTED
        _reject(rejections, counts, at, stop - at, link, _ENCRYPTED)
    elif frame.properties & _PART_BIT:
        if frame.part_index < 1 or frame.part_index > frame.part_count:
            frame.reason = _PART_INDEX
            _reject(rejections, counts, at, stop - at, link, _PART_INDEX)
    else:
        _body(
            content, frame.body_start, frame.body_start + frame.body_length, row, frames, locations, rejections, counts
        )
    frame.location_count = counts[1] - frame.first_location
    return used + written


@numba.njit(cache=True, nogil=True)
def _header(content: Octets, start: int, written: int, frames: Any, row: int) -> int:
    """Read the header into frames[row]; 0 or a reason. Which edition it is, the lengths say: bit 14 may lie."""
    if written < _SHORTEST:
        return _SHORT
    if _checked(content, start, written) != 0:
        return _CHECKSUM
    properties = np.int64(content[start + 2]) << 8 | content[start + 3]
    part_bytes = 4 if properties & _PART_BIT else 0
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
def _body(
    content: Octets,
    start: int,
    end: int,
    row: int,
    frames: Any,
    locations: Any,
    rejections: Any,
    counts: NDArray[np.int64],
) -> None:
    """Add the locations of a message that carries some."""
    frame = frames[row]
    message_id = frame.message_id
    flaw = 0
    if message_id == 0x0200:
        flaw = location(content, start, end, row, locations, counts[1])
        counts[1] += flaw == 0
    elif message_id == 0x0201:
        flaw = location(content, located_answer(content, start, end), end, row, locations, counts[1])
        counts[1] += flaw == 0
    elif message_id == 0x0704:
        before, rejected = counts[1], counts[2]
        flaw = batch(content, start, end, row, frames, locations, rejections, counts)
        if flaw == 0 and counts[1] == before and counts[2] > rejected:
            frame.reason = rejections[rejected].reason  # each of its items was rejected by itself
    if flaw != NOTHING:
        frame.reason = flaw
        _reject(rejections, counts, frame.offset, end - start, frame.link, flaw)


@numba.njit(cache=True, nogil=True, inline="always")
def _reject(rejections: Any, counts: NDArray[np.int64], at: int, length: int, link: int, reason: int) -> None:
    rejection = rejections[counts[2]]
    rejection.offset = at
    rejection.length = length
    rejection.link = link
    rejection.reason = reason
    counts[2] += 1
