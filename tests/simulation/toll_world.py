"""A small toll network with trips, made once for all tests of the tolls."""

from __future__ import annotations

from datetime import date
from functools import cache
from typing import NamedTuple

from simulation.province import province
from simulation.toll_evasion import Evasion
from simulation.toll_network import TollNetwork, Ways, toll_network, ways
from simulation.toll_tariff import SyntheticTariff, synthetic_tariff
from simulation.toll_trips import TollTrips, toll_trips

DAY = date(2026, 3, 10)
COUNT = 6_000
SHARES = {kind: 0.01 for kind in Evasion if kind}


class World(NamedTuple):
    """A network, the ways over it, a tariff and trips."""

    network: TollNetwork
    ways: Ways
    tariff: SyntheticTariff
    trips: TollTrips


@cache
def world(seed: int = 1, *, day: date = DAY) -> World:
    """The world of a seed; the same object for the same arguments."""
    network = toll_network(province(seed), seed, intervals=240, stations=90)
    between = ways(network)
    trips = toll_trips(network, between, seed=seed, count=COUNT, day=day, shares=SHARES)
    return World(network, between, synthetic_tariff(network, seed), trips)
