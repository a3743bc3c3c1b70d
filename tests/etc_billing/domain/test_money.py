"""Rounding vectors of real exits, as tables."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.etc_billing.domain.money import (
    ROUNDED,
    Policy,
    rounded_exit_share_fen,
    rounded_share_fen,
    rounded_yuan_fen,
)
from services.etc_billing.domain.passages import Int64s

SHARES_95 = [(10, 10), (30, 29), (110, 105), (242, 230), (2_675, 2_541), (0, 0), (1, 1)]
SHARES_85 = [(10, 9), (30, 26), (1_438, 1_222), (25_544, 21_712)]
YUAN = [(149, 100), (150, 200), (4_509, 4_500), (1_297, 1_300), (1_409, 1_400), (197, 200), (1_920, 1_900)]
YUAN += [(2_269, 2_300), (1_090, 1_100), (49, 0), (50, 100), (0, 0)]
EXITS_95 = [(9_274, 8_810), (6_438, 6_080), (706, 665), (1_020, 950), (1_000, 950), (0, 0)]
amounts = st.lists(st.integers(0, 10**9), max_size=20).map(lambda listed: np.array(listed, np.int64))


@pytest.mark.parametrize(("pay", "fee"), SHARES_95)
def test_95_percent_are_rounded_half_up(pay: int, fee: int) -> None:
    assert ROUNDED[Policy.R4](np.array([pay]), 95).tolist() == [fee]


@pytest.mark.parametrize(("pay", "fee"), SHARES_85)
def test_85_percent_are_rounded_half_up(pay: int, fee: int) -> None:
    assert ROUNDED[Policy.R5](np.array([pay]), 85).tolist() == [fee]


@pytest.mark.parametrize(("total", "charge"), YUAN)
def test_cash_is_rounded_half_up_to_yuan(total: int, charge: int) -> None:
    assert ROUNDED[Policy.R6](np.array([total]), 100).tolist() == [charge]


@pytest.mark.parametrize(("total", "charge"), EXITS_95)
def test_a_passenger_exit_takes_the_smaller_arm(total: int, charge: int) -> None:
    assert ROUNDED[Policy.R7](np.array([total]), 95).tolist() == [charge]


def test_a_truck_exit_has_no_arm_of_whole_yuan() -> None:
    assert ROUNDED[Policy.R8](np.array([25_544]), 85).tolist() == [21_712]
    assert rounded_exit_share_fen(np.array([25_544]), 85).tolist() == [21_675]


def test_every_policy_that_rounds_has_a_function() -> None:
    assert set(ROUNDED) == {Policy.R4, Policy.R5, Policy.R6, Policy.R7, Policy.R8}


@given(amounts, st.integers(0, 100))
def test_shares_are_the_exact_fraction_half_up(pay: Int64s, percent: int) -> None:
    exact = [int(Fraction(int(fen) * percent, 100) + Fraction(1, 2)) for fen in pay]
    assert rounded_share_fen(pay, percent).tolist() == exact


@given(amounts)
def test_whole_yuan_are_within_half_a_yuan(total: Int64s) -> None:
    rounded = rounded_yuan_fen(total)
    assert np.all(rounded % 100 == 0)
    assert np.all((rounded - total > -50) & (rounded - total <= 50))


@given(amounts, st.integers(0, 100))
def test_an_exit_share_is_never_over_the_share_of_cash(total: Int64s, percent: int) -> None:
    assert np.all(rounded_exit_share_fen(total, percent) * 100 <= rounded_yuan_fen(total) * percent)
