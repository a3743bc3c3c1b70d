"""Fences from and to files: GeoJSON, zipped Shapefile, GeoPackage, KML.

A polygon or multipolygon is a polygon; a point with `radius_m` is a circle; a line with `width_m` is a corridor.
Attributes carry the rest under the names of fences.proto (Shapefile: their first ten characters).
"""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from common.datums import Datum, from_wgs84, to_wgs84
from common.errors import InvalidInput, Violation
from services.vehicle_tracking.domain.fence_checks import fence_violations
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
from services.vehicle_tracking.domain.register import find_kind

FILE_BYTES_MAX = 32 * 1024 * 1024
UNPACKED_BYTES_MAX = 256 * 1024 * 1024  # a zip may hold far more than it weighs
FEATURES_MAX = 10_000
SHAPEFILE_NAME_CHARACTERS = 10
_SHAPEFILE_SUFFIXES = frozenset((".shp", ".shx", ".dbf", ".prj", ".cpg"))
_PLACE = "fences"  # file and layer, so that no name of the caller reaches the disk


class FileFormat(IntEnum):
    """A kind of file; the numbers are those of tracking_service.proto."""

    GEOJSON = 1
    SHAPEFILE = 2
    GPKG = 3
    KML = 4


_SUFFIXES = {
    FileFormat.GEOJSON: ".geojson",
    FileFormat.SHAPEFILE: ".shp",
    FileFormat.GPKG: ".gpkg",
    FileFormat.KML: ".kml",
}
_DRIVERS = {
    FileFormat.GEOJSON: "GeoJSON",
    FileFormat.SHAPEFILE: "ESRI Shapefile",
    FileFormat.GPKG: "GPKG",
    FileFormat.KML: "LIBKML",
}


def fences_in(content: bytes, file_format: FileFormat, datum: Datum) -> list[Fence | str]:
    """A fence per feature in order, or what is wrong with the feature. Raises InvalidInput when the file as a whole
    cannot be read."""
    if len(content) > FILE_BYTES_MAX:
        raise InvalidInput(Violation("content", f"send at most {FILE_BYTES_MAX >> 20} MiB"))
    table = _table(content, file_format)
    if len(table) > FEATURES_MAX:
        raise InvalidInput(Violation("content", f"send at most {FEATURES_MAX} features"))
    return [_fence(row, datum) for row in table.to_dict("records")]


def file_of(fences: Sequence[Fence], file_format: FileFormat, datum: Datum) -> bytes:
    """A file of these fences, drawn in `datum`."""
    import geopandas  # takes a second to load, and only imports and exports need it

    rows = [_attributes(fence) for fence in fences]
    shapes = [_geometry(fence.shape, datum) for fence in fences]
    table = geopandas.GeoDataFrame(rows, geometry=shapes, crs="EPSG:4326")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{_PLACE}{_SUFFIXES[file_format]}"
        if file_format is FileFormat.SHAPEFILE:
            return _zipped(_write_shapefiles(table, Path(folder)))
        table.to_file(path, driver=_DRIVERS[file_format], layer=_PLACE, engine="pyogrio")
        return path.read_bytes()


def _table(content: bytes, file_format: FileFormat) -> Any:
    import geopandas
    import pandas as pd

    with tempfile.TemporaryDirectory() as folder:
        paths = _unpacked(content, Path(folder)) if file_format is FileFormat.SHAPEFILE else []
        if file_format is not FileFormat.SHAPEFILE:
            paths = [Path(folder) / f"{_PLACE}{_SUFFIXES[file_format]}"]
            paths[0].write_bytes(content)
        try:
            tables = [_wgs84(geopandas.read_file(path, engine="pyogrio", rows=FEATURES_MAX + 1)) for path in paths]
        except InvalidInput:
            raise
        except Exception as error:  # GDAL raises of many kinds, all of them about the file
            message = f"cannot be read as {file_format.name}: {str(error)[:200]}"
            raise InvalidInput(Violation("content", message), reason="FENCE_FILE_UNREADABLE") from error
    return tables[0] if len(tables) == 1 else pd.concat(tables, ignore_index=True)


def _wgs84(table: Any) -> Any:
    """Degrees: a projected table is reprojected; one without a reference system must look like degrees."""
    if not hasattr(table, "crs"):
        raise InvalidInput(Violation("content", "the file holds no geometry"))
    if table.crs is not None and not table.crs.is_geographic:
        return table.to_crs("EPSG:4326")
    if table.crs is None and len(table) and not (np.abs(table.total_bounds) <= 180).all():
        raise InvalidInput(Violation("content", "coordinates are no degrees, and no reference system (.prj) says what"))
    return table


