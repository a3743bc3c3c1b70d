"""What a TAC covers, byte by byte, and when there is one to check."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.etc_billing.domain.tac import TacFields, Tacs, checkable, message, packed

SHANGHAI = timezone(timedelta(hours=8))
TIME_MS = int(datetime(2026, 11, 25, 10, 30, 5, tzinfo=SHANGHAI).timestamp()) * 1000
YEAR_10000_MS = 253_402_300_800_000 - 8 * 3_600_000


def fields(
    *, amount_fen: int = 8810, kind: int = 9, terminal: str = "430100012345", number: int = 7, time_ms: int = TIME_MS
) -> TacFields:
    """One row."""
    return TacFields(
        np.array([amount_fen], np.int64),
        np.array([kind], np.uint8),
        packed(np.array([terminal.encode()])),
        np.array([number], np.int64),
        np.array([time_ms], np.int64),
    )


def tacs(code: int = 1, algorithm: int = 1) -> Tacs:
    """One row."""
    return Tacs(
        np.array([code], np.uint32),
        np.array([algorithm], np.uint8),
        np.array([1], np.uint8),
        np.zeros((1, 2, 8), np.uint8),
    )


def test_a_message_is_22_bytes_in_their_order() -> None:
    [found] = message(fields())
    assert found.tobytes().hex(" ", -4) == "0000226a 09430100 01234500 00000720 26112510 3005"
    assert len(found) == 22


@given(
    st.integers(0, 2**32 - 1),
    st.integers(0, 255),
    st.binary(min_size=6, max_size=6),
    st.integers(0, 2**32 - 1),
    st.integers(0, YEAR_10000_MS - 1),
)
def test_a_message_is_what_python_writes(
    amount_fen: int, kind: int, terminal: bytes, number: int, time_ms: int
) -> None:
    row = fields(amount_fen=amount_fen, kind=kind, terminal=terminal.hex(), number=number, time_ms=time_ms)
    local = datetime(1970, 1, 1, 8, tzinfo=UTC) + timedelta(milliseconds=time_ms)
    expected = amount_fen.to_bytes(4, "big") + bytes([kind]) + terminal + number.to_bytes(4, "big")
    expected += bytes.fromhex(f"{local.year:04d}{local:%m%d%H%M%S}")
    assert message(row).tobytes() == expected
    assert checkable(row, tacs()).all()


@pytest.mark.parametrize(
    ("row", "tac"),
    [
        (fields(), tacs(code=0)),  # failed trades send zeros
        (fields(), tacs(algorithm=0)),
        (fields(), tacs(algorithm=3)),
        (fields(amount_fen=-1), tacs()),
        (fields(amount_fen=2**32), tacs()),
        (fields(number=-1), tacs()),
        (fields(number=2**32), tacs()),
        (fields(time_ms=-1), tacs()),
        (fields(time_ms=YEAR_10000_MS), tacs()),
        (fields(time_ms=2**63 - 1), tacs()),
        (fields(time_ms=-(2**63)), tacs()),
    ],
)
def test_what_cannot_be_a_tac_is_not_checked_and_does_no_harm(row: TacFields, tac: Tacs) -> None:
    assert checkable(row, tac).tolist() == [False]
    assert message(row).shape == (1, 22)


def test_no_rows_have_no_messages() -> None:
    numbers = np.zeros(0, np.int64)
    none = TacFields(numbers, np.zeros(0, np.uint8), np.zeros((0, 6), np.uint8), numbers, numbers)
    assert message(none).shape == (0, 22)


@given(st.lists(st.binary(min_size=4, max_size=4), min_size=1), st.booleans())
def test_digits_are_packed_two_to_a_byte(rows: list[bytes], upper: bool) -> None:
    texts = [row.hex().upper() if upper else row.hex() for row in rows]
    assert packed(np.array([text.encode() for text in texts])).tobytes() == b"".join(rows)
