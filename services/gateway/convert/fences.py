"""Fences between messages and JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from xiangtong.tracking.v1 import fences_pb2 as pb
from xiangtong.tracking.v1 import registry_service_pb2

from services.gateway.convert.bodies import CircleShape, CorridorShape, FenceBody, Point, PolygonShape
from services.gateway.convert.values import degrees, e7, time_ms
from services.gateway.convert.words import KINDS, LEVELS, TRIGGERS

NANOS_PER_MS = 1_000_000


def fence_json(fence: pb.Fence) -> dict[str, Any]:
    """A fence as stored."""
    return {
        "fence_id": fence.fence_id,
        "name": fence.name,
        "shape": _shape_json(fence),
        "vehicle_kinds": KINDS.words(fence.vehicle_kinds),
        "triggers": TRIGGERS.words(fence.triggers),
        "level": LEVELS.word(fence.level),
        "speed_kmh_max": fence.speed_kmh_max,
        "dwell_s": (fence.dwell.seconds * 1000 + fence.dwell.nanos // NANOS_PER_MS) / 1000,
        "hysteresis_m": fence.hysteresis_m,
        "time_windows": [
            {"weekdays": list(w.weekdays), "start_minute": w.start_minute, "end_minute": w.end_minute}
            for w in fence.time_windows
        ],
        "source_datum": fence.source_datum,
        "enabled": fence.enabled,
        "etag": fence.etag,
        "update_time_ms": time_ms(fence.update_time),
    }


def fence_message(body: FenceBody, fence_id: int = 0) -> pb.Fence:
    """The message of what a browser sent; the api checks whether the fence makes sense."""
    message = pb.Fence(
        fence_id=fence_id,
        name=body.name,
        vehicle_kinds=[
            registry_service_pb2.VehicleKind.ValueType(n) for n in KINDS.numbers(body.vehicle_kinds, "vehicle_kinds")
        ],
        triggers=[pb.FenceTrigger.ValueType(n) for n in TRIGGERS.numbers(body.triggers, "triggers")],
        level=pb.AlarmLevel.ValueType(LEVELS.number(body.level, "level")),
        speed_kmh_max=body.speed_kmh_max,
        hysteresis_m=body.hysteresis_m,
        time_windows=[
            pb.TimeWindow(weekdays=w.weekdays, start_minute=w.start_minute, end_minute=w.end_minute)
            for w in body.time_windows
        ],
        source_datum=body.source_datum,
        enabled=body.enabled,
        etag=body.etag,
    )
    message.dwell.FromMilliseconds(round(body.dwell_s * 1000))
    _write_shape(message, body.shape)
    return message


def _shape_json(fence: pb.Fence) -> dict[str, Any]:
    match fence.WhichOneof("shape"):
        case "polygon":
            rings = [_points(ring.longitudes_e7, ring.latitudes_e7) for ring in fence.polygon.rings]
            return {"type": "polygon", "rings": rings}
        case "circle":
            circle = fence.circle
            centre = [degrees(circle.longitude_e7), degrees(circle.latitude_e7)]
            return {"type": "circle", "centre": centre, "radius_m": circle.radius_m}
        case _:
            corridor = fence.corridor
            line = _points(corridor.longitudes_e7, corridor.latitudes_e7)
            return {"type": "corridor", "line": line, "width_m": corridor.width_m}


def _points(longitudes_e7: Iterable[int], latitudes_e7: Iterable[int]) -> list[list[float]]:
    return [[degrees(lon), degrees(lat)] for lon, lat in zip(longitudes_e7, latitudes_e7, strict=True)]


def _write_shape(message: pb.Fence, shape: PolygonShape | CircleShape | CorridorShape) -> None:
    match shape:
        case PolygonShape():
            message.polygon.SetInParent()
            for ring in shape.rings:
                longitudes_e7, latitudes_e7 = _columns(ring)
                message.polygon.rings.add(longitudes_e7=longitudes_e7, latitudes_e7=latitudes_e7)
        case CircleShape():
            longitude, latitude = shape.centre
            message.circle.MergeFrom(
                pb.CircleShape(longitude_e7=e7(longitude), latitude_e7=e7(latitude), radius_m=shape.radius_m)
            )
            message.circle.SetInParent()
        case CorridorShape():
            longitudes_e7, latitudes_e7 = _columns(shape.line)
            corridor = pb.CorridorShape(longitudes_e7=longitudes_e7, latitudes_e7=latitudes_e7, width_m=shape.width_m)
            message.corridor.MergeFrom(corridor)
            message.corridor.SetInParent()


def _columns(points: Iterable[Point]) -> tuple[list[int], list[int]]:
    pairs = [(e7(longitude), e7(latitude)) for longitude, latitude in points]
    return [lon for lon, _ in pairs], [lat for _, lat in pairs]