def _unpacked(content: bytes, folder: Path) -> list[Path]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = [m for m in archive.infolist() if Path(m.filename).suffix.lower() in _SHAPEFILE_SUFFIXES]
            if sum(member.file_size for member in members) > UNPACKED_BYTES_MAX or len(members) > 50:
                raise InvalidInput(
                    Violation("content", f"unpacks to more than {UNPACKED_BYTES_MAX >> 20} MiB or 50 files")
                )
            stems: dict[str, int] = {}
            for member in members:
                place = Path(member.filename)
                number = stems.setdefault(str(place.with_suffix("")).lower(), len(stems))
                target = folder / f"{_PLACE}{number}{place.suffix.lower()}"
                with archive.open(member) as packed:
                    target.write_bytes(packed.read(member.file_size + 1))
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, ValueError) as error:
        raise InvalidInput(
            Violation("content", f"is no zip of a Shapefile: {error}"), reason="FENCE_FILE_UNREADABLE"
        ) from error
    found = sorted(folder.glob("*.shp"))
    if not found:
        raise InvalidInput(Violation("content", "the zip holds no .shp"), reason="FENCE_FILE_UNREADABLE")
    return found


def _write_shapefiles(table: Any, folder: Path) -> list[Path]:
    """A Shapefile holds one kind of geometry, so there is one per kind."""
    table = table.rename(
        columns={name: name[:SHAPEFILE_NAME_CHARACTERS] for name in table.columns if name != "geometry"}
    )
    kinds = {"polygons": ("Polygon", "MultiPolygon"), "points": ("Point",), "lines": ("LineString",)}
    for name, geometries in kinds.items():
        part = table[table.geom_type.isin(geometries)]
        if len(part) or (name == "polygons" and not len(table)):
            part.to_file(folder / f"{name}.shp", driver="ESRI Shapefile", engine="pyogrio", encoding="UTF-8")
    return sorted(path for path in folder.iterdir() if path.suffix in _SHAPEFILE_SUFFIXES)


