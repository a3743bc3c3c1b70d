"""Identifiers have the layouts of the trade and are unlike each other."""

from __future__ import annotations

import re
from datetime import datetime

import numpy as np
import pytest

from simulation.toll_ids import PLATES, digits, exit_ids, iso_times, pass_ids, plates, ranks, stamps

EIGHT_MS = round(datetime.fromisoformat("2026-03-10T08:00:05+08:00").timestamp() * 1000)


def texts(characters: np.ndarray[tuple[int, int], np.dtype[np.uint8]]) -> list[str]:
    return [bytes(row).decode() for row in characters.tolist()]


def test_numbers_keep_their_leading_zeros() -> None:
    assert texts(digits(np.array([7, 1234]), 4)) == ["0007", "1234"]
    assert texts(digits(43, 3, count=2)) == ["043", "043"]


def test_times_are_those_of_shanghai_on_both_sides_of_midnight() -> None:
    times_ms = np.array([EIGHT_MS, EIGHT_MS - 9 * 3_600_000])
    assert texts(stamps(times_ms)) == ["20260310080005", "20260309230005"]
    assert iso_times(times_ms).tolist() == [b"2026-03-10T08:00:05+08:00", b"2026-03-09T23:00:05+08:00"]
    assert stamps(np.array([], np.int64)).shape == (0, 14)


def test_exits_of_one_lane_and_second_differ_in_their_serial() -> None:
    stations = np.array([b"G0004430010001", b"G0004430010002"])
    ids = exit_ids(np.array([0, 1, 0, 0]), stations, np.array([3, 3, 3, 4]), np.full(4, EIGHT_MS))
    assert ids.tolist() == [
        b"G000443001000101000302026031008000500",
        b"G000443001000201000302026031008000500",
        b"G000443001000101000302026031008000501",
        b"G000443001000101000402026031008000500",
    ]


def test_a_passage_is_named_by_its_medium_and_entry_time() -> None:
    ids = pass_ids(np.array([1, 2, 9]), np.full(3, 4301), np.array([12, 13, 14]), np.full(3, EIGHT_MS))
    assert ids.tolist() == [
        b"014301000000000000001220260310080005",
        b"024301000000000000001320260310080005",
        b"034301000000000000001420260310080005",
    ]


def test_plates_are_all_different_and_leave_out_i_and_o() -> None:
    numbers = np.r_[np.arange(2_000), np.arange(PLATES - 2_000, PLATES)]
    found = plates(numbers).tolist()
    assert len(set(found)) == len(numbers)
    assert all(re.fullmatch("湘[A-HJ-NP-Z]{2}[0-9]{3}[0-9A-HJ-NP-Z]", plate) for plate in found)
    with pytest.raises(AssertionError, match="not so many"):
        plates(np.array([PLATES]))


def test_a_rank_is_how_many_before_have_the_same_key() -> None:
    assert ranks(np.array([5, 3, 5, 5, 3])).tolist() == [0, 0, 1, 2, 1]
    assert ranks(np.array([], np.int64)).tolist() == []
