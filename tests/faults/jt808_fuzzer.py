"""Mutated JT/T 808 frames through decoder, parts, positions and answers, with checks that know nothing of the decoder.

`python -m tests.faults.jt808_fuzzer SEED COUNT` runs it alone, so that it can run with other compiler settings.
"""

from __future__ import annotations

import random
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import xor

import numpy as np

from services.vehicle_tracking.terminals.jt808 import parts
from services.vehicle_tracking.terminals.jt808.answers import OK, general_answers
from services.vehicle_tracking.terminals.jt808.columns import FRAME_BYTES_MAX, Decoded, Reason
from services.vehicle_tracking.terminals.jt808.description import frame_described
from services.vehicle_tracking.terminals.jt808.explanation import explained
from services.vehicle_tracking.terminals.jt808.frames import Room, decode, decode_bodies
from services.vehicle_tracking.terminals.jt808.positions import positions
from simulation import frames
from simulation.frames import Fix, Identity

LINKS = 20
TICK_FRAMES = 500
TICK_S = 1.0
FRESH_EVERY = 20  # ticks between comparisons with a decoder that has memory of its own
INTERESTING = (0x00, 0x01, 0x02, 0x7C, 0x7D, 0x7E, 0x7F, 0x80, 0xFF)
YEAR_2000_MS, YEAR_2100_MS = 946_656_000_000, 4_102_416_000_000  # in GMT+8


@dataclass
class Tally:
    """What came of everything: complete frames, usable ones, positions, messages from parts, rejections by reason."""

    complete: int = 0
    usable: int = 0
    positions: int = 0
    joined: int = 0
    rejections: Counter[str] = field(default_factory=Counter)


class Fuzzer:
    """Feeds pieces of wire to LINKS links, tick by tick, and checks every outcome."""

    def __init__(self, rng: random.Random) -> None:
        self.tally = Tally()
        self._rng = rng
        self._room = Room()
        self._rests = [b""] * LINKS
        self._opened = np.zeros(LINKS, np.bool_)
        self._parts = parts.Parts()
        self._ticks = 0

    def tick(self, pieces: Sequence[bytes]) -> None:
        """Give each link its share of the pieces, cut at any byte."""
        self._ticks += 1
        chunks = [rest + b"".join(pieces[link::LINKS]) for link, rest in enumerate(self._rests)]
        cuts = [len(chunk) if self._rng.random() < 0.7 else self._rng.randrange(len(chunk) + 1) for chunk in chunks]
        stream = b"".join(chunk[:cut] for chunk, cut in zip(chunks, cuts, strict=True))
        ends = np.cumsum(cuts, dtype=np.int64)
        before = self._opened.copy()
        decoded = decode(stream, ends, self._opened, room=self._room)
        starts = (decoded.rest_starts - np.concatenate([[0], ends[:-1]])).tolist()
        rests = [chunk[start:cut] for chunk, start, cut in zip(chunks, starts, cuts, strict=True)]
        assert max(map(len, rests)) <= FRAME_BYTES_MAX + 1
        self._rests = [rest + chunk[cut:] for rest, chunk, cut in zip(rests, chunks, cuts, strict=True)]
        checked_headers(decoded, [chunk[:cut] for chunk, cut in zip(chunks, cuts, strict=True)], before)
        checked_locations(decoded)
        if self._ticks % FRESH_EVERY == 1:
            fresh = decode(stream, ends, before)
            assert fresh.locations.tobytes() == decoded.locations.tobytes()
            told(decoded, stream)
        self._follow(decoded)
        self._count(decoded)

    def _follow(self, decoded: Decoded) -> None:
        """What the access role does with a tick."""
        vehicle_ids = np.arange(len(decoded.frames)) % 5  # 0: nobody's
        batch = positions(decoded, vehicle_ids, received_time_ms=self._ticks)
        assert len(batch) == np.count_nonzero(vehicle_ids[decoded.locations["frame"]])
        assert len(batch.item_blob) == batch.item_lengths.sum()
        wire, ends = general_answers(
            decoded.frames, np.full(len(decoded.frames), OK, np.int8), np.arange(len(decoded.frames)).astype(np.uint16)
        )
        assert len(ends) == wire.count(b"\x7e") // 2 == len(decoded.frames)
        chosen = np.flatnonzero((decoded.frames["part_count"] > 0) & (decoded.frames["reason"] == 0)).tolist()
        arrived = [parts.part(decoded, row, link=int(decoded.frames["link"][row])) for row in chosen]
        joined = parts.joined(self._parts, arrived, now_s=self._ticks * TICK_S)
        overdue = parts.overdue(joined.parts, now_s=self._ticks * TICK_S)
        self._parts = overdue.parts
        assert self._parts.byte_count == sum(begun.byte_count for begun in self._parts.begun.values())
        assert self._parts.byte_count <= LINKS * parts.LINK_BYTES_MAX
        assert len(self._parts.begun) <= LINKS * parts.LINK_MESSAGES_MAX
        for whole in joined.whole:
            checked_locations(decode_bodies(np.array([whole.header]), [whole.body]))
        self.tally.joined += len(joined.whole)
        self.tally.rejections.update(each.reason.name for each in (*joined.dropped, *overdue.dropped))

    def _count(self, decoded: Decoded) -> None:
        self.tally.complete += decoded.frame_count
        self.tally.usable += int(np.count_nonzero(decoded.frames["reason"] == 0))
        self.tally.positions += len(decoded.locations)
        self.tally.rejections.update(decoded.rejection_counts())


