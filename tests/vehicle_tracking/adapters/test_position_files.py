"""Recorded positions from CSV files as people have them."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from common.datums import Datum, from_wgs84
from common.errors import InvalidInput
from services.vehicle_tracking.adapters.position_files import Recording, recording_in

NOON_MS = 1_767_240_000_000  # 2026-01-01 12:00 in Shanghai


def read(
    folder: Path, text: str, *, encoding: str = "utf-8", name: str = "positions.csv", **options: float
) -> Recording:
    content = text.encode(encoding)
    (folder / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return recording_in(folder / name, **options)  # type: ignore[arg-type]  # only numbers are given here


def test_rows_come_by_time_with_their_vehicles(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        "plate,time,lon,lat,speed,heading,altitude\n"
        "湘B2,2026-01-01 12:00:10,112.5,28.5,60.5,359.6,-5\n"
        "湘A1,2026-01-01T12:00:00.500,112,28,0,90,50\n",
    )
    positions = found.positions
    assert [found.names[n - 1] for n in positions.vehicle_ids.tolist()] == ["湘A1", "湘B2"]
    assert positions.fix_times_ms.tolist() == [NOON_MS + 500, NOON_MS + 10_000]
    assert positions.longitudes_e7.tolist() == [1_120_000_000, 1_125_000_000]
    assert (positions.speeds_01kmh.tolist(), positions.headings_deg.tolist()) == ([0, 605], [90, 0])
    assert (positions.altitudes_m.tolist(), found.speeds_implied) == ([50, -5], False)


TIMES = """
    2026-01-01 12:00:00
    2026-01-01T04:00:00Z
    2026-01-01T12:00:00+08:00
    1767240000
    1767240000000
"""


@pytest.mark.parametrize("written", [line.strip() for line in TIMES.strip().splitlines()])
def test_times_are_read_as_they_are_written(tmp_path: Path, written: str) -> None:
    assert read(tmp_path, f"id,time,lon,lat\n1,{written},112,28").positions.fix_times_ms.tolist() == [NOON_MS]


def test_times_without_a_zone_are_of_the_zone_that_is_said(tmp_path: Path) -> None:
    found = read(tmp_path, "id,time,lon,lat\n1,2026-01-01 04:00:00,112,28", utc_offset_h=0)
    assert found.positions.fix_times_ms.tolist() == [NOON_MS]


def test_chinese_headers_old_encodings_and_packed_files_are_read(tmp_path: Path) -> None:
    text = "车牌号,定位时间,经度,纬度,速度\n湘A1,2026-01-01 12:00:00,112,28,40\n"
    for encoding, name in (("gb18030", "a.csv"), ("utf-8-sig", "b.csv"), ("utf-8", "c.csv.gz")):
        assert read(tmp_path, text, encoding=encoding, name=name).names == ["湘A1"]


def test_missing_speeds_and_headings_are_worked_out_of_the_way(tmp_path: Path) -> None:
    lines = ["1,2026-01-01 12:00:00,112,28", "2,2026-01-01 12:00:00,112,28"]
    lines += ["1,2026-01-01 12:01:00,112,28.01", "2,2026-01-01 12:01:00,112.5,28", "1,2026-01-01 12:01:00,112,29"]
    found = read(tmp_path, "id,time,lon,lat\n" + "\n".join(lines))
    assert found.speeds_implied
    assert found.positions.speeds_01kmh.tolist() == [0, 0, 667, 0, 1600]
    assert found.positions.headings_deg.tolist() == [0, 0, 0, 0, 90]


def test_shifted_coordinates_become_wgs84(tmp_path: Path) -> None:
    lon, lat = from_wgs84([112.0], [28.0], Datum.GCJ02)
    path = tmp_path / "gcj.csv"
    path.write_text(f"id,time,lon,lat\n1,{NOON_MS},{lon[0]:.9f},{lat[0]:.9f}\n")
    found = recording_in(path, datum=Datum.GCJ02).positions
    assert abs(int(found.longitudes_e7[0]) - 1_120_000_000) <= 1
    assert abs(int(found.latitudes_e7[0]) - 280_000_000) <= 1


FLAWS = [
    ("plate,lon,lat\n1,112,28", "no column for the time: name one of them"),
    ("time,lon,lat\n1,112,28", "no column for the vehicle"),
    ("id,time,lon,lat\n1,2026-01-01,112,28\n1,soon,112,28\n1,,112,28", "row 3 has no time that can be read; 2 rows"),
    ("id,time,lon,lat\n1,1767240000,181,28", "row 2 has no longitude"),
    ("id,time,lon,lat\n1,1767240000,112,north", "row 2 has no latitude"),
    ("", "cannot be read as CSV"),
]


@pytest.mark.parametrize(("text", "message"), FLAWS)
def test_what_cannot_be_read_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        read(tmp_path, text)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(b"\xff\xff\xff\x00,\n")
    with pytest.raises(InvalidInput, match="neither UTF-8 nor GB 18030"):
        recording_in(tmp_path / "x.csv")


def test_a_file_with_a_header_only_holds_nothing(tmp_path: Path) -> None:
    assert len(read(tmp_path, "id,time,lon,lat\n").positions) == 0
