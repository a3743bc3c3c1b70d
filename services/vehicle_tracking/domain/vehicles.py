"""Vehicles as the rules need them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class VehicleKind(IntEnum):
    """What a vehicle is used for; the numbers are those of registry_service.proto."""

    COACH = 1
    TOUR_COACH = 2
    CHARTER = 3
    HAZMAT = 4
    BUS = 5
    TAXI = 6
    FREIGHT = 7
    OTHER = 8


@dataclass(frozen=True, slots=True)
class Vehicle:
    """One row of the register. `speed_kmh_max`: own limit, 0 for the default of its kind."""

    vehicle_id: int
    plate: str
    plate_colour: int
    kind: VehicleKind
    enterprise_id: int = 0
    region_code: str = ""
    speed_kmh_max: int = 0
    vin: str = ""
    etag: str = ""
    update_time_ms: int = 0
