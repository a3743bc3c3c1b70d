"""Rounding of fen by integers, one function a policy; nothing else in the billing rounds money."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from types import MappingProxyType

import numpy as np

from services.etc_billing.domain.passages import Int64s

YUAN_FEN = 100


class Policy(StrEnum):
    """The named ways from a tariff price to an amount due; a rating rule names the one it uses."""

    R1 = "R1"  # the price of an interval is looked up in the tariff, never a rate times a distance
    R2 = "R2"  # fee = pay - discount, of every interval
    R3 = "R3"  # a total is the sum of its intervals, unless the whole passage is free
    R4 = "R4"  # ETC passenger vehicles: the share of every interval is rounded half-up
    R5 = "R5"  # ETC trucks: as R4, with the percent of trucks
    R6 = "R6"  # cash and CPC: the provincial total is rounded half-up to whole yuan
    R7 = "R7"  # ETC passenger vehicles at the exit: never more than the share of what cash would pay
    R8 = "R8"  # ETC trucks at the exit: the share of the total, without the arm of whole yuan


def rounded_share_fen(amounts_fen: Int64s, percent: int) -> Int64s:
    """`percent` of each amount, half-up to a fen (R4, R5, R8): 30 fen at 95 % are 28.5, so 29. Any shape, >= 0."""
    return (amounts_fen * percent + 50) // 100


def rounded_yuan_fen(amounts_fen: Int64s) -> Int64s:
    """Each amount half-up to whole yuan (R6): 149 fen are 100, 150 are 200. Any shape, >= 0."""
    return (amounts_fen + YUAN_FEN // 2) // YUAN_FEN * YUAN_FEN


def rounded_exit_share_fen(totals_fen: Int64s, percent: int) -> Int64s:
    """`percent` of each total, or of the total in whole yuan where that is less (R7). Any shape, >= 0.

    The second arm needs no rounding: a percent of whole yuan is whole fen.
    """
    of_yuan = rounded_yuan_fen(totals_fen) // YUAN_FEN * percent
    return np.minimum(rounded_share_fen(totals_fen, percent), of_yuan)


def _yuan_of_all(amounts_fen: Int64s, percent: int) -> Int64s:
    assert percent == 100, "whole yuan are of the whole total (R6)"
    return rounded_yuan_fen(amounts_fen)


ROUNDED: Mapping[Policy, Callable[[Int64s, int], Int64s]] = MappingProxyType(
    {
        Policy.R4: rounded_share_fen,
        Policy.R5: rounded_share_fen,
        Policy.R6: _yuan_of_all,
        Policy.R7: rounded_exit_share_fen,
        Policy.R8: rounded_share_fen,
    }
)
