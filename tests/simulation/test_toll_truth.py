"""The truth of charges and splits: against the trade's rounding vectors and a plain scalar retelling."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from simulation.toll_evasion import NO_PARTNER, Evasion
from simulation.toll_tariff import RATES_FEN_KM, SyntheticTariff
from simulation.toll_trips import TollTrips
from simulation.toll_truth import Charges, charged, owed, owner_amounts, split
from simulation.toll_vehicles import CPC, GREEN, OBU, Vehicles
from tests.simulation.toll_world import COUNT, world


def trip(
    prices_fen: list[int], *, vehicle_type: int = 1, media: int = OBU, klass: int = 0
) -> tuple[TollTrips, SyntheticTariff]:
    """One trip over intervals of these prices."""
    one, zero, count = np.ones(1, np.int64), np.zeros(1, np.uint8), len(prices_fen)
    types = np.array([vehicle_type], np.uint8)
    drivers = Vehicles(
        plates=one, cards=one, issuers=one, types=types, charged_types=types, classes=np.array([klass], np.uint8),
        seat_counts=np.array([5], np.int32), axle_counts=zero, media_types=np.array([media], np.uint8), pay_types=zero,
        fee_classes=zero,
    )  # fmt: skip
    stations = np.zeros(1, np.int32)
    trips = TollTrips(
        vehicles=drivers, entry_stations=stations, exit_stations=stations, lanes=one, entry_times_ms=one,
        exit_times_ms=one, starts=np.array([0, count]), numbers=np.arange(count, dtype=np.int32),
        pass_times_ms=np.arange(count), seen=np.ones(count, np.bool_), kinds=zero, partners=np.array([NO_PARTNER]),
    )  # fmt: skip
    prices = np.repeat(np.array(prices_fen)[None, :, None], len(RATES_FEN_KM), axis=2)
    return trips, SyntheticTariff(prices, np.zeros(1, np.int64), np.ones(count, np.bool_))


@pytest.mark.parametrize(
    ("price", "vehicle_type", "media", "charge"),
    [
        (9_274, 1, OBU, 8_810),  # half-up of 95 %
        (6_438, 1, OBU, 6_080),  # 95 % of whole yuan is less
        (706, 1, OBU, 665),
        (1_020, 1, OBU, 950),
        (25_544, 16, OBU, 21_712),  # a truck has no second arm
        (1_297, 1, CPC, 1_300),
        (4_509, 1, CPC, 4_500),
        (149, 1, CPC, 100),
        (150, 1, CPC, 200),
    ],
)
def test_charges_are_rounded_as_was_measured(price: int, vehicle_type: int, media: int, charge: int) -> None:
    trips, tariff = trip([price], vehicle_type=vehicle_type, media=media)
    assert charged(trips, tariff).charges_fen.tolist() == [charge]


@pytest.mark.parametrize(
    ("price", "vehicle_type", "fee"), [(10, 1, 10), (30, 1, 29), (110, 1, 105), (10, 11, 9), (30, 11, 26)]
)
def test_the_fee_of_an_interval_is_rounded_half_up(price: int, vehicle_type: int, fee: int) -> None:
    trips, tariff = trip([price, 1_000], vehicle_type=vehicle_type)
    assert charged(trips, tariff).fees_fen[0] == fee


def test_green_passage_is_free_whatever_the_way() -> None:
    trips, tariff = trip([7_600], vehicle_type=14, klass=GREEN)
    assert charged(trips, tariff).charges_fen.tolist() == [0]
    assert split(trips, charged(trips, tariff)).tolist() == [0]


def test_what_is_left_over_goes_to_the_largest_remainder_and_of_equals_to_the_lower_id() -> None:
    trips, _ = trip([1, 1, 1])
    three = Charges(np.array([100]), np.array([1, 1, 1]))
    assert split(trips, three).tolist() == [34, 33, 33]
    assert split(replace(trips, numbers=np.array([2, 1, 0], np.int32)), three).tolist() == [33, 33, 34]
    assert split(trips, Charges(np.array([10]), np.array([55, 25, 20]))).tolist() == [6, 2, 2]


def test_the_split_of_every_trip_is_its_charge_and_so_are_the_owners_amounts() -> None:
    network, _, tariff, trips = world()
    charges = charged(trips, tariff)
    parts = split(trips, charges)
    assert (parts >= 0).all()
    assert (np.add.reduceat(parts, trips.starts[:-1]) == charges.charges_fen).all()
    rows, owners, amounts = owner_amounts(trips, network, parts)
    assert (np.bincount(rows, weights=amounts, minlength=COUNT).astype(np.int64) == charges.charges_fen).all()
    assert (amounts > 0).all() and owners.max() < len(network.owners)


def test_who_evades_by_a_small_tag_a_shield_or_a_gap_owes_more_and_nobody_owes_less() -> None:
    _, _, tariff, trips = world()
    short = owed(trips, tariff).charges_fen - charged(trips, tariff).charges_fen
    hiding = np.isin(trips.kinds, (Evasion.BIG_VEHICLE_SMALL_TAG, Evasion.SHIELDED_OBU, Evasion.PATH_GAP))
    assert (short[~hiding] == 0).all()
    assert (short >= 0).all()
    assert (short[hiding] > 0).mean() > 0.9


def test_on_a_holiday_small_passenger_vehicles_are_free_and_eight_seats_are_not_small() -> None:
    _, _, tariff, trips = world(day=date(2026, 10, 1))
    free = charged(trips, tariff).charges_fen == 0
    seats = trips.vehicles.seat_counts
    assert free[(seats > 0) & (seats <= 7)].all()
    assert not free[seats > 7].any()
