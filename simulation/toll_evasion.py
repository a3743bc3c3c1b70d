"""Evasion of tolls, put into trips by share: which trips, of which kind, and with which other trip."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from simulation.toll_network import Int32s, Int64s
from simulation.toll_vehicles import OBU, TRUCKS, Vehicles

Bools = NDArray[np.bool_]

INTERVALS_MIN = 5  # shorter trips show too little to tell the kinds apart
NO_PARTNER = -1
TOGETHER_MS_MIN = 60_000  # of two trips that are to be at the same time


class Evasion(IntEnum):
    """What is wrong with a trip."""

    NONE = 0
    DOUBLE_EXIT = 1  # the same passage leaves twice
    ONE_PLATE_TWO_TAGS = 2  # the same plate is elsewhere at the same time with another tag
    BIG_VEHICLE_SMALL_TAG = 3  # the tag is of a smaller vehicle type
    SHIELDED_OBU = 4  # after the first gantry nothing is seen of it
    OVERTIME = 5  # on the network for more than three days
    PATH_GAP = 6  # one or two gantries on the way are missing
    U_TURN = 7  # drives to a far station, turns, and leaves where it came from


EVASION_SHARES: Mapping[Evasion, float] = {kind: 0.0005 for kind in Evasion if kind}


@dataclass(frozen=True, slots=True)
class Plan:
    """Trips before anything is wrong with them, (n,) by exit time: what the choice of evaders looks at."""

    vehicles: Vehicles
    entry_stations: Int32s
    counts: Int64s  # intervals
    entry_times_ms: Int64s
    exit_times_ms: Int64s


def evasions(rng: np.random.Generator, plan: Plan, shares: Mapping[Evasion, float]) -> tuple[NDArray[np.uint8], Int64s]:
    """The Evasion of each trip and the row of its partner (NO_PARTNER for none), both (n,).

    A partner is the trip before; it has no evasion itself.
    """
    count = len(plan.counts)
    kinds, partners = np.zeros(count, np.uint8), np.full(count, NO_PARTNER)
    taken = np.zeros(count, np.bool_)
    for kind in sorted(shares):
        fit = np.flatnonzero(_fit(plan, kind) & ~taken)
        rows = rng.choice(fit, min(round(shares[kind] * count), len(fit)), replace=False)
        kinds[rows] = kind
        taken[rows] = True
        if kind in (Evasion.DOUBLE_EXIT, Evasion.ONE_PLATE_TWO_TAGS):
            partners[rows] = rows - 1
            taken[rows - 1] = True
    return kinds, partners


def seen(rng: np.random.Generator, kinds: NDArray[np.uint8], starts: Int64s) -> Bools:
    """Which of the driven intervals (m,) were recorded: `starts` (n + 1,) are those of the trips."""
    mask = np.ones(starts[-1], np.bool_)
    for row in np.flatnonzero(kinds == Evasion.SHIELDED_OBU):  # a few in a thousand trips
        mask[starts[row] + 1 : starts[row + 1]] = False
    for row in np.flatnonzero(kinds == Evasion.PATH_GAP):
        first = rng.integers(starts[row] + 1, starts[row + 1] - 2)
        mask[first : first + rng.integers(1, 3)] = False
    return mask


def _fit(plan: Plan, kind: Evasion) -> Bools:
    """Which trips can be of a kind. Even rows only where the row before is the partner, so that none is both."""
    tagged = plan.vehicles.media_types == OBU
    long = plan.counts >= INTERVALS_MIN
    fit: Bools = long & tagged
    match kind:
        case Evasion.DOUBLE_EXIT:
            fit = _even(len(fit))
        case Evasion.ONE_PLATE_TWO_TAGS:
            elsewhere = plan.entry_stations != np.roll(plan.entry_stations, 1)
            meanwhile = plan.entry_times_ms < np.roll(plan.exit_times_ms, 1) - TOGETHER_MS_MIN
            fit = _even(len(fit)) & fit & np.roll(fit, 1) & elsewhere & meanwhile
        case Evasion.BIG_VEHICLE_SMALL_TAG:
            fit = np.isin(plan.vehicles.types, TRUCKS[2:]) & tagged & (plan.vehicles.classes == 0)
        case Evasion.OVERTIME:
            fit = plan.counts >= 2
    return fit


def _even(count: int) -> Bools:
    even: Bools = np.arange(count) % 2 == 0
    even[:1] = False
    return even
