"""Bytes of many links to frames and locations: one call decodes all that arrived in a tick."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from services.vehicle_tracking.terminals.jt808 import kernel
from services.vehicle_tracking.terminals.jt808.columns import FRAME, LOCATION, PADDING_BYTES, REJECTION, Decoded

_FRAME_BYTES_MIN = 14  # header of 2013, check byte, one delimiter
_LOCATION_BYTES_MIN = 30  # an item of a batch


class Room:
    """Memory that one decoder uses again and again: fresh pages cost as much as the decoding itself."""

    def __init__(self) -> None:
        self.marks = np.empty(0, np.int32)
        self.content = np.empty(0, np.uint8)
        self.frames = np.empty(0, FRAME)
        self.locations = np.zeros(0, LOCATION)
        self.rejections = np.empty(0, REJECTION)
        self._locations_used = 0

    def prepare(self, octet_count: int, link_count: int) -> None:
        """Make room for the worst that so many bytes can hold; whatever locations held before is wiped."""
        if octet_count >= len(self.marks):
            self.marks = np.empty(octet_count + 1, np.int32)
            self.content = np.empty(octet_count + PADDING_BYTES, np.uint8)
        more = link_count + 1  # each link may begin in the middle of a frame
        if len(self.frames) < octet_count // _FRAME_BYTES_MIN + more:
            self.frames = np.empty(octet_count // _FRAME_BYTES_MIN + more, FRAME)
        if len(self.rejections) < octet_count // 2 + more:
            self.rejections = np.empty(octet_count // 2 + more, REJECTION)
        if len(self.locations) < octet_count // _LOCATION_BYTES_MIN + more:
            self.locations = np.zeros(octet_count // _LOCATION_BYTES_MIN + more, LOCATION)
        else:
            self.locations[: self._locations_used].view(np.uint8)[:] = 0
        self._locations_used = 0

    def used(self, location_count: int) -> None:
        """Remember how many rows are to be wiped."""
        self._locations_used = location_count


def decode(
    stream: bytes, link_ends: NDArray[np.int64], opened: NDArray[np.bool_], *, room: Room | None = None
) -> Decoded:
    """Everything in `stream`, the bytes of several links behind each other.

    `link_ends`: (m,) where each link's bytes end. `opened`: (m,) whether the link has sent a delimiter before, so that
    its bytes continue a frame; updated in place. Every stretch between two delimiters is tried as a frame, so a stray
    byte or delimiter costs one rejection and the next frame is found again. With `room`, the tables are its memory and
    hold until it is used again.
    """
    octets = np.frombuffer(stream, np.uint8)
    room = room or Room()
    room.prepare(len(octets), len(link_ends))
    rest_starts = np.empty(len(link_ends), np.int64)
    words = octets[: len(octets) // 8 * 8].view(np.uint64)
    frame_count, rejection_count, seen = kernel.split(
        octets, words, link_ends, opened, room.marks, room.content, room.frames, room.rejections, rest_starts
    )
    frames = room.frames[:frame_count]
    location_count, rejection_count = kernel.locate(
        room.content, frames, room.locations, room.rejections, rejection_count
    )
    room.used(location_count)
    return Decoded(
        frames,
        room.locations[:location_count],
        room.rejections[:rejection_count],
        room.content,
        rest_starts,
        seen,
    )


def decode_one(stream: bytes) -> Decoded:
    """Everything in the bytes of one link, from its beginning."""
    return decode(stream, np.array([len(stream)], np.int64), np.zeros(1, np.bool_))


def decode_bodies(frames: NDArray[np.void], bodies: Sequence[bytes]) -> Decoded:
    """The locations of messages put together from parts. `frames`: a row for each body, whose header it gets."""
    joined = np.frombuffer(b"".join(bodies), np.uint8)
    content = np.concatenate([joined, np.zeros(PADDING_BYTES, np.uint8)])
    ends = np.cumsum([len(body) for body in bodies], dtype=np.int64)
    starts = ends - np.array([len(body) for body in bodies], np.int64)
    rows = frames.copy()
    rows["body_start"], rows["body_length"] = starts, ends - starts
    locations = np.zeros(len(joined) // _LOCATION_BYTES_MIN + len(rows) + 1, LOCATION)
    rejections = np.empty(len(joined) // 2 + len(rows) + 1, REJECTION)
    rows["properties"] &= ~np.uint16(kernel.PART_BIT)
    location_count, rejection_count = kernel.locate(content, rows, locations, rejections, 0)
    return Decoded(
        rows, locations[:location_count], rejections[:rejection_count], content, np.zeros(0, np.int64), len(rows)
    )
