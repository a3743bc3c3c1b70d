"""Every reason is explained by the byte that is wrong and what is wrong with it."""

from __future__ import annotations

import pytest

from services.vehicle_tracking.terminals.jt808.columns import Reason
from services.vehicle_tracking.terminals.jt808.explanation import Explanation, explained
from services.vehicle_tracking.terminals.jt808.frames import decode_one
from simulation import frames
from simulation.frames import Identity

BASE = bytes.fromhex("00000000000000030260f55c06f015bc000000000000240517083015")


def framed(message_id: int, body: bytes, *, edition: int = 2013, part: tuple[int, int] | None = None) -> bytes:
    return frames.frame(Identity("13900001111", "", 0, edition), message_id, 7, body, part=part)


def explanations(wire: bytes) -> list[Explanation]:
    decoded = decode_one(wire)
    return [explained(decoded, row, wire) for row in range(len(decoded.rejections))]


@pytest.mark.parametrize(
    ("reason", "wire", "offset", "words"),
    [
        ("SHORT", "7e0002000001390000111107d37e", 12, "12 bytes"),
        ("TOO_LONG", "7e" + "00" * 3000 + "7e", 2090, "3000 bytes"),
        ("ESCAPE", "7e00027d03" + "00" * 12 + "7e", 2, "7d is followed by 03"),
        ("ESCAPE", "7e00027d01" + "00" * 12 + "7d7e", 16, "the end of the frame"),
        ("CHECKSUM", "7e0002000001390000111100013c7e", 12, "is 3c, header and body give 3b"),
        ("LENGTH_MISMATCH", frames.enclosed(bytes.fromhex("000200010139000011110001")).hex(), 2, "1 bytes of body"),
        ("PHONE", frames.enclosed(bytes.fromhex("0002000001390000111a0001")).hex(), 9, "01390000111a"),
        ("PHONE", frames.enclosed(bytes.fromhex("000240000112345678901234567890" + "0001")).hex(), 5, "18 digits"),
        ("ENCRYPTED", frames.enclosed(bytes.fromhex("02000401013900001111000100")).hex(), 2, "encrypted"),
        ("PART_INDEX", framed(0x0704, b"x", part=(2, 3)).hex(), 14, "part 3 of 2"),
        ("PART_INDEX", framed(0x0704, b"xyzw", edition=2019, part=(2, 0)).hex(), 19, "part 0 of 2"),
        ("BODY_SHORT", framed(0x0200, BASE[:27]).hex(), 39, "27 bytes of body, 28 are needed"),
        ("BODY_SHORT", framed(0x0201, BASE[:20]).hex(), 32, "30 are needed"),
        ("BODY_SHORT", framed(0x0704, b"\0").hex(), 13, "3 are needed"),
        ("BCD_TIME", framed(0x0200, BASE[:23] + b"\x13" + BASE[24:]).hex(), 34, "241317083015"),
        ("BCD_TIME", framed(0x0201, b"\0\7" + BASE[:23] + b"\x13" + BASE[24:]).hex(), 36, "241317083015"),
        ("COORDINATE", framed(0x0200, BASE[:8] + b"\x7f" + BASE[9:]).hex(), 20, "latitude 2137"),
        ("BATCH_ITEM", framed(0x0704, b"\0\2\0\0\x1c" + BASE + b"\0\x1d" + BASE).hex(), 45, "item 2 of 2"),
    ],
)  # fmt: skip
def test_a_reason_is_explained(reason: str, wire: str, offset: int, words: str) -> None:
    (explanation,) = explanations(bytes.fromhex(wire))
    assert (explanation.reason, explanation.offset) == (Reason[reason], offset)
    assert words in explanation.words


def test_items_of_a_batch_are_named_by_their_number() -> None:
    wrong = BASE[:22] + b"\xff" + BASE[23:]
    items = b"".join(len(body).to_bytes(2, "big") + body for body in (BASE, wrong, BASE, BASE[:5], b""))
    found = explanations(framed(0x0704, b"\0\6\0" + items))
    assert [each.reason for each in found] == [
        Reason.BCD_TIME,
        Reason.BODY_SHORT,
        Reason.BODY_SHORT,
        Reason.BATCH_ITEM,
    ]
    assert [each.words.split(":")[0] for each in found[:3]] == ["item 2", "item 4", "item 5"]
    assert "item 6 of 6" in found[3].words


def test_the_frame_is_found_among_others() -> None:
    good = framed(0x0002, b"")
    first, second = explanations(good + framed(0x0200, BASE[:5]) + good + framed(0x0200, BASE[:6]) + good)
    assert (first.words[:7], second.words[:7]) == ("5 bytes", "6 bytes")
