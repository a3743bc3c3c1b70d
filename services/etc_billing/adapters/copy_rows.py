"""Rows for PostgreSQL's binary COPY, made from arrays: no value of a row passes through Python."""

from __future__ import annotations

from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)  # flags, and the length of an extension that nobody uses
TRAILER = b"\xff\xff"


def fixed_rows(columns: list[NDArray[Any]], *, fields_more: int = 0) -> NDArray[Any]:
    """(n,) rows as they go over the wire, before `fields_more` that the caller adds. `columns`: (n,) int32 (integer),
    int64 (bigint) or V16 (uuid) each."""
    kinds = [(f"f{n}", _wire(column.dtype)) for n, column in enumerate(columns)]
    layout = [("count", ">i2"), *(part for name, kind in kinds for part in ((f"{name}_size", ">i4"), (name, kind)))]
    rows = np.empty(len(columns[0]), np.dtype(layout))
    rows["count"] = len(columns) + fields_more
    for n, column in enumerate(columns):
        rows[f"f{n}_size"], rows[f"f{n}"] = column.dtype.itemsize, column
    return rows


def with_bodies(rows: NDArray[Any], bodies: list[bytes]) -> bytes:
    """The rows, each with one bytea more."""
    heads = np.empty(len(rows), [("row", rows.dtype), ("size", ">i4")])
    heads["row"], heads["size"] = rows, [len(body) for body in bodies]
    whole = heads.view(f"V{heads.dtype.itemsize}").tolist()  # bytes, a row each
    return b"".join(chain.from_iterable(zip(whole, bodies, strict=True)))


def _wire(dtype: np.dtype[Any]) -> np.dtype[Any]:
    assert dtype.kind in "iV", dtype
    return dtype.newbyteorder(">")
