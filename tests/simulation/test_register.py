"""The made-up register: unique plates and phones, the same for the same seed."""

from __future__ import annotations

import re

from simulation.places import SEATS
from simulation.province import Kind
from simulation.register import PLATE_PREFIXES, cars, row

PLATE = re.compile(r"^湘[ABCDEFGHJKLMNU][A-HJ-NP-Z]{2}\d{3}$")


def fleet(count: int, seed: int = 1) -> list[tuple[int, str]]:
    kinds = [int(kind) for kind in Kind]
    return [(kinds[n % len(kinds)], SEATS[n % len(SEATS)].region_code) for n in range(count)]


def test_plates_and_phones_are_unique_and_well_formed() -> None:
    kinds, regions = zip(*fleet(20_000), strict=True)
    made = cars(kinds, regions, seed=1)
    assert len({(car.identity.plate, car.identity.plate_colour) for car in made}) == len(made)
    assert len({car.identity.phone for car in made}) == len(made)
    assert all(PLATE.match(car.identity.plate) for car in made)
    assert all(car.identity.plate.startswith(PLATE_PREFIXES[car.identity.region_code]) for car in made)


def test_the_same_seed_makes_the_same_cars_of_all_three_editions() -> None:
    kinds, regions = zip(*fleet(300), strict=True)
    assert cars(kinds, regions, seed=4) == cars(kinds, regions, seed=4)
    assert {car.identity.edition for car in cars(kinds, regions, seed=4)} == {2011, 2013, 2019}


def test_a_register_row_says_what_the_car_is() -> None:
    [car] = cars([int(Kind.TAXI)], ["430100"], seed=1)
    made = row(car)
    assert (made.plate, made.phone, made.plate_colour) == (car.identity.plate, car.identity.phone, 1)
    assert made.kind == int(Kind.TAXI) and made.region_code == "430100"
