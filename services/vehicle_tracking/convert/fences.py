"""Messages of fences.proto from domain values, and back."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from xiangtong.tracking.v1 import fences_pb2 as pb
from xiangtong.tracking.v1 import registry_service_pb2

from common.errors import InvalidInput, Violation
from services.vehicle_tracking.convert.registry import timestamp
from services.vehicle_tracking.domain.fences import (
    AlarmLevel,
    Circle,
    Corridor,
    Fence,
    FenceTrigger,
    Polygon,
    Ring,
    Shape,
    TimeWindow,
)
from services.vehicle_tracking.domain.positions import Int32s
from services.vehicle_tracking.domain.vehicles import VehicleKind


def fence_message(fence: Fence) -> pb.Fence:
    """A fence on the wire."""
    message = pb.Fence(
        fence_id=fence.fence_id,
        name=fence.name,
        vehicle_kinds=[registry_service_pb2.VehicleKind.ValueType(int(kind)) for kind in fence.vehicle_kinds],
        time_windows=[
            pb.TimeWindow(weekdays=w.weekdays, start_minute=w.start_minute, end_minute=w.end_minute)
            for w in fence.time_windows
        ],
        triggers=[pb.FenceTrigger.ValueType(int(trigger)) for trigger in fence.triggers],
        speed_kmh_max=fence.speed_kmh_max,
        hysteresis_m=fence.hysteresis_m,
        level=pb.AlarmLevel.ValueType(int(fence.level)),
        source_datum=fence.source_datum,
        enabled=fence.enabled,
        etag=fence.etag,
        update_time=timestamp(fence.update_time_ms),
    )
    if fence.dwell_ms:
        message.dwell.FromMilliseconds(fence.dwell_ms)
    _write_shape(message, fence.shape)
    return message


def fence_from(message: pb.Fence) -> Fence:
    """A fence from the wire; fence_violations says whether it is usable. Raises InvalidInput for what has no value in
    the domain: no shape, an unknown kind, trigger or level."""
    violations = [
        *_unknown("fence.vehicle_kinds", message.vehicle_kinds, VehicleKind),
        *_unknown("fence.triggers", message.triggers, FenceTrigger),
        *_unknown("fence.level", [message.level] if message.level else [], AlarmLevel),
    ]
    if message.WhichOneof("shape") is None:
        violations.append(Violation("fence.shape", "give a polygon, a circle or a corridor"))
    if violations:
        raise InvalidInput(*violations)
    return Fence(
        fence_id=message.fence_id,
        name=message.name.strip(),
        shape=_shape(message),
        vehicle_kinds=tuple(VehicleKind(kind) for kind in dict.fromkeys(message.vehicle_kinds)),
        time_windows=tuple(
            TimeWindow(tuple(window.weekdays), window.start_minute, window.end_minute)
            for window in message.time_windows
        ),
        triggers=tuple(FenceTrigger(trigger) for trigger in dict.fromkeys(message.triggers)),
        speed_kmh_max=message.speed_kmh_max,
        dwell_ms=message.dwell.seconds * 1000 + message.dwell.nanos // 1_000_000,
        hysteresis_m=message.hysteresis_m,
        level=AlarmLevel(message.level or AlarmLevel.MEDIUM),
        source_datum=message.source_datum,
        enabled=message.enabled,
        etag=message.etag,
    )


def _write_shape(message: pb.Fence, shape: Shape) -> None:
    match shape:
        case Polygon():
            for ring in shape.rings:
                message.polygon.rings.add(
                    longitudes_e7=ring.longitudes_e7.tolist(), latitudes_e7=ring.latitudes_e7.tolist()
                )
        case Circle():
            message.circle.MergeFrom(
                pb.CircleShape(longitude_e7=shape.longitude_e7, latitude_e7=shape.latitude_e7, radius_m=shape.radius_m)
            )
        case Corridor():
            message.corridor.longitudes_e7.extend(shape.longitudes_e7.tolist())
            message.corridor.latitudes_e7.extend(shape.latitudes_e7.tolist())
            message.corridor.width_m = shape.width_m


def _shape(message: pb.Fence) -> Shape:
    match message.WhichOneof("shape"):
        case "polygon":
            rings = message.polygon.rings
            return Polygon(tuple(Ring(_column(ring.longitudes_e7), _column(ring.latitudes_e7)) for ring in rings))
        case "circle":
            return Circle(message.circle.longitude_e7, message.circle.latitude_e7, message.circle.radius_m)
        case _:
            line = message.corridor
            return Corridor(_column(line.longitudes_e7), _column(line.latitudes_e7), line.width_m)


def _unknown(
    field: str, numbers: Iterable[int], words: type[VehicleKind] | type[FenceTrigger] | type[AlarmLevel]
) -> list[Violation]:
    known = {int(word) for word in words}
    return [Violation(field, f"{number} is none of {sorted(known)}") for number in numbers if number not in known][:1]


def _column(values: Iterable[int]) -> Int32s:
    return np.fromiter(values, np.int32)