def _zipped(paths: Sequence[Path]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in paths:
            archive.write(path, path.name)
    return packed.getvalue()


def _fence(row: dict[str, Any], datum: Datum) -> Fence | str:
    values = {str(name).lower(): value for name, value in row.items() if not _absent(value)}
    try:
        fence = Fence(
            fence_id=0,
            name=str(_value(values, "name") or "").strip(),
            shape=_shape(values.get("geometry"), values, datum),
            vehicle_kinds=tuple(_kinds(_value(values, "vehicle_kinds"))),
            time_windows=tuple(_windows(_value(values, "time_windows"))),
            triggers=tuple(FenceTrigger[word.upper()] for word in _words(_value(values, "triggers"))),
            speed_kmh_max=_integer(values, "speed_kmh_max"),
            dwell_ms=_integer(values, "dwell_s") * 1000,
            hysteresis_m=_integer(values, "hysteresis_m"),
            level=AlarmLevel[str(_value(values, "level") or "MEDIUM").upper()],
            source_datum=datum.value,
            enabled=str(_value(values, "enabled")).lower() not in ("0", "false", "no"),
        )
    except KeyError as error:
        return f"{error} is not known here"
    except (ValueError, TypeError) as error:
        return str(error)
    violations = fence_violations(fence)
    return "; ".join(f"{v.field}: {v.message}" for v in violations) if violations else fence


def _shape(geometry: Any, values: dict[str, Any], datum: Datum) -> Shape:
    match geometry:
        case shapely.Polygon() | shapely.MultiPolygon() if not geometry.is_empty:
            areas = geometry.geoms if isinstance(geometry, shapely.MultiPolygon) else [geometry]
            outlines = [outline for area in areas for outline in (area.exterior, *area.interiors)]
            return Polygon(tuple(Ring(*_columns(outline, datum, closed=True)) for outline in outlines))
        case shapely.Point() if not geometry.is_empty:
            longitudes_e7, latitudes_e7 = _columns(geometry, datum)
            return Circle(int(longitudes_e7[0]), int(latitudes_e7[0]), _integer(values, "radius_m"))
        case shapely.LineString() if not geometry.is_empty:
            return Corridor(*_columns(geometry, datum), width_m=_integer(values, "width_m"))
    kind = "none" if geometry is None else geometry.geom_type
    raise ValueError(f"geometry: {kind} is no fence; draw a polygon, a point with radius_m or a line with width_m")


def _columns(geometry: Any, datum: Datum, *, closed: bool = False) -> tuple[Any, Any]:
    degrees = shapely.get_coordinates(geometry)
    if not np.isfinite(degrees).all() or (np.abs(degrees) > (180, 90)).any():
        raise ValueError("geometry: a point is outside of ±180 and ±90 degrees")
    degrees = degrees[:-1] if closed else degrees
    lon, lat = to_wgs84(degrees[:, 0], degrees[:, 1], datum)
    return np.rint(lon * 1e7).astype(np.int32), np.rint(lat * 1e7).astype(np.int32)


def _geometry(shape: Shape, datum: Datum) -> Any:
    match shape:
        case Circle():
            return shapely.points(_degrees(np.array([shape.longitude_e7]), np.array([shape.latitude_e7]), datum))[0]
        case Corridor():
            return shapely.linestrings(_degrees(shape.longitudes_e7, shape.latitudes_e7, datum))
        case Polygon():
            outlines = [_degrees(ring.longitudes_e7, ring.latitudes_e7, datum) for ring in shape.rings]
            return _area([shapely.Polygon(outline) for outline in outlines])


def _area(parts: list[Any]) -> Any:
    """Even-odd over rings that do not cross: a ring inside an odd number of others is a hole of the smallest one."""
    order = sorted(parts, key=lambda part: -part.area)
    outer: list[tuple[Any, list[Any]]] = []
    for n, part in enumerate(order):  # each ring against the larger ones, at most 1,000
        around = [other for other in order[:n] if other.contains(part)]
        if len(around) % 2 == 0:
            outer.append((part, []))
        else:
            next(holes for area, holes in reversed(outer) if area.contains(part)).append(part)
    areas = [shapely.Polygon(area.exterior, [hole.exterior for hole in holes]) for area, holes in outer]
    return areas[0] if len(areas) == 1 else shapely.MultiPolygon(areas)


def _degrees(longitudes_e7: Any, latitudes_e7: Any, datum: Datum) -> Any:
    return np.column_stack(from_wgs84(longitudes_e7 / 1e7, latitudes_e7 / 1e7, datum))


def _attributes(fence: Fence) -> dict[str, Any]:
    return {
        "name": fence.name,
        "radius_m": fence.shape.radius_m if isinstance(fence.shape, Circle) else 0,
        "width_m": fence.shape.width_m if isinstance(fence.shape, Corridor) else 0,
        "vehicle_kinds": ",".join(kind.name.lower() for kind in fence.vehicle_kinds),
        "time_windows": json.dumps([[list(w.weekdays), w.start_minute, w.end_minute] for w in fence.time_windows]),
        "triggers": ",".join(trigger.name.lower() for trigger in fence.triggers),
        "speed_kmh_max": fence.speed_kmh_max,
        "dwell_s": fence.dwell_ms // 1000,
        "hysteresis_m": fence.hysteresis_m,
        "level": fence.level.name.lower(),
        "enabled": int(fence.enabled),
    }


def _value(values: dict[str, Any], name: str) -> Any:
    return values.get(name, values.get(name[:SHAPEFILE_NAME_CHARACTERS]))


def _integer(values: dict[str, Any], name: str) -> int:
    given = _value(values, name)
    if given in (None, ""):
        return 0
    try:
        return int(float(given))
    except (ValueError, OverflowError):
        raise ValueError(f"{name}: {given!r} is no number") from None


def _words(given: Any) -> list[str]:
    if given is None:
        return []
    words = given if isinstance(given, list | tuple | np.ndarray) else str(given).split(",")
    return [str(word).strip() for word in words if str(word).strip()]


def _kinds(given: Any) -> Iterator[Any]:
    for word in _words(given):
        kind = find_kind(word)
        if kind is None:
            raise ValueError(f"vehicle_kinds: {word!r} is no kind of vehicle")
        yield kind


def _windows(given: Any) -> Iterator[TimeWindow]:
    if given is None:
        return
    plain = json.loads(given) if isinstance(given, str) and given else given
    for weekdays, start_minute, end_minute in plain or ():
        yield TimeWindow(tuple(int(day) for day in weekdays), int(start_minute), int(end_minute))


def _absent(value: Any) -> bool:
    return value is None or (isinstance(value, float) and np.isnan(value)) or type(value).__name__ == "NAType"
