"""Draws the console's base map (web/src/map/shapes.json) from public coordinates: schematic, and labelled so.

The outline, the rivers and the lake are drawn by hand, to about ten kilometres. A prefecture is what lies nearest to
its county seats. See docs/decisions/base-map.md.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import mapping
from shapely.geometry.base import BaseGeometry

from scripts.map_outlines import LAKES, MORE_COUNTIES, NEIGHBOURS, OUTLINE, RIVERS
from services.vehicle_tracking.domain.register import REGIONS
from simulation.places import COUNTIES, EXPRESSWAYS, SEATS, Place
from simulation.province import province

SHAPES = Path(__file__).resolve().parent.parent / "web" / "src" / "map" / "shapes.json"
SMOOTHINGS = 3
SEED = 1  # courses of roads as `xiangtong run` drives them, so that its vehicles are seen on the roads
ROAD_TOLERANCE_DEG = 0.0003
PREFECTURES = [region for region in REGIONS if region.plate_prefix]
DIGITS = 4  # ten metres: finer than anything drawn here
Feature = dict[str, Any]


def shapes() -> dict[str, Any]:
    """One GeoJSON collection a layer."""
    places = (*SEATS, *COUNTIES, *MORE_COUNTIES)
    courses = province(SEED).roads
    roads = [_road(way.name, [courses[pair].points for pair in pairwise(way.places)]) for way in EXPRESSWAYS]
    neighbours = [_place(place, english, rank=0) for place, english in NEIGHBOURS]
    layers = {
        "prefectures": list(_prefectures(places)),
        "province": [_feature(shapely.Polygon(_smooth_ring(OUTLINE)), {})],
        "rivers": [_feature(shapely.LineString(_smooth(line)), {"name": name}) for name, line in RIVERS],
        "lakes": [_feature(shapely.Polygon(_smooth_ring(ring)), {"name": name}) for name, ring in LAKES],
        "roads": roads,
        "places": [_place(seat, _english_name(seat), rank=1) for seat in SEATS]
        + [_place(town, "", rank=2) for town in places[len(SEATS) :]],
        "neighbours": neighbours,
    }
    return {name: {"type": "FeatureCollection", "features": features} for name, features in layers.items()}


def text() -> str:
    """The file's content; the same every time."""
    return json.dumps(shapes(), ensure_ascii=False, separators=(",", ":"), sort_keys=True) + "\n"


def _prefectures(places: Sequence[Place]) -> Iterator[Feature]:
    """The cells of each prefecture's towns together, with smooth borders that neighbours share."""
    outline = shapely.Polygon(_smooth_ring(OUTLINE))
    towns = shapely.MultiPoint([(place.longitude, place.latitude) for place in places])
    cells: list[BaseGeometry] = list(shapely.voronoi_polygons(towns, extend_to=outline.buffer(1)).geoms)
    lines = [shapely.union_all(_cells_of(region.region_code, places, cells)).boundary for region in PREFECTURES]
    arcs = shapely.line_merge(shapely.union_all(lines))
    smooth = [shapely.LineString(_smooth(list(arc.coords))) for arc in shapely.get_parts(arcs)]
    parts = shapely.get_parts(shapely.polygonize([shapely.union_all([*smooth, outline.boundary])]))
    inside = [part for part in parts if outline.buffer(1e-6).contains(part)]
    for region in PREFECTURES:
        own = [part for part in inside if _region_of(part, places) == region.region_code]
        names = {"code": region.region_code, "name": region.name, "english_name": region.english_name}
        yield _feature(shapely.union_all(own), names)


def _cells_of(region_code: str, places: Sequence[Place], cells: Sequence[BaseGeometry]) -> list[BaseGeometry]:
    own = [shapely.Point(place.longitude, place.latitude) for place in places if place.region_code == region_code]
    return [cell for cell in cells if any(cell.contains(point) for point in own)]


def _region_of(part: BaseGeometry, places: Sequence[Place]) -> str:
    point = part.representative_point()
    return min(places, key=lambda place: np.hypot(place.longitude - point.x, place.latitude - point.y)).region_code


def _road(name: str, courses: Sequence[NDArray[np.float64]]) -> Feature:
    line = shapely.LineString(np.vstack(courses)).simplify(ROAD_TOLERANCE_DEG)
    number = re.match(r"[GS]\d+", name)
    own_name = name.split(" ")[-1] + ("高速" if number else "")
    return _feature(line, {"number": number[0] if number else "", "name": own_name})


def _english_name(seat: Place) -> str:
    return next(region.english_name for region in REGIONS if region.region_code == seat.region_code)


def _place(place: Place, english: str, *, rank: int) -> Feature:
    point = shapely.Point(place.longitude, place.latitude)
    return _feature(point, {"name": place.name, "english_name": english, "rank": rank})


def _smooth_ring(ring: Sequence[tuple[float, float]]) -> NDArray[np.float64]:
    points = np.asarray(ring)
    for _ in range(SMOOTHINGS):
        points = _cut(points, np.roll(points, -1, axis=0))
    return points


def _smooth(line: Sequence[tuple[float, float]]) -> NDArray[np.float64]:
    """Chaikin's corner cutting; the ends stay, so that lines that met still meet."""
    points = np.asarray(line)
    for _ in range(SMOOTHINGS):
        if len(points) > 2:
            points = np.vstack([points[:1], _cut(points[:-1], points[1:])[1:-1], points[-1:]])
    return points


def _cut(starts: NDArray[np.float64], ends: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.stack([0.75 * starts + 0.25 * ends, 0.25 * starts + 0.75 * ends], axis=1).reshape(-1, 2)


def _feature(geometry: BaseGeometry, properties: dict[str, Any]) -> Feature:
    rounded = shapely.transform(geometry, lambda points: np.round(points, DIGITS))
    return {"type": "Feature", "properties": properties, "geometry": mapping(rounded)}


if __name__ == "__main__":
    SHAPES.write_text(text(), encoding="utf-8")
