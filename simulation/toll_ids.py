"""The identifiers of toll records, made a column at a time as bytes of fixed width."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Int64s = NDArray[np.int64]
Characters = NDArray[np.uint8]  # (n, width)
Texts = NDArray[np.bytes_]

SHANGHAI_S = 8 * 3600
DAY_S = 86_400
NETWORK_ID = 4301  # the card network of the province
PLATE_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"  # plates leave out I and O
PLATE_PREFECTURES = "ABCDEFJGHLMNKU"
PLATE_LASTS = "0123456789" + PLATE_LETTERS
PLATES = len(PLATE_LASTS) * 1000 * len(PLATE_PREFECTURES) * len(PLATE_LETTERS)


def joined(*parts: Characters) -> Texts:
    """(n,) texts of parts of (n, width) characters, end to end."""
    characters = np.ascontiguousarray(np.concatenate(parts, axis=1))
    return characters.view(f"S{characters.shape[1]}").reshape(len(characters))


def digits(numbers: NDArray[Any] | int, width: int, *, count: int = 0) -> Characters:
    """Numbers in decimal with leading zeros, (n, width). One number stands for `count` of them."""
    column = np.full(count, numbers) if isinstance(numbers, int) else numbers
    powers = 10 ** np.arange(width - 1, -1, -1, dtype=np.int64)
    return (column.astype(np.int64)[:, None] // powers % 10 + ord("0")).astype(np.uint8)


def characters(texts: Texts) -> Characters:
    """The characters of (n,) texts of one width, (n, width)."""
    return np.ascontiguousarray(texts).view(np.uint8).reshape(len(texts), texts.dtype.itemsize)


def stamps(times_ms: Int64s) -> Characters:
    """`yyyyMMddHHmmss` in Shanghai, (n, 14)."""
    dates, clocks = _dates_and_clocks(times_ms)
    return np.concatenate([dates[:, [0, 1, 2, 3, 5, 6, 8, 9]], clocks[:, [0, 1, 3, 4, 6, 7]]], axis=1)


def iso_times(times_ms: Int64s) -> Texts:
    """`2026-03-10T08:00:00+08:00`, (n,)."""
    dates, clocks = _dates_and_clocks(times_ms)
    return joined(dates, _repeated(b"T", len(dates)), clocks, _repeated(b"+08:00", len(dates)))


def exit_ids(stations: Int64s, station_ids: Texts, lanes: Int64s, times_ms: Int64s) -> Texts:
    """Lane 21 (plaza 18 = station 14 + 4, lane 2, reserve 1), time 14, serial 2: unlike each other, (n,) S37.

    `stations`: numbers in `station_ids`.
    """
    count = len(lanes)
    serials = ranks((stations * 100 + lanes) << 36 | times_ms // 1000)
    assert (serials < 100).all(), "a lane has more than 100 exits in a second"
    plazas = (characters(station_ids)[stations], digits(100, 4, count=count))
    return joined(*plazas, digits(lanes, 2), digits(0, 1, count=count), stamps(times_ms), digits(serials, 2))


def pass_ids(media_types: NDArray[Any], networks: Int64s, media_numbers: Int64s, entry_times_ms: Int64s) -> Texts:
    """Prefix 2 (01 OBU, 02 CPC, 03 none), network 4, medium 16, entry time 14, (n,) S36."""
    prefixes = np.where(media_types == 1, 1, np.where(media_types == 2, 2, 3))
    return joined(digits(prefixes, 2), digits(networks, 4), digits(media_numbers, 16), stamps(entry_times_ms))


def plates(numbers: Int64s) -> NDArray[np.str_]:
    """Made-up plates, one a number up to PLATES: 湘, a prefecture's letter, a letter, three digits, one of either."""
    letters, prefectures, lasts = (
        np.array([ord(letter) for letter in alphabet], np.uint32)
        for alphabet in (PLATE_LETTERS, PLATE_PREFECTURES, PLATE_LASTS)
    )
    assert (numbers < PLATES).all(), "there are not so many plates"
    rest, last = np.divmod(numbers, len(lasts))
    rest, serials = np.divmod(rest, 1000)
    firsts, places = np.divmod(rest, len(prefectures))
    codes = np.empty((len(numbers), 7), np.uint32)
    codes[:, 0] = ord("湘")
    codes[:, 1], codes[:, 2] = prefectures[places], letters[firsts]
    codes[:, 3:6], codes[:, 6] = digits(serials, 3), lasts[last]
    return codes.view("U7").reshape(len(numbers))


def ranks(keys: Int64s) -> Int64s:
    """How many rows before each have the same key, (n,)."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    first = np.r_[True, ordered[1:] != ordered[:-1]][: len(keys)]
    starts = np.maximum.accumulate(np.where(first, np.arange(len(keys)), 0))
    found = np.empty(len(keys), np.int64)
    found[order] = np.arange(len(keys)) - starts
    return found


def _dates_and_clocks(times_ms: Int64s) -> tuple[Characters, Characters]:
    """`yyyy-MM-dd` (n, 10) and `HH:mm:ss` (n, 8) in Shanghai; the few days that there are, are written once."""
    local_s = times_ms // 1000 + SHANGHAI_S
    days, of_day_s = local_s // DAY_S, local_s % DAY_S
    if not len(days):
        return np.empty((0, 10), np.uint8), np.empty((0, 8), np.uint8)
    first = int(days.min())
    every = np.arange(first, int(days.max()) + 1).astype("datetime64[D]")
    dates = characters(np.datetime_as_string(every).astype("S10"))
    seconds = np.arange(DAY_S)
    colons = digits(0, 1, count=DAY_S) + (ord(":") - ord("0"))
    hours, minutes = digits(seconds // 3600, 2), digits(seconds // 60 % 60, 2)
    clocks = np.concatenate([hours, colons, minutes, colons, digits(seconds % 60, 2)], axis=1).astype(np.uint8)
    return dates[days - first], clocks[of_day_s]


def _repeated(text: bytes, count: int) -> Characters:
    return np.broadcast_to(np.frombuffer(text, np.uint8), (count, len(text)))
