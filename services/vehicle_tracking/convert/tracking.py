"""Messages of tracking_service.proto that carry vehicles and filters, from domain values and back."""

from __future__ import annotations

import numpy as np
from xiangtong.tracking.v1 import tracking_service_pb2 as pb

from common.errors import InvalidInput, Violation
from services.vehicle_tracking.convert.registry import timestamp, vehicle_message
from services.vehicle_tracking.domain.live_filters import Filter
from services.vehicle_tracking.domain.vehicles import Vehicle

FILTER_VALUES_MAX = 1000


def filter_from(message: pb.PositionFilter) -> Filter:
    """Which vehicles. Raises InvalidInput."""
    violations = [
        Violation(f"filter.{name}", f"give at most {FILTER_VALUES_MAX}")
        for name in ("region_codes", "enterprise_ids", "vehicle_kinds")
        if len(getattr(message, name)) > FILTER_VALUES_MAX
    ]
    if not all(code.isascii() and code.isdigit() and len(code) == 6 for code in message.region_codes):
        violations.append(Violation("filter.region_codes", "give codes of six digits, such as 430100"))
    box = None
    if message.HasField("bounding_box"):
        given = message.bounding_box
        box = (given.west_e7, given.south_e7, given.east_e7, given.north_e7)
        if given.west_e7 > given.east_e7 or given.south_e7 > given.north_e7:
            violations.append(Violation("filter.bounding_box", "west must not exceed east, nor south north"))
    if violations:
        raise InvalidInput(*violations)
    return Filter(
        frozenset(message.region_codes),
        frozenset(message.enterprise_ids),
        frozenset(int(kind) for kind in message.vehicle_kinds),
        box,
    )


def tracked_message(vehicle: Vehicle, record: np.void | None) -> pb.TrackedVehicle:
    """A vehicle with its LIVE_RECORD, if it has one yet."""
    if record is None:
        return pb.TrackedVehicle(vehicle=vehicle_message(vehicle))
    latest = pb.LatestPosition(
        fix_time=timestamp(int(record["fix_time_ms"])),
        longitude_e7=int(record["longitude_e7"]),
        latitude_e7=int(record["latitude_e7"]),
        speed_01kmh=int(record["speed_01kmh"]),
        heading_deg=int(record["heading_deg"]),
        altitude_m=int(record["altitude_m"]),
        alarm_word=int(record["alarm_word"]),
        status_word=int(record["status_word"]),
        odometer_01km=int(record["odometer_01km"]),
    )
    return pb.TrackedVehicle(vehicle=vehicle_message(vehicle), latest_position=latest, online=bool(record["online"]))
