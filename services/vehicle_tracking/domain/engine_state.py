"""State of the engine as tables of one row a vehicle: growing them, and writing them as bytes and back."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROWS_MORE_MIN = 256  # a new vehicle must not copy the whole table each time
_HEAD = struct.Struct("<4sIQ")  # name, version, bytes that follow


def grown(table: NDArray[Any], row_count: int, *, fill: Any = 0) -> NDArray[Any]:
    """The table with at least `row_count` rows: itself where it has them, else a copy with an eighth to spare whose
    new rows hold `fill` (one value, or a record)."""
    if row_count <= len(table):
        return table
    count = row_count + max(ROWS_MORE_MIN, row_count >> 3)
    zeros = isinstance(fill, int) and fill == 0  # then memory comes page by page as it is used, not all of it now
    more = np.zeros(count, table.dtype) if zeros else np.full(count, fill, table.dtype)
    more[: len(table)] = table
    return more


def packed(name: str, version: int, *bodies: bytes | memoryview) -> bytes:
    """Several bodies as one, under a name of four letters and a version."""
    sizes = struct.pack(f"<{len(bodies) + 1}Q", len(bodies), *(len(body) for body in bodies))
    return b"".join((_HEAD.pack(name.encode(), version, len(sizes) + sum(map(len, bodies))), sizes, *bodies))


def unpacked(name: str, version: int, wire: bytes) -> Sequence[bytes]:
    """The bodies that were packed. Raises ValueError when `wire` is of another name or version, or damaged."""
    if len(wire) < _HEAD.size + 8:
        raise ValueError(f"{name}: the state is cut off")
    found, found_version, size = _HEAD.unpack_from(wire)
    if found != name.encode() or found_version != version:
        raise ValueError(f"{name}: the state is of {found!r} version {found_version}, expected version {version}")
    (count,) = struct.unpack_from("<Q", wire, _HEAD.size)
    start = _HEAD.size + 8 * (count + 1)
    if _HEAD.size + size != len(wire) or start > len(wire):
        raise ValueError(f"{name}: the state is cut off")
    ends = np.cumsum(np.frombuffer(wire, "<u8", count, _HEAD.size + 8), dtype=np.int64) + start
    if count and ends[-1] != len(wire):
        raise ValueError(f"{name}: the state is cut off")
    return [wire[a:b] for a, b in zip([start, *ends.tolist()], ends.tolist(), strict=False)]


def raw(table: NDArray[Any]) -> memoryview:
    """The bytes of a table where they are: a state of millions must not be copied more often than it has to be."""
    return np.ascontiguousarray(table).view(np.uint8).data


def table_of(dtype: Any, body: bytes) -> NDArray[Any]:
    """A table of its own from the bytes of one. Raises ValueError when they are no whole number of rows."""
    return np.frombuffer(body, dtype).copy()