def checked_headers(decoded: Decoded, chunks: Sequence[bytes], opened: np.ndarray) -> None:
    """Every stretch between two delimiters is a row or a rejection, and the right one of the two."""
    expected = []
    for link, chunk in enumerate(chunks):
        stretches = chunk.split(b"\x7e")[0 if opened[link] else 1 : -1]
        expected += [(link, verdict(stretch)) for stretch in stretches if stretch]
    good = [(link, 0) for link in decoded.frames["link"].tolist()]
    at_header = decoded.rejections[decoded.rejections["reason"] < Reason.ENCRYPTED]
    bad = list(zip(at_header["link"].tolist(), at_header["reason"].tolist(), strict=True))
    assert decoded.frame_count == len(expected)
    assert Counter(good + bad) == Counter(expected)
    beyond = decoded.rejections[decoded.rejections["reason"] >= Reason.ENCRYPTED]
    flawed = decoded.frames["offset"][decoded.frames["reason"] != 0]
    assert np.isin(flawed, beyond["offset"]).all(), "a frame is of no use and nobody says why"
    assert np.isin(beyond["offset"], decoded.frames["offset"]).all()


def verdict(stretch: bytes) -> int:
    """0 or the reason by which the header decides, worked out without the decoder."""
    if len(stretch) > FRAME_BYTES_MAX:
        return Reason.TOO_LONG
    content, at = bytearray(), 0
    while at < len(stretch):
        if stretch[at] == 0x7D:
            if stretch[at + 1 : at + 2] not in (b"\1", b"\2"):
                return Reason.ESCAPE
            at += 1
            content.append(0x7C + stretch[at])
        else:
            content.append(stretch[at])
        at += 1
    if len(content) < 13:
        return Reason.SHORT
    if reduce(xor, content):
        return Reason.CHECKSUM
    properties = content[2] << 8 | content[3]
    header = len(content) - 1 - (properties & 0x3FF) - (4 if properties & 0x2000 else 0)
    if header not in (12, 17):
        return Reason.LENGTH_MISMATCH
    digits = (content[5:15] if header == 17 else content[4:10]).hex()
    return 0 if digits.isdecimal() and not (header == 17 and content[5]) else Reason.PHONE


def checked_locations(decoded: Decoded) -> None:
    """Positions are on the globe, in this century, and point into what was received."""
    places = decoded.locations
    assert (np.abs(places["longitude_e7"]) <= 1_800_000_000).all()
    assert (np.abs(places["latitude_e7"]) <= 900_000_000).all()
    assert ((places["fix_time_ms"] >= YEAR_2000_MS) & (places["fix_time_ms"] < YEAR_2100_MS)).all()
    owners = decoded.frames[places["frame"]]
    assert (places["item_start"] - 28 >= owners["body_start"]).all()
    assert (places["item_start"] + places["item_length"] <= owners["body_start"] + owners["body_length"]).all()
    assert decoded.frames["location_count"].sum() == len(places)
    starts = places["item_start"][:, None] - 28 + np.arange(4)
    words = decoded.content[starts].astype(np.int64) @ np.array([1 << 24, 1 << 16, 1 << 8, 1])
    assert (words == places["alarm_word"].astype(np.int64) & 0xFFFFFFFF).all(), "a flag of another frame"


