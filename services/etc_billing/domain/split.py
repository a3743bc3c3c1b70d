"""The exact split: what a passage costs, allocated to its intervals so that nothing is lost and nothing is made."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from services.etc_billing.domain.passages import Int32s, Int64s

_ALL_WELL = -1
_TAKEN = -1  # the remainder of an interval that has had its fen
_PRODUCT_MAX = np.iinfo(np.int64).max


def allocated_fen(totals_fen: Int64s, weights_fen: Int64s, starts: Int64s, tie_ranks: Int32s) -> Int64s:
    """What each interval gets of its passage's total, (m,), by the rule of the largest remainder.

    `totals_fen`: (n,) of passages; `weights_fen`: (m,) of their intervals, >= 0; those of passage i are
    `starts[i]:starts[i + 1]`. Each interval gets the whole fen of total x weight / sum of weights. The fen left over
    go one each to the largest remainders, of equal ones to that with the least of `tie_ranks` (m,), the rank of the
    interval's id, then to the earlier one. A weight of 0 gets nothing, unless all are 0: then all count alike. What a
    negative total (a reversal) gives mirrors the positive one. Only a total of 0 may have no intervals.
    """
    assert len(starts) == len(totals_fen) + 1
    assert len(weights_fen) == len(tie_ranks) == starts[-1]
    shares_fen, remainders = np.empty(len(weights_fen), np.int64), np.empty(len(weights_fen), np.int64)
    failed = _allocate(totals_fen, weights_fen, starts, tie_ranks, shares_fen, remainders)
    assert failed == _ALL_WELL, f"passage {failed}: a negative weight, a total without intervals, or numbers too large"
    return shares_fen


def id_ranks(ids: NDArray[np.bytes_]) -> Int32s:
    """The rank of each id among all of them, (k,), by their bytes; equal ids have the same."""
    return np.unique(ids, return_inverse=True)[1].astype(np.int32)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _allocate(
    totals_fen: Int64s, weights_fen: Int64s, starts: Int64s, tie_ranks: Int32s, shares_fen: Int64s, remainders: Int64s
) -> int:
    """Fill shares. Returns the first passage that cannot be split, _ALL_WELL for none. By rows: the fen that are left
    depend on all intervals of a passage."""
    for row in range(len(totals_fen)):
        first, last = starts[row], starts[row + 1]
        total = abs(totals_fen[row])
        weight_sum, weight_max = np.int64(0), np.int64(0)
        for place in range(first, last):
            if weights_fen[place] < 0 or weight_sum > _PRODUCT_MAX - weights_fen[place]:
                return row
            weight_sum += weights_fen[place]
            weight_max = max(weight_max, weights_fen[place])
        if total < 0 or (first == last and total != 0) or (weight_max > 0 and total > _PRODUCT_MAX // weight_max):
            return row
        left = total
        for place in range(first, last):
            weight = weights_fen[place] if weight_sum > 0 else 1
            divisor = weight_sum if weight_sum > 0 else last - first
            product = total * weight
            shares_fen[place] = product // divisor
            remainders[place] = product - shares_fen[place] * divisor
            left -= shares_fen[place]
        for _ in range(left):
            place = _largest(remainders, tie_ranks, first, last)
            shares_fen[place] += 1
            remainders[place] = _TAKEN
        if totals_fen[row] < 0:
            for place in range(first, last):
                shares_fen[place] = -shares_fen[place]
    return _ALL_WELL


@numba.njit(cache=True, nogil=True, inline="always")
def _largest(remainders: Int64s, tie_ranks: Int32s, first: int, last: int) -> int:
    """The place of the largest remainder, of equal ones that with the least rank, then the first."""
    best = first
    for place in range(first + 1, last):
        if remainders[place] > remainders[best] or (
            remainders[place] == remainders[best] and tie_ranks[place] < tie_ranks[best]
        ):
            best = place
    return best
