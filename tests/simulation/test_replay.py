"""Reading of recorded files: many headers, clear errors, each second of a vehicle once."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from simulation.replay import TrackFileError, read_tracks, track_cars

LINES = "uid,datetime,lng,lat\n7,2025-11-25 08:00:00,112.9388,28.2282\n7,2025-11-25 08:00:05,112.9398,28.2282\n"


def written(folder: Path, text: str, name: str = "track.csv") -> Path:
    path = folder / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


def test_times_without_a_zone_are_taken_as_hours_ahead_of_utc(tmp_path: Path) -> None:
    file = written(tmp_path, LINES)
    [track] = read_tracks(file)
    assert track.fixes[0].fix_time_ms == 1_764_028_800_000
    [as_utc] = read_tracks(file, utc_offset_h=0)
    assert as_utc.fixes[0].fix_time_ms == 1_764_028_800_000 + 8 * 3_600_000


@pytest.mark.parametrize("time", ["1764028800", "1764028800000", "2025-11-25T00:00:00Z", "2025-11-25T08:00:00+08:00"])
def test_every_way_to_write_a_time_means_the_same(tmp_path: Path, time: str) -> None:
    [track] = read_tracks(written(tmp_path, f"id,time,lon,lat\n1,{time},112,28\n"))
    assert track.fixes[0].fix_time_ms == 1_764_028_800_000


def test_speed_and_heading_are_worked_out_where_the_file_has_none(tmp_path: Path) -> None:
    [track] = read_tracks(written(tmp_path, LINES, "track.csv.gz"))
    assert (track.fixes[0].speed_01kmh, track.fixes[1].heading_deg) == (0, 90)
    assert 690 <= track.fixes[1].speed_01kmh <= 720  # 98 m in 5 s


def test_a_repeated_second_of_a_vehicle_is_left_out_and_counted(tmp_path: Path) -> None:
    [track] = read_tracks(written(tmp_path, LINES + "7,2025-11-25 08:00:05,112.95,28.2\n"))
    assert len(track.fixes) == 2 and track.repeated_count == 1


def test_chinese_headers_in_gb18030_are_read_and_plates_stay(tmp_path: Path) -> None:
    path = tmp_path / "track.csv"
    path.write_bytes("车牌号,定位时间,经度,纬度,速度\n湘AB1234,2025-11-25 08:00:00,112.9,28.2,61.5\n".encode("gb18030"))
    [track] = read_tracks(path)
    assert track.identity.plate == "湘AB1234" and track.fixes[0].speed_01kmh == 615


def test_names_that_are_no_plates_get_made_up_plates_and_phones_that_stay(tmp_path: Path) -> None:
    text = "id,time,lon,lat\n" + "".join(f"device-{n},{1764028800 + n},112,28\n" for n in range(300))
    tracks = read_tracks(written(tmp_path, text))
    assert len({track.identity.plate for track in tracks}) == len({track.identity.phone for track in tracks}) == 300
    assert track_cars(tracks) == track_cars(read_tracks(written(tmp_path, text)))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("id,lon,lat\n1,2,3\n", "no column for time: expected one of datetime"),
        ("id,time,lon,lat\n1,yesterday,112,28\n", "row 2 has no readable time"),
        ("id,time,lon,lat\n1,1764028800,112,28\n1,1764028801,east,28\n", "row 3 has no readable"),
        ("", "No columns"),
    ],
)
def test_a_file_that_cannot_be_replayed_says_where_and_what(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(TrackFileError, match=complaint):
        read_tracks(written(tmp_path, text))


def test_a_limit_reads_only_the_first_rows(tmp_path: Path) -> None:
    [track] = read_tracks(written(tmp_path, LINES), limit=1)
    assert len(track.fixes) == 1
