"""decode: a mixed 808 stream to columns, against a straightforward decoder written with struct."""

from __future__ import annotations

import random
import struct
import time
from functools import reduce
from operator import xor

import numpy as np

from bench.results import Result, repeated
from services.vehicle_tracking.terminals.jt808.columns import Decoded, Item
from services.vehicle_tracking.terminals.jt808.frames import Room, decode

FRAME_COUNT = 400_000
TICK_FRAMES = 10_000  # what a busy access process takes at once
COMPARED_FRAMES = 20_000
DAMAGED_SHARE = 0.01
TARGET_FRAMES_S, TARGET_RATIO = 5_000_000, 40
_EPOCH_DAYS_2000 = 10_957

Row = tuple[int, ...]


def run() -> Result:
    """Frames a second of one core's time; the columns are compared with the struct decoder's in the same run."""
    ticks = _ticks(random.Random(808))
    _equal_or_raise(ticks[: COMPARED_FRAMES // TICK_FRAMES])
    figure, spread = repeated(lambda: FRAME_COUNT / _seconds(ticks), times=7)
    baseline, _ = repeated(lambda: COMPARED_FRAMES / _struct_seconds(ticks[: COMPARED_FRAMES // TICK_FRAMES]), times=3)
    ratio = figure / baseline
    return Result(
        slug="decode",
        figure=figure,
        unit="frames/s a core",
        target=f">= {TARGET_FRAMES_S / 1e6:.0f} M/s, ratio >= {TARGET_RATIO}",
        met=figure >= TARGET_FRAMES_S and ratio >= TARGET_RATIO,
        ratio=ratio,
        baseline=f"struct decoder, {baseline:,.0f} frames/s",
        note="processor time of one thread; mispredicted branches at escapes and items; 75 bytes in, 250 out a frame",
        spread=spread,
    )


def _seconds(ticks: list[bytes]) -> float:
    room = Room()
    _decoded(ticks[0], room)
    start = time.process_time()
    for stream in ticks:
        _decoded(stream, room)
    return time.process_time() - start


def _decoded(stream: bytes, room: Room | None = None) -> Decoded:
    return decode(stream, np.array([len(stream)], np.int64), np.zeros(1, np.bool_), room=room)


def _struct_seconds(ticks: list[bytes]) -> float:
    start = time.process_time()
    for stream in ticks:
        _struct_decoded(stream)
    return time.process_time() - start


def _equal_or_raise(ticks: list[bytes]) -> None:
    for stream in ticks:
        decoded, (expected, rejected) = _decoded(stream), _struct_decoded(stream)
        if len(decoded.rejections) != rejected or _rows(decoded) != expected:
            raise AssertionError("the two decoders disagree")


def _rows(decoded: Decoded) -> list[Row]:
    places = decoded.locations
    headers = decoded.frames[places["frame"]]
    bits = [1 << item for item in (Item.ODOMETER, Item.FUEL, Item.SIGNAL_STRENGTH, Item.SATELLITES)]
    if not all((places["items"] & bit).all() for bit in bits):
        raise AssertionError("an additional item is missing")
    columns = [headers["phone"], headers["serial"], *(places[name] for name in _COMPARED)]
    return list(zip(*(column.tolist() for column in columns), strict=True))


_PLACE = ["fix_time_ms", "longitude_e7", "latitude_e7", "altitude_m", "speed_01kmh", "heading_deg"]
_COMPARED = [*_PLACE, "alarm_word", "status_word", "odometer_01km", "fuel_01l", "signal_strength", "satellites"]


def _struct_decoded(stream: bytes) -> tuple[list[Row], int]:
    """The same columns as a list of rows, and how many frames were no use: what one would write first."""
    rows, rejected = [], 0
    for piece in stream.split(b"\x7e"):
        if not piece:
            continue
        message = piece.replace(b"\x7d\x02", b"\x7e").replace(b"\x7d\x01", b"\x7d")
        if len(message) < 13 or reduce(xor, message) != 0:
            rejected += 1
            continue
        rows.append(_struct_row(message[:-1]))
    return rows, rejected


def _struct_row(message: bytes) -> Row:
    _, properties = struct.unpack_from(">HH", message)
    head = 17 if properties & 0x4000 else 12
    phone = int(message[5:15].hex() if head == 17 else message[4:10].hex())
    (serial,) = struct.unpack_from(">H", message, head - 2)
    alarm, status, latitude, longitude, altitude, speed, heading = struct.unpack_from(">iiIIhHH", message, head)
    year, month, day, hour, minute, second = (int(f"{octet:x}") for octet in message[head + 22 : head + 28])
    days = (np.datetime64(f"20{year:02}-{month:02}-{day:02}") - np.datetime64("2000-01-01")).astype(int)
    seconds = (int(days) + _EPOCH_DAYS_2000) * 86_400 + hour * 3600 + minute * 60 + second - 8 * 3600
    items = {}
    at = head + 28
    while at + 2 <= len(message):
        item, size = message[at], message[at + 1]
        items[item] = int.from_bytes(message[at + 2 : at + 2 + size], "big")
        at += 2 + size
    east = -longitude if status & 8 else longitude
    north = -latitude if status & 4 else latitude
    place = (seconds * 1000, east * 10, north * 10, altitude, speed, heading, alarm, status)
    return (phone, serial, *place, items[0x01], items[0x02], items[0x30], items[0x31])


def _ticks(rng: random.Random) -> list[bytes]:
    return [
        b"".join(_frame(first + index, rng) for index in range(TICK_FRAMES))
        for first in range(0, FRAME_COUNT, TICK_FRAMES)
    ]


def _frame(index: int, rng: random.Random) -> bytes:
    place = (rng.randrange(25_000_000, 30_000_000), rng.randrange(109_000_000, 114_000_000))
    body = struct.pack(">IIIIHHH", 0, 3, *place, 50, rng.randrange(1000), rng.randrange(360))
    body += bytes.fromhex(f"261124{rng.randrange(24):02}{rng.randrange(60):02}{rng.randrange(60):02}")
    body += struct.pack(">BBIBBH", 1, 4, rng.randrange(10**7), 2, 2, rng.randrange(1000))
    body += bytes((0x30, 1, rng.randrange(32), 0x31, 1, rng.randrange(20)))
    phone, serial = 13_900_000_000 + index, index & 0xFFFF
    if index & 1:
        head = struct.pack(">HHB", 0x0200, len(body) | 0x4000, 1) + bytes.fromhex(f"{phone:020}")
    else:
        head = struct.pack(">HH", 0x0200, len(body)) + bytes.fromhex(f"{phone:012}")
    message = head + struct.pack(">H", serial) + body
    check = reduce(xor, message) ^ (rng.random() < DAMAGED_SHARE)
    escaped = (message + bytes((check,))).replace(b"\x7d", b"\x7d\x01").replace(b"\x7e", b"\x7d\x02")
    return b"\x7e" + escaped + b"\x7e"
