"""Vehicles, tracks, regions and enterprises as JSON values."""

from __future__ import annotations

from typing import Any

from xiangtong.tracking.v1 import registry_service_pb2
from xiangtong.tracking.v1 import tracking_service_pb2 as pb

from common.errors import InvalidInput, Violation
from services.gateway.convert.values import UNSIGNED, degrees, e7, tenths, time_ms
from services.gateway.convert.words import KINDS

Json = dict[str, Any]

TRACK_COLUMNS = (
    "fix_times_ms",
    "longitudes_e7",
    "latitudes_e7",
    "speeds_01kmh",
    "headings_deg",
    "alarm_words",
    "status_words",
)
BOX_NUMBERS = 4


def vehicle_json(tracked: pb.TrackedVehicle) -> Json:
    """A vehicle with its latest state."""
    vehicle = tracked.vehicle
    return {
        "vehicle_id": vehicle.vehicle_id,
        "plate": vehicle.plate,
        "plate_colour": vehicle.plate_colour,
        "kind": KINDS.word(vehicle.kind),
        "enterprise_id": vehicle.enterprise_id,
        "region_code": vehicle.region_code,
        "speed_kmh_max": vehicle.speed_kmh_max,
        "vin": vehicle.vin,
        "online": tracked.online,
        "latest_position": _latest_json(tracked.latest_position) if tracked.HasField("latest_position") else None,
    }


def track_json(vehicle_id: int, response: pb.GetTrackResponse) -> Json:
    """A page of a track as columns."""
    positions = response.positions
    columns: Json = {name: list(getattr(positions, name)) for name in TRACK_COLUMNS}
    for name in ("alarm_words", "status_words"):
        columns[name] = [word & UNSIGNED for word in columns[name]]
    return {
        "vehicle_id": vehicle_id,
        **columns,
        "quality_flags": list(response.quality_flags),
        "next_page_token": response.next_page_token,
    }


def region_json(region: registry_service_pb2.Region) -> Json:
    """A region."""
    return {name: getattr(region, name) for name in ("region_code", "name", "english_name", "plate_prefix")}


def enterprise_json(enterprise: registry_service_pb2.Enterprise) -> Json:
    """An enterprise."""
    return {name: getattr(enterprise, name) for name in ("enterprise_id", "name", "credit_code", "region_code")}


def position_filter(
    *, kinds: list[str], region_codes: list[str], enterprise_ids: list[int], bounding_box: str
) -> pb.PositionFilter:
    """Which vehicles a query asks for. Raises InvalidInput."""
    wanted = pb.PositionFilter(
        region_codes=region_codes,
        enterprise_ids=enterprise_ids,
        vehicle_kinds=[registry_service_pb2.VehicleKind.ValueType(n) for n in KINDS.numbers(kinds, "kinds")],
    )
    if bounding_box:
        west, south, east, north = map(e7, _box(bounding_box))
        wanted.bounding_box.MergeFrom(pb.BoundingBox(west_e7=west, south_e7=south, east_e7=east, north_e7=north))
    return wanted


def _box(text: str) -> list[float]:
    try:
        box = [float(part) for part in text.split(",")]
    except ValueError:
        box = []
    if len(box) != BOX_NUMBERS or not (-180 <= box[0] <= box[2] <= 180 and -90 <= box[1] <= box[3] <= 90):
        raise InvalidInput(Violation("bounding_box", "give west,south,east,north in degrees"))
    return box


def _latest_json(latest: pb.LatestPosition) -> Json:
    return {
        "fix_time_ms": time_ms(latest.fix_time),
        "longitude": degrees(latest.longitude_e7),
        "latitude": degrees(latest.latitude_e7),
        "speed_kmh": tenths(latest.speed_01kmh),
        "heading_deg": latest.heading_deg,
        "altitude_m": latest.altitude_m,
        "alarm_word": latest.alarm_word & UNSIGNED,
        "status_word": latest.status_word & UNSIGNED,
        "odometer_km": None if latest.odometer_01km < 0 else tenths(latest.odometer_01km),
    }
