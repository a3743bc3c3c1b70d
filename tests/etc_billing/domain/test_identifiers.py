"""Identifiers: good and bad ones of each kind, and keys and digests that never change."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime
from hashlib import blake2b

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.etc_billing.domain.identifiers import LAYOUTS, Kind, digests, record_keys, well_formed

SECTION = "G0004430010"
STATION = SECTION + "001"
INTERVAL = SECTION + "00110"
GANTRY = INTERVAL + "010"
LANE = STATION + "0001" + "01" + "0"
TRADE = GANTRY + "2026112510" + "000001"
EXIT = LANE + "20261125103000" + "01"
PASS = "01" + "4301" + "2012345678901234" + "20261125090000"

GOOD = {
    Kind.STATION: [STATION, "S0085430A2XA01"],
    Kind.INTERVAL: [INTERVAL, SECTION + "99920"],
    Kind.GANTRY: [GANTRY, INTERVAL + "99A"],
    Kind.TRADE: [TRADE, GANTRY + "2024022923" + "999999"],
    Kind.EXIT: [EXIT, EXIT + "07", LANE + "20240229235959" + "00"],
    Kind.PASS: [
        PASS,
        "00" + PASS[2:],
        "03" + PASS[2:],
        PASS[:22] + "99999999999999",
        "030" + "A" * 13 + PASS[-14:],
        "030" + "0" * 17 + PASS[-14:],
        "030" + "0" * 21 + PASS[-14:],
    ],
    Kind.CARD: ["43012012345678901234"],
    Kind.ISSUER: ["430101"],
    Kind.TAC: ["00000000", "deadBEEF"],
}
BAD = {
    Kind.STATION: ["", STATION[:-1], STATION + "0", "g" + STATION[1:], "00004430010001", "G0004430 10001"],
    Kind.INTERVAL: [INTERVAL[:14] + "30", INTERVAL[:14] + "00", SECTION + "0A110", INTERVAL + "0", INTERVAL[:-1]],
    Kind.GANTRY: [INTERVAL + "A10", GANTRY[:-1], GANTRY + "0"],
    Kind.TRADE: [
        GANTRY + "2026112524" + "000001",
        GANTRY + "2026112510" + "000000",
        GANTRY + "2026112510" + "00000A",
        GANTRY + "2023022910" + "000001",
        GANTRY + "1999123110" + "000001",
        TRADE[:-1],
        TRADE + "0",
        EXIT,
    ],
    Kind.EXIT: [
        EXIT + "0",
        EXIT[:-1],
        EXIT + "0000",
        LANE + "20261325103000" + "01",
        LANE + "20261131103000" + "01",
        LANE + "20260025103000" + "01",
        LANE + "20261100103000" + "01",
        LANE + "20261125246000" + "01",
        LANE + "20261125106000" + "01",
        LANE + "20261125103060" + "01",
        LANE + "2026112510300 " + "01",
        "中" + EXIT[3:],
        TRADE,
    ],
    Kind.PASS: ["", PASS[:-1], PASS + "0", "04" + PASS[2:], "11" + PASS[2:], PASS[:-1] + "A", "01A" + PASS[3:]],
    Kind.CARD: ["4301201234567890123", "430120123456789012345", "4301201234567890123X", "4301-012345678901234"],
    Kind.ISSUER: ["", "43010", "4301010", "湘0101", "４３"],
    Kind.TAC: ["", "0000000", "000000000", "0x000000", "GHIJKLMN"],
}  # fmt: skip


def texts(values: Iterable[str | bytes], width: int = 40) -> np.ndarray[tuple[int], np.dtype[np.bytes_]]:
    return np.array([value.encode() if isinstance(value, str) else value for value in values], f"S{width}")


@pytest.mark.parametrize("kind", Kind)
def test_good_ids_follow_their_layout_and_bad_ones_do_not(kind: Kind) -> None:
    assert [good for good in GOOD[kind] if not well_formed(texts([good]), kind)[0]] == []
    assert [bad for bad in BAD[kind] if well_formed(texts([bad]), kind)[0]] == []


@pytest.mark.parametrize("kind", Kind)
def test_the_width_of_the_column_does_not_matter(kind: Kind) -> None:
    narrow = np.array([good.encode() for good in GOOD[kind]])
    assert well_formed(narrow, kind).all()
    assert not well_formed(narrow.astype("S3"), kind).any()
    assert well_formed(narrow.astype("S99"), kind).all()


def test_a_text_that_goes_on_behind_a_zero_byte_is_malformed() -> None:
    assert not well_formed(texts([b"43\x000101", b"430101\x00\x001"]), Kind.ISSUER).any()


def test_no_ids_have_no_claims_keys_or_digests() -> None:
    assert well_formed(texts([]), Kind.EXIT).shape == (0,)
    assert record_keys(texts([])).shape == (0,)
    assert digests([]).shape == (0,)


CLASSES = {"L": "[A-Z]", "D": "[0-9]", "A": "[A-Z0-9]", "H": "[0-9A-Fa-f]", "0": "0", "2": "[12]", "3": "[0-3]"}


def follows(text: bytes, kind: Kind) -> bool:
    """One at a time, by other means."""
    return any(
        re.fullmatch("".join(CLASSES[place] for place in layout.places).encode(), text) is not None
        and (layout.time_at < 0 or exists(text[layout.time_at : layout.time_at + layout.time_size].decode()))
        and (layout.serial_at < 0 or int(text[layout.serial_at :]) > 0)
        for layout in LAYOUTS[kind]
    )


def exists(digits: str) -> bool:
    try:
        return datetime.strptime(digits, "%Y%m%d%H%M%S"[: len(digits) - 2]).year >= 2000  # noqa: DTZ007 – only a form
    except ValueError:
        return False


@st.composite
def nearly_good(draw: st.DrawFn) -> tuple[Kind, bytes]:
    """An id of some kind, of which up to two characters are replaced, and which may be cut or longer."""
    kind = draw(st.sampled_from(Kind))
    text = bytearray(draw(st.sampled_from([good for goods in GOOD.values() for good in goods])).encode())
    if draw(st.booleans()):
        text = bytearray(draw(st.sampled_from(GOOD[kind])).encode())
    for _ in range(draw(st.integers(0, 2))):
        text[draw(st.integers(0, len(text) - 1))] = draw(st.sampled_from(b"0123456789AGaZz ")) or 0
    return kind, bytes(text[: draw(st.integers(len(text) - 1, len(text)))] + draw(st.sampled_from([b"", b"", b"1"])))


@given(st.lists(nearly_good(), min_size=1, max_size=20))
@example([(Kind.EXIT, (LANE + "2026022930" + "9999" + "01").encode())])
def test_many_at_once_are_judged_as_one_by_one(ids: list[tuple[Kind, bytes]]) -> None:
    for kind in Kind:
        found = well_formed(texts([text for _, text in ids]), kind)
        assert found.tolist() == [follows(text, kind) for _, text in ids]


def test_keys_never_change() -> None:
    """These are in databases."""
    assert [key.tobytes().hex() for key in record_keys(texts([EXIT, TRADE, EXIT + "07", ""]))] == [
        "266190384c7d012ca68631f056bad4e0",
        "26614d73bb722324b6e197309e8ec679",
        "266105b92110bc71e539f1705d660c85",
        "00004b1f3c22056a5cf9a3300407d264",
    ]


def test_digests_never_change() -> None:
    assert digests([b"", b"toll"]).tolist() == [-1970711489451281740, -6219098001110565416]


@given(st.dates(date(2000, 1, 1), date(2179, 6, 6)), st.binary(min_size=0, max_size=16))
def test_a_key_begins_with_the_day_in_the_id(day: date, other: bytes) -> None:
    exit_id = f"{LANE}{day:%Y%m%d}103000".encode() + other.replace(b"\0", b"0").ljust(2, b"0")[:4]
    trade_id = f"{GANTRY}{day:%Y%m%d}10000001".encode()
    for text in (exit_id, trade_id):
        [key] = record_keys(texts([text])).tolist()
        assert key == (day - date(2000, 1, 1)).days.to_bytes(2, "big") + blake2b(text, digest_size=14).digest()


@pytest.mark.parametrize(
    "malformed", ["", "x", "中" * 13, EXIT[:20], LANE + "20260230" + "103000" + "01", LANE + "21990101" + "10300001"]
)
def test_an_id_without_a_date_has_a_key_of_day_zero(malformed: str) -> None:
    [key] = record_keys(texts([malformed])).tolist()
    assert key == bytes(2) + blake2b(malformed.encode(), digest_size=14).digest()


def test_keys_do_not_depend_on_the_width_of_the_column_nor_on_where_it_lies() -> None:
    table = np.zeros(3, [("before", "u1"), ("exit_id", "S40")])
    table["exit_id"] = texts([EXIT, TRADE, "x"])
    narrow = record_keys(texts([EXIT, TRADE, "x"], 37))
    assert (record_keys(table["exit_id"]) == narrow).all()
    assert record_keys(texts(["x"], 1))[0] == narrow[2]


@given(st.lists(st.binary(max_size=40), max_size=20))
def test_each_digest_is_of_its_row(rows: list[bytes]) -> None:
    expected = [int.from_bytes(blake2b(row, digest_size=8).digest(), "big", signed=True) for row in rows]
    assert digests(rows).tolist() == expected
