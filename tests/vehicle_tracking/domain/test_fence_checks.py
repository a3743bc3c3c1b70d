"""Checks of fences."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from services.vehicle_tracking.domain.fence_checks import fence_violations, shape_violations
from services.vehicle_tracking.domain.fences import Circle, Corridor, Fence, Polygon, Ring, Shape, TimeWindow

GOOD = Fence(0, "甲", Circle(1_129_000_000, 282_000_000, 500))


def ring(*points: tuple[float, float]) -> Ring:
    columns = np.array(points).T * 1e7
    return Ring(columns[0].astype(np.int32), columns[1].astype(np.int32))


SQUARE = ring((112, 28), (113, 28), (113, 29), (112, 29))
HOLE = ring((112.2, 28.2), (112.4, 28.2), (112.4, 28.4))


@pytest.mark.parametrize("shape", [Polygon((SQUARE,)), Polygon((SQUARE, HOLE)), GOOD.shape])
def test_a_usable_shape_has_nothing_wrong(shape: Shape) -> None:
    assert shape_violations(shape) == []


def test_a_ring_that_crosses_itself_is_refused_with_the_place() -> None:
    bow = ring((112, 28), (113, 29), (113, 28), (112, 29))
    (found,) = shape_violations(Polygon((SQUARE, bow)))
    assert found.field == "polygon.rings[1]"
    assert "112.5 28.5" in found.message


def test_rings_that_cross_each_other_are_refused_with_the_place() -> None:
    other = ring((112.5, 28.5), (113.5, 28.5), (113.5, 28.7))
    (found,) = shape_violations(Polygon((SQUARE, other)))
    assert found.field == "polygon.rings[1]"
    assert "113.000000 28." in found.message


LINE = SQUARE.longitudes_e7, SQUARE.latitudes_e7


@pytest.mark.parametrize(
    ("shape", "field"),
    [
        (Polygon(()), "polygon.rings"),
        (Polygon((SQUARE,) * 1001), "polygon.rings"),
        (Polygon((ring((1, 1), (2, 2)),)), "polygon.rings[0]"),
        (Polygon((Ring(SQUARE.longitudes_e7, SQUARE.latitudes_e7[:3]),)), "polygon.rings[0]"),
        (Circle(1_900_000_000, 0, 5), "circle"),
        (Circle(0, 0, 0), "circle.radius_m"),
        (Circle(0, 0, 200_001), "circle.radius_m"),
        (Corridor(LINE[0][:1], LINE[1][:1], 10), "corridor"),
        (Corridor(LINE[0][:1].repeat(2), LINE[1][:1].repeat(2), 10), "corridor"),
        (Corridor(*LINE, 0), "corridor.width_m"),
    ],
)
def test_a_shape_out_of_bounds_is_refused(shape: Shape, field: str) -> None:
    assert [v.field for v in shape_violations(shape)] == [field]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", " "),
        ("speed_kmh_max", 201),
        ("hysteresis_m", -1),
        ("source_datum", "WGS-84"),
        ("time_windows[0].weekdays", (TimeWindow((8,), 0, 1),)),
        ("time_windows[0].start_minute", (TimeWindow((), 1440, 1),)),
        ("time_windows[0].end_minute", (TimeWindow((), 0, 0),)),
    ],
)
def test_a_wrong_field_is_named_alone(field: str, value: object) -> None:
    assert fence_violations(GOOD) == []
    wrong = replace(GOOD, **{field.partition("[")[0]: value})  # type: ignore[arg-type]
    assert [v.field for v in fence_violations(wrong)] == [field]
