"""Identifiers of the toll network: whether they follow their layouts, and short keys and digests to find records by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from hashlib import blake2b
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from services.etc_billing.domain.passages import Int64s

Texts: TypeAlias = NDArray[np.bytes_]
Claims: TypeAlias = NDArray[np.bool_]
Codes: TypeAlias = NDArray[np.uint8]
Keys: TypeAlias = NDArray[np.void]

KEY_EPOCH = np.datetime64("2000-01-01", "D")
KEY_SIZE, _DAY_SIZE = 16, 2
_TRADE_SIZE = 35


class Kind(StrEnum):
    """What an identifier names."""

    STATION = "station"
    INTERVAL = "interval"
    GANTRY = "gantry"
    TRADE = "trade"
    EXIT = "exit"
    PASS = "pass"  # noqa: S105 – a passage, no secret
    CARD = "card"
    ISSUER = "issuer"
    TAC = "tac"


class Layout(NamedTuple):
    """What may stand at each place: L a capital letter, D a digit, A either, H a hexadecimal digit, 0 only that, 2 one
    of 1 and 2, 3 one of 0 to 3. `time_at`: where a time of `time_size` digits begins that must exist, -1 for none;
    `serial_at`: where digits begin that are not all 0, up to the end, -1 for none."""

    places: str
    time_at: int = -1
    time_size: int = 14
    serial_at: int = -1


_SECTION = "LAAAA" + "DD" + "AAA" + "A"  # route, province, section, reserve
_STATION = _SECTION + "AAA"
_LANE = _STATION + "AAAA" + "AA" + "A"  # plaza, lane, reserve
_INTERVAL = _SECTION + "DDD" + "2" + "A"  # sequence, up or down, reserve
_GANTRY = _INTERVAL + "DD" + "A"  # sequence, reserve
_TIME = "D" * 14

# Where no source says that a part is a number, letters are let through: a record that is refused is lost money, and a
# section that does not exist is found by the network, which does not have it.
LAYOUTS: Mapping[Kind, tuple[Layout, ...]] = MappingProxyType(
    {
        Kind.STATION: (Layout(_STATION),),
        Kind.INTERVAL: (Layout(_INTERVAL),),
        Kind.GANTRY: (Layout(_GANTRY),),
        Kind.TRADE: (Layout(_GANTRY + "D" * 16, time_at=19, time_size=10, serial_at=29),),
        Kind.EXIT: tuple(Layout(_LANE + _TIME + "D" * size, time_at=21) for size in (2, 4)),
        # The last 14 are the time of entry in 98 % of records only, so the time need not exist.
        Kind.PASS: (
            Layout("03" + "D" * 4 + "A" * 16 + _TIME),  # medium, network, number
            *(Layout("0" + "A" * size + _TIME) for size in (15, 19, 23)),  # seen, their parts unknown
        ),
        Kind.CARD: (Layout("D" * 20),),
        Kind.ISSUER: (Layout("D" * 6),),
        Kind.TAC: (Layout("H" * 8),),
    }
)

_CLASSES = {
    "L": b"ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "D": b"0123456789",
    "H": b"0123456789ABCDEFabcdef",
    "0": b"0",
    "2": b"12",
    "3": b"0123",
}
_BITS = {name: 1 << bit for bit, name in enumerate(_CLASSES)}
_BITS["A"] = _BITS["L"] | _BITS["D"]
_MONTH_DAYS = np.array([0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])


def _bits_of_characters() -> Codes:
    """Which classes each of the 256 characters is in; the one that ends a text is in none."""
    bits = np.zeros(256, np.uint8)
    for name, characters in _CLASSES.items():
        bits[list(characters)] |= _BITS[name]
    return bits


_CHARACTER_BITS = _bits_of_characters()


def well_formed(texts: Texts, kind: Kind) -> Claims:
    """Whether each text, (n,) S of any width, follows a layout of its kind. An empty text follows none."""
    codes, sizes = _codes(texts), np.char.str_len(texts)
    found = np.zeros(len(texts), np.bool_)
    for layout in LAYOUTS[kind]:
        rows = np.flatnonzero(sizes == len(layout.places))
        if len(rows):
            found[rows] = _follows(codes[rows, : len(layout.places)], layout)
    return found


def record_keys(ids: Texts) -> Keys:
    """A key of 16 bytes for each exit or trade id, (n,) V16: the date inside the id as days since 2000 (2 bytes,
    big-endian; 0 where there is no such date), then 14 bytes of its BLAKE2b. Keys of one day lie together.

    Keys are stored, so this never changes. Ids of up to 35 characters are trade ids, longer ones exit ids.
    """
    keys = np.empty((len(ids), KEY_SIZE), np.uint8)
    keys[:, :_DAY_SIZE] = _key_days(ids).astype(">u2").view(np.uint8).reshape(len(ids), _DAY_SIZE)
    size = KEY_SIZE - _DAY_SIZE
    keys[:, _DAY_SIZE:] = np.frombuffer(_hashes(ids.tolist(), size), np.uint8).reshape(len(ids), size)
    return keys.view(f"V{KEY_SIZE}").reshape(len(ids))


def digests(rows: Sequence[bytes]) -> Int64s:
    """What each row holds, as 8 bytes of its BLAKE2b, (n,): rows that differ have other digests. Never changes."""
    return np.frombuffer(_hashes(rows, 8), ">i8").astype(np.int64)


def _hashes(texts: Sequence[bytes], size: int) -> bytes:
    return b"".join([blake2b(text, digest_size=size).digest() for text in texts])


def _codes(texts: Texts) -> Codes:
    """(n, width) of the characters, 0 where a text has ended."""
    return np.ascontiguousarray(texts).view(np.uint8).reshape(len(texts), texts.dtype.itemsize)


def _follows(codes: Codes, layout: Layout) -> Claims:
    """Whether characters, (n, size of the layout), follow it."""
    places = np.array([_BITS[place] for place in layout.places], np.uint8)
    found: Claims = ((_CHARACTER_BITS[codes] & places) != 0).all(axis=1)
    if layout.time_at >= 0:
        found &= _times_exist(codes[:, layout.time_at : layout.time_at + layout.time_size])
    if layout.serial_at >= 0:
        found &= (codes[:, layout.serial_at :] != ord("0")).any(axis=1)
    return found


def _times_exist(codes: Codes) -> Claims:
    """Whether digits are a time: yyyyMMddHH, or with mmss; (n, 10) or (n, 14)."""
    found = _dates_exist(codes[:, :8]) & (_numbers(codes[:, 8:10]) < 24)
    for at in range(10, codes.shape[1], 2):
        found &= _numbers(codes[:, at : at + 2]) < 60
    return found


def _dates_exist(codes: Codes) -> Claims:
    """Whether characters are a date from 2000 on, yyyyMMdd, (n, 8)."""
    digits = ((codes >= ord("0")) & (codes <= ord("9"))).all(axis=1)
    years, months, days = (_numbers(codes[:, part]) for part in (slice(0, 4), slice(4, 6), slice(6, 8)))
    common = (years % 4 != 0) | (years % 100 == 0) & (years % 400 != 0)
    last = _MONTH_DAYS[np.clip(months, 0, 12)] - (common & (months == 2))
    found: Claims = digits & (years >= 2000) & (months >= 1) & (months <= 12) & (days >= 1) & (days <= last)
    return found


def _numbers(codes: Codes) -> Int64s:
    """The numbers that digits make, (n,); what is no digit makes some number too."""
    powers = 10 ** np.arange(codes.shape[1] - 1, -1, -1)
    numbers: Int64s = (codes.astype(np.int64) - ord("0")) @ powers
    return numbers


def _key_days(ids: Texts) -> Int64s:
    """Days since 2000 of the date inside each id, 0 where there is none or a later one than 2 bytes hold."""
    codes = _codes(ids.astype("S40") if ids.dtype.itemsize < 29 else ids)
    trades = np.char.str_len(ids) <= _TRADE_SIZE
    dates = np.where(trades[:, None], codes[:, 19:27], codes[:, 21:29])
    numbers = np.where(_dates_exist(dates), _numbers(dates), 20000101)
    months = (numbers // 10_000 - 1970) * 12 + numbers // 100 % 100 - 1
    days = months.astype("datetime64[M]").astype("datetime64[D]") + (numbers % 100 - 1)
    since: Int64s = (days - KEY_EPOCH).astype(np.int64)
    return np.where(since >> 8 * _DAY_SIZE == 0, since, 0)
