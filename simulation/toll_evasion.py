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
AGAIN_S = (120, 1_800)  # from an exit to the second one, or a little longer
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


PAIRED = (Evasion.DOUBLE_EXIT, Evasion.ONE_PLATE_TWO_TAGS)
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

    A partner left before, has no evasion itself, and is the partner of one trip.
    """
    count = len(plan.counts)
    kinds, partners = np.zeros(count, np.uint8), np.full(count, NO_PARTNER)
    taken, may_evade = np.zeros(count, np.bool_), rng.random(count) < 0.5  # the other half may be partners
    for kind in sorted(shares):
        others = _others(rng, plan, kind)
        fit = _fit(plan, kind, others) & ~taken
        if kind in PAIRED:
            fit &= (others >= 0) & may_evade & ~may_evade[others] & ~taken[others]
        rows = rng.permutation(np.flatnonzero(fit))
        if kind in PAIRED:
            rows = rows[np.sort(np.unique(others[rows], return_index=True)[1])]
        rows = rows[: round(shares[kind] * count)]
        kinds[rows], taken[rows] = kind, True
        if kind in PAIRED:
            partners[rows], taken[others[rows]] = others[rows], True
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


def _others(rng: np.random.Generator, plan: Plan, kind: Evasion) -> Int64s:
    """The trip that would be each trip's partner, (n,): some minutes before for a second exit, else the one before."""
    rows = np.arange(len(plan.counts))
    if kind != Evasion.DOUBLE_EXIT:
        return rows - 1
    before_ms = plan.exit_times_ms - rng.integers(*AGAIN_S, len(rows)) * 1000
    return np.searchsorted(plan.exit_times_ms, before_ms, side="right").astype(np.int64) - 1


def _fit(plan: Plan, kind: Evasion, others: Int64s) -> Bools:
    """Which trips can be of a kind, (n,)."""
    tagged = plan.vehicles.media_types == OBU
    fit: Bools = (plan.counts >= INTERVALS_MIN) & tagged
    match kind:
        case Evasion.DOUBLE_EXIT:
            fit = np.ones(len(fit), np.bool_)
        case Evasion.ONE_PLATE_TWO_TAGS:
            elsewhere = plan.entry_stations != plan.entry_stations[others]
            meanwhile = plan.entry_times_ms < plan.exit_times_ms[others] - TOGETHER_MS_MIN
            fit = fit & fit[others] & elsewhere & meanwhile
        case Evasion.BIG_VEHICLE_SMALL_TAG:
            fit = np.isin(plan.vehicles.types, TRUCKS[2:]) & tagged & (plan.vehicles.classes == 0)
        case Evasion.OVERTIME:
            fit = plan.counts >= 2
    return fit
