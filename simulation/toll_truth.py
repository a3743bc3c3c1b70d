"""What each trip is charged and owes, and what each owner gets of it: a few lines of integers, apart from the billing.

The rules are R4 to R8 of the trade: an ETC vehicle pays a percent of the trip's price, half-up to the fen, and a
passenger vehicle never more than that percent of what cash pays; all others pay the price half-up in whole yuan. The
tariff's reductions come off each interval before that.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulation.toll_network import Int32s, Int64s, TollNetwork
from simulation.toll_tariff import FREE_CLASSES, Passed, SyntheticTariff
from simulation.toll_trips import TollTrips
from simulation.toll_vehicles import OBU, PASSENGERS

Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Charges:
    """What n trips pay, (n,), and the fee of each of their intervals, (m,), 0 for those that do not count."""

    charges_fen: Int64s
    fees_fen: Int64s


def charged(trips: TollTrips, tariff: SyntheticTariff) -> Charges:
    """What the trips pay: for what was recorded, as the type that the tag says."""
    return _charges(trips, tariff, trips.vehicles.charged_types, trips.seen)


def owed(trips: TollTrips, tariff: SyntheticTariff) -> Charges:
    """What the trips ought to pay: for what was driven, as what the vehicle is."""
    return _charges(trips, tariff, trips.vehicles.types, np.ones(len(trips.numbers), np.bool_))


def split(trips: TollTrips, charges: Charges) -> Int64s:
    """The charge of each trip over its intervals, (m,), in proportion to their fees, exactly: the largest remainders
    get the fen that are left, and of equal ones that of the lower interval id."""
    rows = trips.rows
    totals = _sums(charges.fees_fen, trips.starts)
    shares = charges.charges_fen[rows] * charges.fees_fen
    parts, rests = np.divmod(shares, np.maximum(totals, 1)[rows])
    left = charges.charges_fen - _sums(parts, trips.starts)
    order = np.lexsort((trips.numbers, -rests, rows))
    ranks = np.empty(len(rows), np.int64)
    ranks[order] = np.arange(len(rows)) - trips.starts[rows]
    parts += ranks < left[rows]
    assert (_sums(parts, trips.starts) == charges.charges_fen).all()
    return parts


def owner_amounts(trips: TollTrips, network: TollNetwork, parts_fen: Int64s) -> tuple[Int64s, Int32s, Int64s]:
    """What each owner gets of each trip: trip rows, numbers in `network.owners`, and fen, all (k,), nothing of 0."""
    numbers = {owner.owner: number for number, owner in enumerate(network.owners)}
    owners = np.array([numbers[interval.owner] for interval in network.intervals])[trips.numbers]
    keys, places = np.unique(trips.rows * len(numbers) + owners, return_inverse=True)
    amounts = np.zeros(len(keys), np.int64)
    np.add.at(amounts, places, parts_fen)
    rows, of = np.divmod(keys[amounts > 0], len(numbers))
    return rows, of.astype(np.int32), amounts[amounts > 0]


def _charges(trips: TollTrips, tariff: SyntheticTariff, types: NDArray[np.uint8], counted: Bools) -> Charges:
    rows = trips.rows
    full = tariff.prices_at(trips.exit_times_ms[rows], trips.numbers, types[rows]) * counted
    prices = tariff.reduced(full, Passed(trips.numbers, trips.pass_times_ms), types[rows], trips.vehicles.classes[rows])
    totals = _sums(prices, trips.starts)
    yuan = (totals + 50) // 100
    etc = trips.vehicles.media_types == OBU
    passenger = np.isin(types, PASSENGERS)
    percents = tariff.percents_of(types)
    shares = (totals * percents + 50) // 100
    charges = np.where(~etc, yuan * 100, np.where(passenger, np.minimum(shares, yuan * percents), shares))
    fees = np.where(etc[rows], (prices * percents[rows] + 50) // 100, prices)
    free = _free(trips, tariff, types)
    return Charges(np.where(free, 0, charges), fees)


def _free(trips: TollTrips, tariff: SyntheticTariff, types: NDArray[np.uint8]) -> Bools:
    """Whole trips that cost nothing: some classes always; on a holiday, by the exit time, small passenger vehicles."""
    holiday = tariff.free_at(trips.exit_times_ms, types, trips.vehicles.seat_counts)
    return np.isin(trips.vehicles.classes, FREE_CLASSES) | holiday


def _sums(values: Int64s, starts: Int64s) -> Int64s:
    sums: Int64s = np.diff(np.r_[0, np.cumsum(values)][starts])
    return sums
