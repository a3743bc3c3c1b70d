"""Fence shapes as JSON columns and back."""

from __future__ import annotations

from typing import Any

import numpy as np

from services.vehicle_tracking.domain.fences import Circle, Corridor, Polygon, Ring, Shape
from services.vehicle_tracking.domain.positions import Int32s


def shape_to_json(shape: Shape) -> dict[str, Any]:
    """The shape as plain values; coordinates in 1e-7 degree."""
    match shape:
        case Polygon():
            return {"rings": [[ring.longitudes_e7.tolist(), ring.latitudes_e7.tolist()] for ring in shape.rings]}
        case Circle():
            return {"centre": [shape.longitude_e7, shape.latitude_e7], "radius_m": shape.radius_m}
        case Corridor():
            return {"line": [shape.longitudes_e7.tolist(), shape.latitudes_e7.tolist()], "width_m": shape.width_m}


def shape_from_json(value: dict[str, Any]) -> Shape:
    """The shape of what `shape_to_json` gave."""
    if "rings" in value:
        return Polygon(tuple(Ring(_column(lon), _column(lat)) for lon, lat in value["rings"]))
    if "centre" in value:
        longitude_e7, latitude_e7 = value["centre"]
        return Circle(longitude_e7, latitude_e7, value["radius_m"])
    longitudes_e7, latitudes_e7 = value["line"]
    return Corridor(_column(longitudes_e7), _column(latitudes_e7), value["width_m"])


def _column(values: list[int]) -> Int32s:
    return np.array(values, np.int32)
