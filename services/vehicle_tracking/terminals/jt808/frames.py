"""Bytes of many links to frames and locations: one call decodes all that arrived in a tick."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from services.vehicle_tracking.terminals.jt808 import kernel
from services.vehicle_tracking.terminals.jt808.columns import FRAME, LOCATION, PADDING_BYTES, REJECTION, Decoded

_FRAME_BYTES_MIN = 14  # header of 2013, check byte, one delimiter
_LOCATION_BYTES_MIN = 30  # an item of a batch


def decode(stream: bytes, link_ends: NDArray[np.int64], opened: NDArray[np.bool_]) -> Decoded:
    """Everything in `stream`, the bytes of several links behind each other.

    `link_ends`: (m,) where each link's bytes end. `opened`: (m,) whether the link has sent a delimiter before, so that
    its bytes continue a frame; updated in place. Every stretch between two delimiters is tried as a frame, so a stray
    byte or delimiter costs one rejection and the next frame is found again.
    """
    octets = np.frombuffer(stream, np.uint8)
    content = np.empty(len(octets) + PADDING_BYTES, np.uint8)
    frames = np.empty(len(octets) // _FRAME_BYTES_MIN + len(link_ends) + 1, FRAME)
    locations = np.zeros(len(octets) // _LOCATION_BYTES_MIN + len(link_ends) + 1, LOCATION)
    rejections = np.empty(len(octets) // 2 + len(link_ends) + 1, REJECTION)
    rest_starts = np.empty(len(link_ends), np.int64)
    frame_count, location_count, rejection_count, seen = kernel.decode(
        octets, link_ends, opened, content, frames, locations, rejections, rest_starts
    )
    return Decoded(
        frames[:frame_count],
        locations[:location_count],
        rejections[:rejection_count],
        content,
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
    location_count, rejection_count = kernel.decode_bodies(
        content, np.arange(len(rows)), starts, ends, rows, locations, rejections
    )
    return Decoded(
        rows, locations[:location_count], rejections[:rejection_count], content, np.zeros(0, np.int64), len(rows)
    )
