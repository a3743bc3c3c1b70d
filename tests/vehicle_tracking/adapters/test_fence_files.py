"""Fences from and to files."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import geopandas
import numpy as np
import pytest
import shapely

from common.datums import Datum
from common.errors import InvalidInput
from services.vehicle_tracking.adapters import fence_files
from services.vehicle_tracking.adapters.fence_files import FileFormat, fences_in, file_of
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


def ring(*points: tuple[float, float]) -> Ring:
    columns = np.rint(np.array(points).T * 1e7).astype(np.int32)
    return Ring(columns[0], columns[1])


SQUARE = ring((112.9, 28.2), (113, 28.2), (113, 28.3), (112.9, 28.3))
HOLE = ring((112.92, 28.22), (112.94, 28.22), (112.94, 28.24))
FENCES = [
    Fence(
        0,
        "长沙 甲区",
        Polygon((SQUARE, HOLE)),
        (VehicleKind.COACH, VehicleKind.HAZMAT),
        (TimeWindow((1, 2), 1320, 300),),
        (FenceTrigger.ENTER, FenceTrigger.EXIT),
        speed_kmh_max=60,
        dwell_ms=5000,
        hysteresis_m=20,
        level=AlarmLevel.HIGH,
        enabled=False,
    ),
    Fence(0, "乙圆", Circle(1_129_000_000, 282_000_000, 500)),
    Fence(0, "丙线", Corridor(SQUARE.longitudes_e7[:2], SQUARE.latitudes_e7[:2], 50)),
]


def points(shape: Shape) -> list[tuple[int, int]]:
    """The points of a shape in any order: formats turn rings round."""
    match shape:
        case Circle():
            return [(shape.longitude_e7, shape.latitude_e7)]
        case Corridor():
            return sorted(zip(shape.longitudes_e7.tolist(), shape.latitudes_e7.tolist(), strict=True))
        case Polygon():
            pairs = [zip(r.longitudes_e7.tolist(), r.latitudes_e7.tolist(), strict=True) for r in shape.rings]
            return sorted(pair for ring_pairs in pairs for pair in ring_pairs)


@pytest.mark.parametrize("datum", list(Datum))
@pytest.mark.parametrize("file_format", list(FileFormat))
def test_what_is_exported_is_imported_the_same(file_format: FileFormat, datum: Datum) -> None:
    found = {fence.name: fence for fence in fences_in(file_of(FENCES, file_format, datum), file_format, datum)}  # type: ignore[union-attr]
    for fence in FENCES:
        copy = found[fence.name]
        assert isinstance(copy, Fence)
        assert np.abs(np.subtract(points(copy.shape), points(fence.shape))).max() <= 1
        for name in ("vehicle_kinds", "time_windows", "triggers", "speed_kmh_max", "dwell_ms", "level", "enabled"):
            assert getattr(copy, name) == getattr(fence, name), name
        assert copy.source_datum == datum.value


def geojson(*features: tuple[dict[str, object], dict[str, object]]) -> bytes:
    plain = [{"type": "Feature", "properties": p, "geometry": g} for p, g in features]
    return json.dumps({"type": "FeatureCollection", "features": plain}).encode()


def test_each_feature_is_judged_by_itself() -> None:
    point: dict[str, object] = {"type": "Point", "coordinates": [112.9, 28.2]}
    content = geojson(
        ({"name": "好", "radius_m": 100}, point),
        ({"name": "没有半径"}, point),
        ({"radius_m": 100}, point),
        ({"name": "种类", "radius_m": 100, "vehicle_kinds": "飞机"}, point),
        ({"name": "空"}, {"type": "GeometryCollection", "geometries": []}),
    )
    good, no_radius, no_name, no_kind, no_shape = fences_in(content, FileFormat.GEOJSON, Datum.WGS84)
    assert isinstance(good, Fence)
    wanted = ("circle.radius_m", "name", "vehicle_kinds", "geometry")
    for message, field in zip((no_radius, no_name, no_kind, no_shape), wanted, strict=True):
        assert isinstance(message, str)
        assert message.startswith(field)


def test_a_projected_file_is_brought_to_degrees(tmp_path: Path) -> None:
    area = shapely.box(112.9, 28.2, 112.91, 28.21)
    table = geopandas.GeoDataFrame({"name": ["投影"]}, geometry=[area], crs="EPSG:4326").to_crs("EPSG:4547")
    table.to_file(tmp_path / "a.shp")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path in tmp_path.iterdir():
            archive.write(path, path.name)
    (fence,) = fences_in(packed.getvalue(), FileFormat.SHAPEFILE, Datum.WGS84)
    assert isinstance(fence, Fence)
    assert np.abs(np.subtract(points(fence.shape)[0], (1_129_000_000, 282_000_000))).max() <= 2


def test_a_zip_bomb_is_refused_before_it_is_unpacked() -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.shp", bytes(fence_files.UNPACKED_BYTES_MAX + 1))
    with pytest.raises(InvalidInput, match="unpacks to more"):
        fences_in(packed.getvalue(), FileFormat.SHAPEFILE, Datum.WGS84)


@pytest.mark.parametrize("file_format", list(FileFormat))
def test_what_is_no_such_file_is_refused(file_format: FileFormat) -> None:
    with pytest.raises(InvalidInput) as refusal:
        fences_in(b"no file", file_format, Datum.WGS84)
    assert refusal.value.reason == "FENCE_FILE_UNREADABLE"
