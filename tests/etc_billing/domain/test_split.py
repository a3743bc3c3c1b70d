"""The exact split against fractions, one passage at a time."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.etc_billing.domain.split import allocated_fen, id_ranks


class Passage(NamedTuple):
    """A total, and weight and tie rank of each interval."""

    total_fen: int
    intervals: list[tuple[int, int]]


def split(*passages: Passage) -> list[list[int]]:
    weights = [weight for passage in passages for weight, _ in passage.intervals]
    ranks = [rank for passage in passages for _, rank in passage.intervals]
    starts = np.cumsum([0, *(len(passage.intervals) for passage in passages)])
    shares = allocated_fen(
        np.array([passage.total_fen for passage in passages], np.int64),
        np.array(weights, np.int64),
        starts.astype(np.int64),
        np.array(ranks, np.int32),
    )
    return [part.tolist() for part in np.split(shares, starts[1:-1])] if passages else []


def expected(passage: Passage) -> list[int]:
    """The rule in plain words: whole fen first, then one each by remainder, rank, place."""
    sign = -1 if passage.total_fen < 0 else 1
    weights = [weight for weight, _ in passage.intervals]
    if not any(weights):
        weights = [1 for _ in weights]
    exact = [Fraction(abs(passage.total_fen) * weight, sum(weights)) for weight in weights]
    shares = [int(share) for share in exact]
    order = sorted(range(len(exact)), key=lambda n: (shares[n] - exact[n], passage.intervals[n][1], n))
    for n in order[: abs(passage.total_fen) - sum(shares)]:
        shares[n] += 1
    return [sign * share for share in shares]


@pytest.mark.parametrize(
    ("total_fen", "intervals", "shares_fen"),
    [
        (10, [(1, 0), (1, 1), (1, 2)], [4, 3, 3]),  # a tie: the least id
        (10, [(1, 2), (1, 1), (1, 0)], [3, 3, 4]),
        (11, [(1, 5), (1, 5), (1, 5)], [4, 4, 3]),  # one interval, passed three times: the earlier ones
        (8810, [(2930, 0), (2941, 1), (2942, 2)], [2929, 2940, 2941]),  # charged 3 fen less than the intervals' fees
        (100, [(0, 0), (3, 1), (0, 2), (3, 3)], [0, 50, 0, 50]),  # what weighs nothing gets nothing
        (7, [(0, 1), (0, 0)], [3, 4]),  # nothing weighs anything: alike
        (-10, [(1, 0), (1, 1), (1, 2)], [-4, -3, -3]),  # a reversal
        (0, [(5, 0), (6, 1)], [0, 0]),
        (5, [(9, 0)], [5]),
        (0, [], []),
    ],
)
def test_the_split_is_by_largest_remainder(
    total_fen: int, intervals: list[tuple[int, int]], shares_fen: list[int]
) -> None:
    passage = Passage(total_fen, intervals)
    assert split(passage) == [shares_fen] == [expected(passage)]


passages = st.builds(
    Passage,
    st.integers(0, 60) | st.integers(-100_000_000, 100_000_000),
    st.lists(st.tuples(st.integers(0, 4) | st.integers(0, 10_000_000), st.integers(0, 5)), min_size=1, max_size=30),
)


@given(st.lists(passages, max_size=8))
@example([Passage(2**31, [(2**31, 0), (2**31 - 1, 0)])])
def test_every_split_is_that_of_the_fractions_and_nothing_is_lost(given_passages: list[Passage]) -> None:
    found = split(*given_passages)
    assert found == [expected(passage) for passage in given_passages]
    assert [sum(shares) for shares in found] == [passage.total_fen for passage in given_passages]


@given(passages)
def test_a_reversal_mirrors_its_original(passage: Passage) -> None:
    [shares], [mirrored] = split(passage), split(passage._replace(total_fen=-passage.total_fen))
    assert [-share for share in mirrored] == shares


@given(passages)
def test_in_which_order_intervals_stand_does_not_matter_when_their_ids_differ(passage: Passage) -> None:
    intervals = [(weight, rank) for rank, (weight, _) in enumerate(passage.intervals)]
    turned = intervals[::-1]
    [shares], [others] = split(passage._replace(intervals=intervals)), split(passage._replace(intervals=turned))
    assert shares == others[::-1]


def test_a_long_passage_is_split_like_a_short_one() -> None:
    passage = Passage(999_999, [(n % 7 + 1, n * 37 % 512) for n in range(512)])
    assert split(passage) == [expected(passage)]


def test_no_passages_have_no_shares() -> None:
    assert allocated_fen(
        np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(1, np.int64), np.zeros(0, np.int32)
    ).shape == (0,)


@pytest.mark.parametrize(
    "passage",
    [
        Passage(1, []),
        Passage(1, [(-1, 0)]),
        Passage(2**62, [(4, 0)]),
        Passage(1, [(2**62, 0), (2**62, 1)]),
        Passage(-(2**63), [(1, 0)]),
    ],
)
def test_what_cannot_be_split_exactly_is_never_split(passage: Passage) -> None:
    with pytest.raises(AssertionError, match="passage 1"):
        split(Passage(5, [(1, 0)]), passage)


def test_ids_are_ranked_by_their_bytes() -> None:
    assert id_ranks(np.array([b"G2", b"G10", b"S1", b"G2"])).tolist() == [1, 0, 2, 1]


@pytest.mark.slow
def test_of_five_million_passages_nothing_is_lost_and_no_share_is_a_fen_off() -> None:
    random = np.random.default_rng(20_261_125)
    for _ in range(20):
        counts = random.integers(1, 18, 250_000)
        starts = np.concatenate([[0], np.cumsum(counts)])
        weights = random.integers(0, 5_000, starts[-1])
        totals = np.add.reduceat(weights, starts[:-1]) * random.integers(70, 101, len(counts)) // 100
        totals *= random.choice([1, 1, 1, -1], len(counts))
        shares = allocated_fen(totals, weights, starts, random.integers(0, 1_100, starts[-1]).astype(np.int32))
        assert (np.add.reduceat(shares, starts[:-1]) == totals).all()
        sums = np.maximum(np.repeat(np.add.reduceat(weights, starts[:-1]), counts), 1)
        exact = np.repeat(totals, counts) * weights
        assert (np.abs(shares * sums - exact) < sums).all()
