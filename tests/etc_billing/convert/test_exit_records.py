"""Columns of the wire: what does not fit each other is refused by name, what does not fit a field is marked."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from xiangtong.billing.v1 import billing_service_pb2 as pb

from services.etc_billing.convert.exit_records import exit_message, exit_records_of
from services.etc_billing.domain.exit_records import bodies
from tests.etc_billing.exit_world import message


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda m: m.plates.append("x"), "plates: 3 values for 2 records"),
        (lambda m: m.interval_counts.__setitem__(0, -1), "interval_counts"),
        (lambda m: m.interval_indexes.__setitem__(0, 3), "interval_indexes"),
        (lambda m: m.interval_times_ms.append(1), "interval_times_ms"),
    ],
)
def test_columns_that_do_not_fit_are_named(spoil: Callable[[pb.ExitRecords], None], words: str) -> None:
    sent = message({}, {})
    spoil(sent)
    with pytest.raises(ValueError, match=words):
        exit_records_of(sent)


def test_what_is_too_long_or_too_large_is_marked() -> None:
    found = exit_records_of(message({}, {"plates": "湘" * 20}, {"seat_counts": 40_000}))
    assert (found.long_texts.tolist(), found.odd_numbers.tolist()) == ([False, True, False], [False, False, True])


def test_an_interval_of_another_length_is_no_interval() -> None:
    sent = message({"intervals": (0, 1)})
    sent.interval_ids[0] += "1"
    assert exit_records_of(sent).interval_ids[0] == b""


def test_no_records_are_no_error() -> None:
    assert len(exit_records_of(pb.ExitRecords())) == 0


def test_what_is_put_on_the_wire_comes_back_the_same() -> None:
    rows = message({}, {"plates": "湘B1", "intervals": (2, 0)}, {"intervals": (), "card_ids": "", "fees_fen": 77})
    found = exit_records_of(rows)
    again = exit_records_of(exit_message(found))
    assert bodies(again) == bodies(found)
