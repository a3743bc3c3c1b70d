"""The register of a simulated province: made-up plates, phones and firms."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import grpc
import numpy as np
from xiangtong.tracking.v1 import registry_service_pb2 as registry
from xiangtong.tracking.v1.registry_service_pb2_grpc import RegistryServiceStub

from simulation.frames import Identity
from simulation.places import SEATS
from simulation.province import Kind

PREFIX_LETTERS = "ABCDEFJGHLMNKU"  # in the order of the prefectures' codes, as places.SEATS has them
PLATE_PREFIXES = {seat.region_code: f"湘{letter}" for seat, letter in zip(SEATS, PREFIX_LETTERS, strict=True)}
PLATE_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"  # plates leave out I and O
PHONE_FIRST = 19_900_000_000  # a block that no operator has given out
PHONE_REPLAY_FIRST = 19_909_000_000
COLOURS = {Kind.TAXI: 1, Kind.BUS: 93}  # the rest is yellow
COLOUR_YELLOW = 2
FIRMS = {
    Kind.COACH: "客运公司",
    Kind.TOUR_COACH: "旅游客运公司",
    Kind.CHARTER: "包车公司",
    Kind.HAZMAT: "危货运输公司",
    Kind.BUS: "公交公司",
    Kind.TAXI: "出租车公司",
    Kind.FREIGHT: "货运公司",
    Kind.OTHER: "",
}
IMPORT_ROWS = 2_000
IMPORT_TIMEOUT_S = 120.0


class Car(NamedTuple):
    """A simulated vehicle as the register knows it."""

    identity: Identity
    kind: Kind
    enterprise_name: str
    speed_kmh_max: int = 0


def cars(kinds: Sequence[int], region_codes: Sequence[str], *, seed: int) -> list[Car]:
    """One car per kind and region, the same for the same seed; some have a limit of their own; all three editions."""
    rng = np.random.default_rng([seed, 1])
    own_limits = np.where(rng.random(len(kinds)) < 1 / 16, rng.choice([70, 80, 90], len(kinds)), 0)
    editions = rng.choice([2011, 2013, 2013, 2019, 2019], len(kinds))
    return [
        Car(
            Identity(
                str(PHONE_FIRST + n), _plate(n, region), COLOURS.get(Kind(kind), COLOUR_YELLOW), int(edition), region
            ),
            Kind(kind),
            f"模拟{PLATE_PREFIXES[region]}{FIRMS[Kind(kind)]}{n % 3 + 1}",
            int(own) if Kind(kind) in (Kind.COACH, Kind.TOUR_COACH, Kind.CHARTER, Kind.FREIGHT) else 0,
        )
        for n, (kind, region, own, edition) in enumerate(zip(kinds, region_codes, own_limits, editions, strict=True))
    ]


def row(car: Car) -> registry.RegisterRow:
    """The register row of a car."""
    return registry.RegisterRow(
        plate=car.identity.plate,
        plate_colour=car.identity.plate_colour,
        kind=registry.VehicleKind.ValueType(int(car.kind)),
        enterprise_name=car.enterprise_name,
        region_code=car.identity.region_code,
        speed_kmh_max=car.speed_kmh_max,
        phone=car.identity.phone,
    )


def import_cars(channel: grpc.Channel, fleet: Sequence[Car]) -> Iterator[list[int]]:
    """Put the cars into the register, IMPORT_ROWS a call, and give the ids of each call. A refused row is an error."""
    stub = RegistryServiceStub(channel)
    for start in range(0, len(fleet), IMPORT_ROWS):
        request = registry.ImportRegisterRequest(rows=[row(car) for car in fleet[start : start + IMPORT_ROWS]])
        results = stub.ImportRegister(request, timeout=IMPORT_TIMEOUT_S).results
        for car, result in zip(fleet[start:], results, strict=False):
            if result.outcome == registry.REGISTER_ROW_OUTCOME_REJECTED:
                raise ValueError(f"the register refused {car.identity.plate}: {result.field}: {result.message}")
        yield [result.vehicle_id for result in results]


def _plate(number: int, region_code: str) -> str:
    """Two letters (the first is S up to 24,000 plates) and three digits after the prefix."""
    high, low = divmod(number, 1000)
    first, second = divmod(high, len(PLATE_LETTERS))
    return f"{PLATE_PREFIXES[region_code]}{PLATE_LETTERS[(16 + first) % 24]}{PLATE_LETTERS[second]}{low:03d}"
