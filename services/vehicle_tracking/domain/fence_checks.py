"""What makes a fence usable, and where its shape is broken."""

from __future__ import annotations

import numpy as np
import shapely

from common.datums import Datum
from common.errors import Violation
from services.vehicle_tracking.domain.fences import Circle, Corridor, Fence, Polygon, Ring, Shape, TimeWindow
from services.vehicle_tracking.domain.positions import Int32s

NAME_CHARACTERS_MAX = 100
RINGS_MAX = 1000
POINTS_MAX = 100_000  # a province's border has fewer
RADIUS_M_MAX = 200_000
WIDTH_M_MAX = 20_000
WINDOWS_MAX = 100
SPEED_KMH_MAX = 200
DWELL_MS_MAX = 24 * 3600 * 1000
HYSTERESIS_M_MAX = 10_000
DEGREE_E7 = 10_000_000


def fence_violations(fence: Fence) -> list[Violation]:
    """What is wrong with a fence, a violation per field; empty when nothing is."""
    found = []
    if not 1 <= len(fence.name.strip()) <= NAME_CHARACTERS_MAX:
        found.append(Violation("name", f"give a name of 1 to {NAME_CHARACTERS_MAX} characters"))
    found += shape_violations(fence.shape)
    found += _window_violations(fence.time_windows)
    for field, value, most in (
        ("speed_kmh_max", fence.speed_kmh_max, SPEED_KMH_MAX),
        ("dwell", fence.dwell_ms, DWELL_MS_MAX),
        ("hysteresis_m", fence.hysteresis_m, HYSTERESIS_M_MAX),
    ):
        if not 0 <= value <= most:
            found.append(Violation(field, f"give 0 to {most}{' ms' if field == 'dwell' else ''}"))
    if fence.source_datum not in tuple(Datum):
        found.append(Violation("source_datum", "say what the shape was drawn in: WGS84, GCJ02 or BD09"))
    return found


def shape_violations(shape: Shape) -> list[Violation]:
    """What is wrong with a shape, and where."""
    match shape:
        case Polygon():
            return _polygon_violations(shape)
        case Circle():
            found = _range_violations("circle", np.array([shape.longitude_e7]), np.array([shape.latitude_e7]))
            if not 1 <= shape.radius_m <= RADIUS_M_MAX:
                found.append(Violation("circle.radius_m", f"give 1 to {RADIUS_M_MAX} m"))
            return found
        case Corridor():
            return _corridor_violations(shape)


def _polygon_violations(polygon: Polygon) -> list[Violation]:
    if not 1 <= len(polygon.rings) <= RINGS_MAX:
        return [Violation("polygon.rings", f"give 1 to {RINGS_MAX} rings")]
    if sum(len(ring.longitudes_e7) for ring in polygon.rings) > POINTS_MAX:
        return [Violation("polygon.rings", f"give at most {POINTS_MAX} points in all")]
    for n, ring in enumerate(polygon.rings):
        found = _ring_violations(f"polygon.rings[{n}]", ring)
        if found:
            return found
    return _crossing_violations([_outline(ring) for ring in polygon.rings])


def _ring_violations(field: str, ring: Ring) -> list[Violation]:
    found = _line_violations(field, ring.longitudes_e7, ring.latitudes_e7, least=3)
    if found:
        return found
    area = shapely.Polygon(_degrees(ring.longitudes_e7, ring.latitudes_e7))
    if area.is_valid:
        return []
    return [Violation(field, f"the ring is not a simple one: {shapely.is_valid_reason(area)} (longitude latitude)")]


def _crossing_violations(outlines: list[shapely.LinearRing]) -> list[Violation]:
    """Rings may lie in each other or touch in points, not cross or share an edge: even-odd would be ambiguous."""
    first, second = shapely.STRtree(outlines).query(outlines, predicate="intersects")
    for a, b in zip(first.tolist(), second.tolist(), strict=True):
        if a >= b:
            continue
        if shapely.relate_pattern(shapely.Polygon(outlines[a]), shapely.Polygon(outlines[b]), "T*T***T**"):
            place = shapely.get_coordinates(shapely.intersection(outlines[a], outlines[b]))[0]
            where = f"{place[0]:.6f} {place[1]:.6f}"
            return [Violation(f"polygon.rings[{b}]", f"it crosses rings[{a}] near {where} (longitude latitude)")]
    return []


def _corridor_violations(corridor: Corridor) -> list[Violation]:
    found = _line_violations("corridor", corridor.longitudes_e7, corridor.latitudes_e7, least=2)
    if not found and len(corridor.longitudes_e7) > POINTS_MAX:
        found.append(Violation("corridor", f"give at most {POINTS_MAX} points"))
    if not found and not (np.ptp(corridor.longitudes_e7) or np.ptp(corridor.latitudes_e7)):
        found.append(Violation("corridor", "the line has no length"))
    if not 1 <= corridor.width_m <= WIDTH_M_MAX:
        found.append(Violation("corridor.width_m", f"give 1 to {WIDTH_M_MAX} m"))
    return found


def _line_violations(field: str, longitudes_e7: Int32s, latitudes_e7: Int32s, *, least: int) -> list[Violation]:
    if len(longitudes_e7) != len(latitudes_e7):
        return [Violation(field, f"{len(longitudes_e7)} longitudes but {len(latitudes_e7)} latitudes")]
    if len(longitudes_e7) < least:
        return [Violation(field, f"give at least {least} points")]
    return _range_violations(field, longitudes_e7, latitudes_e7)


def _range_violations(field: str, longitudes_e7: Int32s, latitudes_e7: Int32s) -> list[Violation]:
    outside = (np.abs(longitudes_e7.astype(np.int64)) > 180 * DEGREE_E7) | (
        np.abs(latitudes_e7.astype(np.int64)) > 90 * DEGREE_E7
    )
    if not outside.any():
        return []
    return [Violation(field, f"point {int(np.flatnonzero(outside)[0])} is outside of ±180 and ±90 degrees")]


def _window_violations(windows: tuple[TimeWindow, ...]) -> list[Violation]:
    if len(windows) > WINDOWS_MAX:
        return [Violation("time_windows", f"give at most {WINDOWS_MAX}")]
    found = []
    for n, window in enumerate(windows):
        if not all(1 <= day <= 7 for day in window.weekdays) or len(window.weekdays) > 7:
            found.append(Violation(f"time_windows[{n}].weekdays", "give days from 1 Monday to 7 Sunday"))
        if not 0 <= window.start_minute <= 1439:
            found.append(Violation(f"time_windows[{n}].start_minute", "give 0 to 1439"))
        if not 1 <= window.end_minute <= 1440:
            found.append(Violation(f"time_windows[{n}].end_minute", "give 1 to 1440"))
    return found


def _outline(ring: Ring) -> shapely.LinearRing:
    return shapely.LinearRing(_degrees(ring.longitudes_e7, ring.latitudes_e7))


def _degrees(longitudes_e7: Int32s, latitudes_e7: Int32s) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    return np.column_stack([longitudes_e7, latitudes_e7]) / DEGREE_E7
