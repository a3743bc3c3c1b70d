"""Fences that a province would draw: towns, sights, works, banned cores and slow roads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import grpc
import numpy as np
from google.protobuf.duration_pb2 import Duration
from xiangtong.tracking.v1 import fences_pb2, registry_service_pb2, tracking_service_pb2
from xiangtong.tracking.v1.tracking_service_pb2_grpc import TrackingServiceStub

from simulation.places import COUNTIES, INDUSTRY, SEATS, SIGHTS, Place
from simulation.province import Floats, Kind, Province

ENTER = fences_pb2.FENCE_TRIGGER_ENTER
EXIT = fences_pb2.FENCE_TRIGGER_EXIT
CROSS = fences_pb2.FENCE_TRIGGER_CROSS
COACHES = (Kind.COACH, Kind.TOUR_COACH, Kind.CHARTER)
PASSENGERS_AND_HAZMAT = (*COACHES, Kind.HAZMAT)
TIMEOUT_S = 30.0
PAGE = 1000


def fences(province: Province) -> list[fences_pb2.Fence]:
    """The fences of a province, without ids, always the same."""
    places = province.places
    return [*_towns(), *_cores(), *_sights(places), *_works(places), *_roads(province), *_gates()]


def ensure_fences(channel: grpc.Channel, province: Province) -> int:
    """Create those fences whose names are missing; gives how many were made."""
    stub = TrackingServiceStub(channel)
    known, token = set[str](), ""
    while True:
        page = stub.ListFences(
            tracking_service_pb2.ListFencesRequest(page_size=PAGE, page_token=token), timeout=TIMEOUT_S
        )
        known |= {fence.name for fence in page.fences}
        token = page.next_page_token
        if not token:
            break
    missing = [fence for fence in fences(province) if fence.name not in known]
    for fence in missing:
        stub.CreateFence(
            tracking_service_pb2.CreateFenceRequest(fence=fence, request_id=f"simulation-{fence.name}"),
            timeout=TIMEOUT_S,
        )
    return len(missing)


def _towns() -> Iterator[fences_pb2.Fence]:
    """Every prefecture seat as a twelve-sided polygon: coaches in and out, with dwell and hysteresis."""
    for number, seat in enumerate(SEATS):
        fence = _fence(f"{seat.name}城区", (ENTER, EXIT), kinds=COACHES, level=fences_pb2.ALARM_LEVEL_LOW)
        fence.polygon.rings.append(_ring(seat, 6_000, corners=12))
        fence.dwell.CopyFrom(Duration(seconds=(0, 30, 60)[number % 3]))
        fence.hysteresis_m = (0, 100)[number % 2]
        yield fence


def _cores() -> Iterator[fences_pb2.Fence]:
    """A ring around the largest towns, its middle left out: hazmat banned; by day only where the number is odd."""
    for number, seat in enumerate(SEATS[:8]):
        fence = _fence(
            f"{seat.name}危货禁行环", (ENTER, CROSS), kinds=(Kind.HAZMAT,), level=fences_pb2.ALARM_LEVEL_HIGH
        )
        fence.polygon.rings.extend([_ring(seat, 9_000, corners=16), _ring(seat, 2_500, corners=8)])
        if number % 2:
            fence.time_windows.append(fences_pb2.TimeWindow(start_minute=6 * 60, end_minute=22 * 60))
        yield fence


def _sights(places: dict[str, Place]) -> Iterator[fences_pb2.Fence]:
    for name in SIGHTS:
        fence = _fence(f"{name}景区", (ENTER, EXIT), kinds=(Kind.TOUR_COACH, Kind.CHARTER))
        _circle(fence, places[name], 3_000)
        fence.hysteresis_m = 200
        fence.speed_kmh_max = 50
        yield fence


def _works(places: dict[str, Place]) -> Iterator[fences_pb2.Fence]:
    for name in INDUSTRY:
        fence = _fence(f"{name}化工园", (ENTER, EXIT), kinds=(Kind.HAZMAT, Kind.FREIGHT))
        _circle(fence, places[name], 1_500)
        yield fence


def _roads(province: Province) -> Iterator[fences_pb2.Fence]:
    """A slow stretch on every fourth road: a corridor with a limit, for all kinds; some at night over midnight."""
    for number, ((start, end), road) in enumerate(sorted(province.roads.items(), key=lambda item: item[0])):
        if number % 4 or start > end:
            continue
        fence = _fence(f"{start}—{end}限速段", (), level=fences_pb2.ALARM_LEVEL_MEDIUM)
        middle = len(road.points) // 2
        longitudes, latitudes = _e7(road.points[middle - 2 : middle + 3])
        fence.corridor.longitudes_e7.extend(longitudes)
        fence.corridor.latitudes_e7.extend(latitudes)
        fence.corridor.width_m = 200
        fence.speed_kmh_max = 70
        if number % 8:
            fence.time_windows.append(fences_pb2.TimeWindow(start_minute=20 * 60, end_minute=6 * 60))
        yield fence


def _gates() -> Iterator[fences_pb2.Fence]:
    """Narrow circles and strips in the way of every county's traffic, which a vehicle may cross between two fixes."""
    for number, county in enumerate(COUNTIES):
        fence = _fence(f"{county.name}卡口", (ENTER, EXIT, CROSS), kinds=PASSENGERS_AND_HAZMAT if number % 3 else ())
        if number % 2:
            _circle(fence, county, 120)
        else:
            fence.polygon.rings.append(_ring(county, 150, corners=4))
        yield fence


def _fence(
    name: str,
    triggers: Sequence[fences_pb2.FenceTrigger.ValueType],
    *,
    kinds: Sequence[Kind] = (),
    level: fences_pb2.AlarmLevel.ValueType = fences_pb2.ALARM_LEVEL_MEDIUM,
) -> fences_pb2.Fence:
    return fences_pb2.Fence(
        name=name,
        triggers=triggers,
        vehicle_kinds=[registry_service_pb2.VehicleKind.ValueType(int(kind)) for kind in kinds],
        level=level,
        source_datum="WGS84",
        enabled=True,
    )


def _circle(fence: fences_pb2.Fence, place: Place, radius_m: int) -> None:
    fence.circle.longitude_e7 = round(place.longitude * 1e7)
    fence.circle.latitude_e7 = round(place.latitude * 1e7)
    fence.circle.radius_m = radius_m


def _ring(place: Place, radius_m: float, *, corners: int) -> fences_pb2.Ring:
    angles = np.arange(corners) * 2 * np.pi / corners + 0.1
    degrees = np.degrees(radius_m / 6_371_008.8)
    east = np.cos(angles) * degrees / np.cos(np.radians(place.latitude))
    longitudes, latitudes = _e7(np.stack([place.longitude + east, place.latitude + np.sin(angles) * degrees], axis=1))
    return fences_pb2.Ring(longitudes_e7=longitudes, latitudes_e7=latitudes)


def _e7(points: Floats) -> tuple[list[int], list[int]]:
    scaled = np.rint(points * 1e7).astype(np.int64)
    return scaled[:, 0].tolist(), scaled[:, 1].tolist()
