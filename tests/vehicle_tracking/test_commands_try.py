"""`xiangtong tracking try` over small files."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from common.datums import Datum
from services.vehicle_tracking.adapters.fence_files import FileFormat, file_of
from services.vehicle_tracking.commands_try import app
from services.vehicle_tracking.domain.fences import FenceTrigger
from tests.vehicle_tracking.engine_tables import box

FENCE = box(1, 111.99, 27.99, 112.01, 28.01, triggers=(FenceTrigger.ENTER,), speed_kmh_max=40)
HEADER = "plate,time,lon,lat,speed\n"
# West of the fence, in it, too fast in it, and out again, a minute and a half later.
DRIVE = HEADER + "\n".join(
    f"湘A1,2026-01-01 12:00:{second:02},{lon},28,{kmh}"
    for second, lon, kmh in ((0, 111.98, 30), (10, 111.995, 50), (40, 112.005, 60), (50, 112.02, 30))
)


def run(folder: Path, *options: str, positions: str = DRIVE, suffix: str = ".geojson") -> tuple[int, str, str]:
    formats = {".geojson": FileFormat.GEOJSON, ".gpkg": FileFormat.GPKG, ".zip": FileFormat.SHAPEFILE}
    if suffix in formats:
        (folder / f"fences{suffix}").write_bytes(file_of([FENCE], formats[suffix], Datum.WGS84))
    (folder / "positions.csv").write_text(positions, "utf-8")
    files = ["--fences", str(folder / f"fences{suffix}"), "--positions", str(folder / "positions.csv")]
    result = CliRunner().invoke(app, ["try", *files, *options], env={"COLUMNS": "160"})
    return result.exit_code, result.stdout, result.stderr


def rows(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


@pytest.mark.parametrize("suffix", [".geojson", ".gpkg", ".zip"])
def test_alarms_are_printed_as_objects(tmp_path: Path, suffix: str) -> None:
    code, out, told = run(tmp_path, "--datum", "WGS84", "--json", suffix=suffix)
    assert code == 0, told
    (alarm,) = [row for row in rows(out) if row.get("rule") == "overspeed"]
    assert (alarm["vehicle"], alarm["fence"], alarm["measured"], alarm["limit"]) == ("湘A1", "box 1", 60, 40)
    assert (alarm["time"], alarm["clear_time"]) == ("2026-01-01T12:00:10.000+08:00", None)
    assert "4 positions of 1 vehicles against 1 fences" in told.replace("\n", " ")


def test_transitions_are_printed_whether_they_trigger_or_not(tmp_path: Path) -> None:
    _, out, _ = run(tmp_path, "--datum", "WGS84", "--json")
    told = [(row.get("transition") or row["rule"], row["time"][11:19]) for row in rows(out) if row.get("limit", 0) == 0]
    assert told == [("enter", "12:00:10"), ("fence_enter", "12:00:10"), ("exit", "12:00:50")]


def test_people_get_a_table(tmp_path: Path) -> None:
    code, out, _ = run(tmp_path, "--datum", "WGS84")
    assert code == 0
    assert "overspeed" in out
    assert "2026-01-01 12:00:10" in out
    assert "still holds" in out
    assert [word in out for word in ("enter", "exit")] == [True, True]


def test_flaws_are_counted_and_kinds_have_their_limits(tmp_path: Path) -> None:
    positions = HEADER + "a,1767240000,112.5,28,70\na,1767240031,112.505,28,70\na,1767240060,112.5,28,170\n"
    code, out, told = run(tmp_path, "--datum", "WGS84", "--json", "--kind", "bus", positions=positions)
    assert (code, [row["limit"] for row in rows(out)]) == (0, [60])
    assert "positions with flaws: SPEED 1" in told.replace("\n", " ")


def test_the_datum_must_be_said(tmp_path: Path) -> None:
    code, _, told = run(tmp_path)
    assert (code, "--datum" in told) == (2, True)


WRONG = [
    (("--datum", "WGS84", "--kind", "boat"), DRIVE, ".geojson", "kind: 'boat' is none; there are coach, tour coach"),
    (("--datum", "WGS84"), "plate,lon,lat\n", ".geojson", "no column for the time"),
]


@pytest.mark.parametrize(("options", "positions", "suffix", "message"), WRONG)
def test_errors_say_what_to_do(
    tmp_path: Path, options: tuple[str, ...], positions: str, suffix: str, message: str
) -> None:
    code, _, told = run(tmp_path, *options, positions=positions, suffix=suffix)
    assert (code, message in told.replace("\n", " ")) == (1, True), told


def test_a_feature_that_is_no_fence_is_named(tmp_path: Path) -> None:
    point = {"type": "Feature", "properties": {"name": "x"}, "geometry": {"type": "Point", "coordinates": [112, 28]}}
    (tmp_path / "fences.json").write_text(json.dumps({"type": "FeatureCollection", "features": [point]}))
    code, _, told = run(tmp_path, "--datum", "WGS84", suffix=".json")
    assert (code, "feature 1: circle.radius_m: give 1 to" in told.replace("\n", " ")) == (1, True), told


def test_a_file_of_another_kind_is_refused_by_its_suffix(tmp_path: Path) -> None:
    (tmp_path / "fences.dwg").write_text("")
    code, _, told = run(tmp_path, "--datum", "WGS84", suffix=".dwg")
    assert (code, "must be one of .geojson" in told.replace("\n", " ")) == (1, True), told


def test_a_shapefile_is_read_from_its_parts(tmp_path: Path) -> None:
    zipfile.ZipFile(io.BytesIO(file_of([FENCE], FileFormat.SHAPEFILE, Datum.WGS84))).extractall(tmp_path)
    (tmp_path / "polygons.shp").rename(tmp_path / "fences.shp")
    for suffix in ("shx", "dbf", "prj", "cpg"):
        (tmp_path / f"polygons.{suffix}").rename(tmp_path / f"fences.{suffix}")
    code, out, told = run(tmp_path, "--datum", "WGS84", "--json", suffix=".shp")
    assert (code, any(row.get("fence") == "box 1" for row in rows(out))) == (0, True), told


def test_an_empty_recording_says_nothing(tmp_path: Path) -> None:
    code, out, told = run(tmp_path, "--datum", "WGS84", "--json", positions=HEADER)
    assert (code, out, "0 positions of 0 vehicles" in told.replace("\n", " ")) == (0, "", True)
