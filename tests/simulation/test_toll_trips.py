"""Trips: the same from the same seed, possible in space and time, and as many and as long as in the trade."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime
from itertools import pairwise

import numpy as np

from simulation.toll_evasion import Evasion
from simulation.toll_trips import INTERVALS_MEAN, toll_trips
from simulation.toll_vehicles import OBU
from tests.simulation.toll_world import COUNT, DAY, world


def test_the_same_seed_makes_the_same_trips() -> None:
    network, between, _, trips = world()
    same, other = (toll_trips(network, between, seed=seed, count=300, day=DAY) for seed in (1, 2))
    again = toll_trips(network, between, seed=1, count=300, day=DAY)
    for field in fields(same):
        if field.name != "vehicles":
            assert np.array_equal(getattr(same, field.name), getattr(again, field.name)), field.name
    assert not np.array_equal(same.exit_times_ms, other.exit_times_ms)
    assert len(trips) == COUNT


def test_all_leave_on_the_day_in_rising_order_and_more_of_them_by_day() -> None:
    exits_ms = world().trips.exit_times_ms
    midnight_ms = round(datetime.fromisoformat("2026-03-10T00:00:00+08:00").timestamp() * 1000)
    assert (np.diff(exits_ms) >= 0).all()
    assert midnight_ms <= exits_ms[0] and exits_ms[-1] < midnight_ms + 86_400_000
    hours = np.bincount((exits_ms - midnight_ms) // 3_600_000, minlength=24) / COUNT
    assert 0.045 < hours.max() < 0.075
    assert hours[2] < hours[8] / 3


def test_a_trip_enters_then_passes_its_intervals_in_order_then_leaves() -> None:
    trips = world().trips
    within = np.diff(trips.rows) == 0
    assert (np.diff(trips.pass_times_ms)[within] > 0).all()
    assert (trips.entry_times_ms < trips.pass_times_ms[trips.starts[:-1]]).all()
    assert (trips.pass_times_ms[trips.starts[1:] - 1] < trips.exit_times_ms).all()


def test_intervals_join_the_entry_station_to_the_exit_station() -> None:
    network, _, _, trips = world()
    for row in range(0, COUNT, 50):
        driven = [network.intervals[n] for n in trips.numbers[trips.starts[row] : trips.starts[row + 1]].tolist()]
        assert driven[0].start == network.stations[trips.entry_stations[row]].node
        assert driven[-1].end == network.stations[trips.exit_stations[row]].node
        assert all(one.end == other.start for one, other in pairwise(driven))


def test_trips_are_as_long_as_in_the_trade() -> None:
    counts = np.diff(world().trips.starts)
    honest = counts[world().trips.kinds == Evasion.NONE]
    assert abs(honest.mean() - INTERVALS_MEAN) < 1  # the network is small, and the long trips are the evaders
    assert np.median(honest) < honest.mean()


def test_a_vehicle_is_one_trip_at_a_time_and_some_drive_twice() -> None:
    trips = world().trips
    honest = np.flatnonzero(trips.kinds == Evasion.NONE)
    order = honest[np.lexsort((trips.entry_times_ms[honest], trips.vehicles.cards[honest]))]
    same = np.diff(trips.vehicles.cards[order]) == 0
    assert 0.2 < same.mean() < 0.5
    assert (trips.exit_times_ms[order[:-1]][same] < trips.entry_times_ms[order[1:]][same]).all()
    assert (np.diff(trips.vehicles.types[order].astype(int))[same] == 0).all()


def test_etc_has_its_share() -> None:
    assert abs((world().trips.vehicles.media_types == OBU).mean() - 0.683) < 0.03
