"""Fences as messages and as JSON, and back."""

from __future__ import annotations

import json

import numpy as np
import pytest
from xiangtong.tracking.v1 import fences_pb2

from common.errors import InvalidInput
from services.vehicle_tracking.convert.fence_json import shape_from_json, shape_to_json
from services.vehicle_tracking.convert.fences import fence_from, fence_message
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
from services.vehicle_tracking.domain.vehicles import VehicleKind

LON, LAT = np.array([1, 2, 3], np.int32), np.array([4, 5, -6], np.int32)
SHAPES = [Polygon((Ring(LON, LAT), Ring(LAT, LON))), Circle(1, 2, 3), Corridor(LON, LAT, 20)]


@pytest.mark.parametrize("shape", SHAPES)
def test_a_shape_survives_json(shape: Shape) -> None:
    again = shape_from_json(json.loads(json.dumps(shape_to_json(shape))))
    assert repr(again) == repr(shape)  # arrays have no truth value to compare by


@pytest.mark.parametrize("shape", SHAPES)
def test_a_fence_survives_the_wire(shape: Shape) -> None:
    fence = Fence(
        1, "甲", shape, (VehicleKind.BUS,), (TimeWindow((1, 7), 60, 30),), (FenceTrigger.CROSS,), 60, 1500, 20,
        AlarmLevel.HIGH, "BD09", False, "e",
    )  # fmt: skip
    assert repr(fence_from(fence_message(fence))) == repr(fence)


def test_a_level_that_is_not_said_is_medium() -> None:
    message = fences_pb2.Fence(circle=fences_pb2.CircleShape(radius_m=1))
    assert fence_from(message).level is AlarmLevel.MEDIUM


def test_unknown_words_and_a_missing_shape_are_refused_by_name() -> None:
    with pytest.raises(InvalidInput) as refusal:
        fence_from(fences_pb2.Fence(triggers=[9], level=9))  # type: ignore[list-item, arg-type]
    assert [v.field for v in refusal.value.violations] == ["fence.triggers", "fence.level", "fence.shape"]