def told(decoded: Decoded, stream: bytes) -> None:
    """What a person would be shown."""
    for row in range(len(decoded.frames)):
        frame_described(decoded, row)
    for row in range(len(decoded.rejections)):
        assert explained(decoded, row, stream).words


def corpus(rng: random.Random) -> list[bytes]:
    """Header and body of good frames of every kind and edition."""
    items = bytes.fromhex(
        "0104000000640202 01f4030203660402000706 02800c110504000000651206030000000901130700000005007801"
        "1404000000101504000000811604800000001702100118030002502504000040002a0200022b040001000230011f31010e"
        "e102abcd6402ffff"
    )
    wires = []
    for edition in (2011, 2013, 2019):
        terminal = Identity("13900001111", "湘A12345", 2, edition)
        fix = Fix(1_715_905_815_000, 1_163_975_000, 399_087_000, 873, 270, 52, 2, 3, 1_234_567)
        located, batch = frames.location_body(fix), frames.batch_body([fix] * 6, rng.randrange(2))
        bodies = [
            (0x0200, located), (0x0200, located[:28] + items), (0x0200, located[:28]), (0x0201, b"\0\7" + located),
            (0x0201, located), (0x0704, batch), (0x0002, b""), (0x0003, b""), (0x0900, bytes(range(256)) * 3),
            (0x0100, frames.register_body(terminal)), (0x0102, frames.authenticate_body(terminal, "CODE")),
        ]  # fmt: skip
        wires += [frames.frame(terminal, number, rng.randrange(65536), body) for number, body in bodies]
        wires += [frames.frame(terminal, 0x0704, 50 + k, batch[k::3], part=(3, k + 1)) for k in range(3)]
    return [wire[1:-1].replace(b"\x7d\x02", b"\x7e").replace(b"\x7d\x01", b"\x7d")[:-1] for wire in wires]


def mutant(rng: random.Random, contents: Sequence[bytes]) -> bytes:
    """One frame, damaged before its check byte is made (so that the damage gets past it), after, or not at all."""
    content = bytearray(rng.choice(contents))
    kind = rng.random()
    if kind < 0.6:
        kept = rng.choice((0, 0, 17, 21))  # bytes of header, so that half of the damage is behind it
        body = content[kept:]
        damage(rng, body, contents)
        content[kept:] = body
        if rng.random() < 0.5 and len(content) > 3:  # a length that is right again leads deeper
            right_length(rng, content)
    wire = bytearray(frames.enclosed(bytes(content)) if content else b"\x7e\x7e")
    if kind > 0.8:
        damage(rng, wire, contents)
    return bytes(wire)


def damage(rng: random.Random, octets: bytearray, contents: Sequence[bytes]) -> None:
    """Change, drop, insert, repeat or splice some bytes."""
    for _ in range(rng.choice((1, 1, 2, 4))):
        at, way = rng.randrange(len(octets) + 1), rng.randrange(7)
        if way == 0 and at < len(octets):
            octets[at] ^= 1 << rng.randrange(8)
        elif way == 1 and at < len(octets):
            octets[at] = rng.choice(INTERESTING)
        elif way == 2:
            del octets[at : at + rng.choice((1, 2, 20))]
        elif way == 3:
            octets[at:at] = rng.randbytes(rng.choice((1, 2, 30)))
        elif way == 4:
            octets[at:at] = octets[at : at + rng.choice((1, 6, 40))] * rng.choice((1, 2, 60))
        elif way == 5:
            octets[at:] = rng.choice(contents)[at:]
        elif at < len(octets):
            octets[at : at + 4] = rng.randbytes(min(4, len(octets) - at))


def right_length(rng: random.Random, content: bytearray) -> None:
    """Let the header tell of as many bytes as there are, by the header of either edition."""
    part = 4 if content[2] & 0x20 else 0
    length = len(content) - rng.choice((12, 17)) - part
    if 0 <= length < 1024:
        content[2] = content[2] & 0xFC | length >> 8
        content[3] = length & 0xFF


def fuzzed(seed: int, count: int) -> Tally:
    """`count` mutants from a seed."""
    rng = random.Random(seed)
    contents, fuzzer = corpus(rng), Fuzzer(rng)
    for _ in range(0, count, TICK_FRAMES):
        fuzzer.tick([mutant(rng, contents) for _ in range(TICK_FRAMES)])
    return fuzzer.tally


if __name__ == "__main__":
    sys.stdout.write(f"{fuzzed(int(sys.argv[1]), int(sys.argv[2]))}\n")
