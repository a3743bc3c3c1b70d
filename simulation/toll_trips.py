"""Trips over the toll network, by the million as columns: who drove when from where to where, past which intervals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

import numpy as np
from numpy.typing import NDArray

from simulation.places import COUNTIES, SEATS
from simulation.toll_evasion import EVASION_SHARES, NO_PARTNER, Evasion, Plan, evasions, seen
from simulation.toll_ids import SHANGHAI_S
from simulation.toll_network import Int32s, Int64s, TollNetwork, Ways
from simulation.toll_vehicles import PASSENGERS, Vehicles, drawn, vehicles

Floats = NDArray[np.float64]

HOURS = (14, 10, 8, 8, 12, 22, 36, 50, 58, 59, 58, 55, 52, 54, 57, 58, 58, 57, 52, 45, 38, 32, 26, 20)  # exits an hour
INTERVALS_MEAN = 8.9  # of a trip
BETWEEN_WEIGHT = 0.4  # of a station that is in no town
PASSENGER_KMH, OTHER_KMH, SPREAD_KMH = 95.0, 76.0, 6.0
LANES = 12
LANE_MS = 60_000  # from the entry to the road, and from the road through the exit
REST_MS = 600_000  # between two trips of a vehicle at least
OVERTIME_MS = (3 * 86_400_000, 6 * 86_400_000)
SMALL_TYPE = 11  # what the tags of big vehicles say that evade


@dataclass(frozen=True, slots=True)
class TollTrips:
    """n trips by exit time. Columns (n,); `starts` (n + 1,) into `numbers`, `pass_times_ms`, `seen`, (m,), as driven.

    `vehicles`: whose trip each is. `numbers`: of the intervals driven; `seen`: which of them were recorded.
    `kinds`: Evasion; `partners`: the row of the other trip that belongs to it, -1 for none. Times are whole seconds.
    """

    vehicles: Vehicles
    entry_stations: Int32s
    exit_stations: Int32s
    lanes: Int64s
    entry_times_ms: Int64s
    exit_times_ms: Int64s
    starts: Int64s
    numbers: Int32s
    pass_times_ms: Int64s
    seen: NDArray[np.bool_]
    kinds: NDArray[np.uint8]
    partners: Int64s

    def __len__(self) -> int:
        return len(self.exit_times_ms)

    @property
    def rows(self) -> Int64s:
        """To which trip each interval belongs, (m,)."""
        return np.repeat(np.arange(len(self)), np.diff(self.starts))


def toll_trips(
    network: TollNetwork,
    between: Ways,
    *,
    seed: int,
    count: int,
    day: date,
    shares: Mapping[Evasion, float] = EVASION_SHARES,
) -> TollTrips:
    """`count` trips that leave the network on `day` (Shanghai); the same for the same arguments.

    `between`: the ways of the network. `shares`: of trips with an evasion.
    """
    rng = np.random.default_rng([seed, 21])
    pairs = _pairs(rng, network, between, count)
    plan, speeds_ms = _planned(rng, network, between, pairs, _exit_times(rng, day, count))
    kinds, partners = evasions(rng, plan, shares)
    course = _course(rng, network, pairs, speeds_ms, kinds, partners)
    starts, numbers = _legs(between, course)
    entries_ms = _entry_times(plan, course, _sums(network.lengths_m[numbers], starts), kinds, partners)
    return TollTrips(
        vehicles=_drivers(plan, kinds, partners),
        entry_stations=(course.ways // len(network.stations)).astype(np.int32),
        exit_stations=(np.where(course.backs < 0, course.ways, course.backs) % len(network.stations)).astype(np.int32),
        lanes=rng.integers(1, LANES + 1, count),
        entry_times_ms=entries_ms,
        exit_times_ms=plan.exit_times_ms,
        starts=starts,
        numbers=numbers,
        pass_times_ms=_pass_times(entries_ms, course, starts, network.lengths_m[numbers]),
        seen=seen(rng, kinds, starts),
        kinds=kinds,
        partners=partners,
    )


@dataclass(frozen=True, slots=True)
class _Course:
    """How n trips are driven, by `ways`, then `backs` where not negative; the wait is before the last interval."""

    ways: Int64s
    backs: Int64s
    speeds_ms: Floats
    waits_ms: Int64s


def _pairs(rng: np.random.Generator, network: TollNetwork, between: Ways, count: int) -> Int64s:
    """Ways in proportion to the size of both ends, the long ones rarer, so that the mean is INTERVALS_MEAN."""
    towns = {place.name: place.weight for place in (*SEATS, *COUNTIES)}
    sizes = np.array([towns.get(station.node, BETWEEN_WEIGHT) for station in network.stations])
    draws = np.outer(sizes, sizes).ravel() * (between.counts > 0)
    low, high, weights = 0.1, 1_000.0, draws
    for _ in range(40):  # bisection: the mean grows with the scale
        scale = (low + high) / 2
        weights = draws * np.exp(-between.counts / scale)
        short = (weights * between.counts).sum() / weights.sum() < INTERVALS_MEAN
        low, high = (scale, high) if short else (low, scale)
    edges = np.cumsum(weights)
    pairs: Int64s = np.searchsorted(edges, rng.random(count) * edges[-1], side="right")
    return pairs


def _exit_times(rng: np.random.Generator, day: date, count: int) -> Int64s:
    """Whole seconds of the day in Shanghai, rising, by the shape of HOURS."""
    midnight_s = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) - SHANGHAI_S
    hours = drawn(rng, {hour: share / sum(HOURS) for hour, share in enumerate(HOURS)}, count)
    return (midnight_s + np.sort(hours * 3600 + rng.integers(0, 3600, count))) * 1000


def _planned(
    rng: np.random.Generator, network: TollNetwork, between: Ways, pairs: Int64s, exits_ms: Int64s
) -> tuple[Plan, Floats]:
    drivers = vehicles(rng, len(pairs))
    means_kmh = np.where(np.isin(drivers.types, PASSENGERS), PASSENGER_KMH, OTHER_KMH)
    speeds_ms = (means_kmh + SPREAD_KMH * np.clip(rng.normal(0, 1, len(pairs)), -3, 3)) / 3.6
    lengths_m = _sums(network.lengths_m[between.intervals], between.starts)[pairs]
    entry_stations = (pairs // len(network.stations)).astype(np.int32)
    entries_ms = exits_ms - _spans_ms(lengths_m, speeds_ms)
    return Plan(drivers, entry_stations, between.counts[pairs], entries_ms, exits_ms), speeds_ms


def _course(
    rng: np.random.Generator,
    network: TollNetwork,
    pairs: Int64s,
    speeds_ms: Floats,
    kinds: NDArray[np.uint8],
    partners: Int64s,
) -> _Course:
    rows = np.where(kinds == Evasion.DOUBLE_EXIT, partners, np.arange(len(pairs)))
    origins, destinations = np.divmod(pairs[rows], len(network.stations))
    waits_ms = rng.integers(*OVERTIME_MS, len(pairs)) // 1000 * 1000
    return _Course(
        pairs[rows],
        np.where(kinds == Evasion.U_TURN, destinations * len(network.stations) + origins, -1),
        speeds_ms[rows],
        np.where(kinds == Evasion.OVERTIME, waits_ms, 0),
    )


def _legs(between: Ways, course: _Course) -> tuple[Int64s, Int32s]:
    """Where the intervals of each trip start, (n + 1,), and their numbers, (m,)."""
    turning = course.backs >= 0
    leg_ends = np.cumsum(1 + turning)
    legs = np.repeat(course.ways, 1 + turning)
    legs[leg_ends[turning] - 1] = course.backs[turning]
    counts = between.counts[legs]
    ends = np.cumsum(counts)
    places = np.arange(counts.sum()) + np.repeat(between.starts[legs] - ends + counts, counts)
    return np.r_[0, ends[leg_ends - 1]], between.intervals[places]


def _entry_times(plan: Plan, course: _Course, lengths_m: Int64s, kinds: NDArray[np.uint8], partners: Int64s) -> Int64s:
    entries_ms = plan.exit_times_ms - _spans_ms(lengths_m, course.speeds_ms) - course.waits_ms
    return np.where(kinds == Evasion.DOUBLE_EXIT, entries_ms[partners], entries_ms)


def _drivers(plan: Plan, kinds: NDArray[np.uint8], partners: Int64s) -> Vehicles:
    """Whose trips they are: half of the vehicles drive twice a day, and evaders show what they want to be seen."""
    count, half = len(kinds), (len(kinds) + 1) // 2
    free = kinds == Evasion.NONE
    free[partners[partners != NO_PARTNER]] = False
    second = free[half:] & free[: count - half]
    second &= plan.entry_times_ms[half:] > plan.exit_times_ms[: count - half] + REST_MS
    rows = np.r_[np.arange(half), np.where(second, np.arange(count - half), np.arange(half, count))]
    drivers = plan.vehicles.take(np.where(kinds == Evasion.DOUBLE_EXIT, partners, rows))
    twin, small = kinds == Evasion.ONE_PLATE_TWO_TAGS, kinds == Evasion.BIG_VEHICLE_SMALL_TAG
    return replace(
        drivers,
        plates=np.where(twin, drivers.plates[partners], drivers.plates),
        charged_types=np.where(small, SMALL_TYPE, drivers.charged_types).astype(np.uint8),
    )


def _pass_times(entries_ms: Int64s, course: _Course, starts: Int64s, lengths_m: Int64s) -> Int64s:
    """When each trip is in the middle of each of its intervals, (m,), to a second."""
    counts = np.diff(starts)
    ends_m = np.cumsum(lengths_m)
    before_m = np.r_[0, ends_m][starts[:-1]]
    driven_m = ends_m - lengths_m // 2 - np.repeat(before_m, counts)
    times_ms = np.repeat(entries_ms + LANE_MS, counts)
    times_ms += (driven_m / np.repeat(course.speeds_ms, counts)).astype(np.int64) * 1000
    times_ms[starts[1:] - 1] += course.waits_ms
    return times_ms


def _sums(values: Int64s, starts: Int64s) -> Int64s:
    """Of the values (m,) between `starts` (n + 1,)."""
    sums: Int64s = np.diff(np.r_[0, np.cumsum(values)][starts])
    return sums


def _spans_ms(lengths_m: Int64s, speeds_ms: Floats) -> Int64s:
    return np.ceil(lengths_m / speeds_ms).astype(np.int64) * 1000 + 2 * LANE_MS
