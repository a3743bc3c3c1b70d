"""Answers are frames that a terminal can read, and many at once are the same bytes as one by one."""

from __future__ import annotations

import random

import numpy as np
import pytest

from services.vehicle_tracking.terminals.jt808 import answers
from services.vehicle_tracking.terminals.jt808.answers import NO_ANSWER, OK, UNSUPPORTED, Peer, peer
from services.vehicle_tracking.terminals.jt808.columns import FRAME, NO_VERSION
from services.vehicle_tracking.terminals.jt808.frames import decode_one
from simulation import frames
from simulation.frames import FrameReader, Message

OLD, NEW = Peer(13900001111, False, NO_VERSION), Peer(14412345678901, True, 1)


def read(wire: bytes) -> Message:
    reader = FrameReader()
    (message,) = reader.feed(wire)
    assert reader.damaged_count == 0
    return message


@pytest.mark.parametrize(
    ("to", "wire"),
    [
        (OLD, "7e8001000501390000111100090007020000a97e"),
        (NEW, "7e8001400501000000144123456789010009000702000072" + "7e"),
    ],
)
def test_a_general_answer_has_the_header_of_its_terminals_edition(to: Peer, wire: str) -> None:
    sent = answers.general_answer(to, serial=9, answered_serial=7, answered_id=0x0200, result=OK)
    assert sent[:-2].hex() == wire[:-4]
    assert read(sent) == Message(0x8001, 9, b"\0\7\2\0\0")


@pytest.mark.parametrize("to", [OLD, NEW])
def test_a_register_answer_carries_the_code_only_when_it_is_granted(to: Peer) -> None:
    granted = answers.register_answer(to, serial=1, answered_serial=2, result=answers.REGISTERED, auth_code="密码7d")
    assert frames.register_answer(read(granted).body) == (2, 0, "密码7d")
    refused = answers.register_answer(to, serial=1, answered_serial=2, result=answers.NO_SUCH_TERMINAL, auth_code="x")
    assert read(refused).body == b"\0\2\4"


@pytest.mark.parametrize(("to", "count"), [(OLD, b"\2"), (NEW, b"\0\2")])
def test_parts_asked_for_again_are_counted_in_the_editions_own_width(to: Peer, count: bytes) -> None:
    asked = read(answers.resend_parts(to, serial=1, first_serial=0x7E7D, part_indexes=[2, 5]))
    assert (asked.message_id, asked.body) == (0x8003, b"\x7e\x7d" + count + b"\0\2\0\5")
    assert frames.resend_parts(asked.body) == (0x7E7D, (2, 5))


def test_many_answers_are_the_bytes_of_each() -> None:
    rng = random.Random(8001)
    rows = np.zeros(2000, FRAME)
    for row in rows:
        row["is_2019"] = rng.random() < 0.5
        row["phone"] = rng.randrange(10**18 if row["is_2019"] else 10**12)
        row["version"] = rng.choice((1, 0x7D, 0x7E)) if row["is_2019"] else NO_VERSION
        row["serial"] = rng.choice((rng.randrange(65536), 0x7D7E, 0x7E7E))
        row["message_id"] = rng.choice((0x0200, 0x0704, 0x0002, 0x7E7D))
    results = np.array([rng.choice((NO_ANSWER, OK, UNSUPPORTED)) for _ in rows], np.int8)
    serials = np.array([rng.randrange(65536) for _ in rows], np.uint16)
    wire, ends = answers.general_answers(rows, results, serials)
    pieces = [wire[start:end] for start, end in zip([0, *ends.tolist()], ends.tolist(), strict=False)]
    for row, result, serial, piece in zip(rows, results.tolist(), serials.tolist(), pieces, strict=True):
        one = answers.general_answer(
            peer(row),
            serial=serial,
            answered_serial=int(row["serial"]),
            answered_id=int(row["message_id"]),
            result=max(result, 0),
        )
        assert piece == (b"" if result == NO_ANSWER else one)


def test_no_frames_get_no_answers() -> None:
    wire, ends = answers.general_answers(np.zeros(0, FRAME), np.zeros(0, np.int8), np.zeros(0, np.uint16))
    assert (wire, len(ends)) == (b"", 0)


def test_our_own_decoder_reads_our_answers() -> None:
    wire = answers.general_answer(NEW, serial=65535, answered_serial=7, answered_id=0x0200, result=OK)
    decoded = decode_one(wire)
    assert (peer(decoded.frames[0]), decoded.frames["serial"].tolist()) == (NEW, [65535])
