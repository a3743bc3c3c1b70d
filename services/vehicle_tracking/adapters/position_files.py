"""Recorded positions from CSV files: plate or id, time, longitude, latitude, and speed, heading, altitude if there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from common.datums import Datum, to_wgs84
from common.errors import InvalidInput, Violation
from common.geo import bearing_deg, distance_m
from services.vehicle_tracking.domain.positions import PositionBatch, PositionSource, batch
from services.vehicle_tracking.domain.quality import STATUS_POSITIONED

ROWS_MAX = 20_000_000  # 3 GB of text; more than anybody looks at
REQUIRED = {
    "vehicle": ("plate", "vehicle", "vehicle_id", "uid", "id", "device", "车牌", "车牌号", "车牌号码", "车辆", "终端"),
    "time": ("time", "datetime", "timestamp", "fix_time", "gps_time", "时间", "定位时间", "gps时间"),
    "longitude": ("longitude", "lon", "lng", "long", "经度"),
    "latitude": ("latitude", "lat", "纬度"),
}
OPTIONAL = {
    "speed": ("speed_kmh", "speed", "速度"),
    "heading": ("heading_deg", "heading", "direction", "course", "方向", "航向"),
    "altitude": ("altitude_m", "altitude", "alt", "海拔", "高程"),
}
IMPLIED_KMH_MAX = 160.0  # a speed worked out is a guess: a jump is no broken speedometer
_SECONDS_BEFORE = 1e11  # numbers below are seconds since 1970, others milliseconds
_ZONE = r"(?:Z|[+-]\d\d:?\d\d)$"
_MILLISECOND = pd.Timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Recording:
    """The positions of a file by fix time. `names`: of vehicle n at n - 1. `speeds_implied`: the file has none, so each
    is the way from the fix before over the time."""

    names: list[str]
    positions: PositionBatch
    speeds_implied: bool


def recording_in(file: Path, *, datum: Datum = Datum.WGS84, utc_offset_h: float = 8.0) -> Recording:
    """Read a CSV file, packed or not. `utc_offset_h`: of times that name no zone. Raises InvalidInput that names the
    column or row."""
    table = _table(file)
    columns = _columns(table)
    times_ms = _times_ms(table[columns.pop("time")], utc_offset_h)
    names, vehicles = np.unique(table[columns.pop("vehicle")].str.strip().astype(str), return_inverse=True)
    values = {name: pd.to_numeric(table[column], errors="coerce").to_numpy() for name, column in columns.items()}
    _check(times_ms, values)
    order = np.lexsort((vehicles, times_ms))
    ids, instants_ms = vehicles[order] + 1, times_ms[order].astype(np.int64)
    values = {name: np.nan_to_num(column[order]) for name, column in values.items()}
    lon, lat = to_wgs84(values["longitude"], values["latitude"], datum)
    speeds_kmh, headings_deg = _motion(ids, instants_ms, lon, lat)
    positions = batch(
        int(instants_ms.max(initial=0)),
        vehicle_ids=ids,
        fix_times_ms=instants_ms,
        longitudes_e7=np.rint(lon * 1e7),
        latitudes_e7=np.rint(lat * 1e7),
        speeds_01kmh=np.rint(np.clip(values.get("speed", speeds_kmh), -1, 6000) * 10),
        headings_deg=np.rint(values.get("heading", headings_deg)) % 360,
        altitudes_m=np.rint(np.clip(values.get("altitude", np.zeros(len(ids))), -32_768, 32_767)),
        status_words=np.full(len(ids), STATUS_POSITIONED),
        sources=np.full(len(ids), PositionSource.PROGRAM),
    )
    return Recording(names.tolist(), positions, "speed" not in values)


def _table(file: Path) -> pd.DataFrame:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            table = pd.read_csv(file, dtype=str, encoding=encoding, nrows=ROWS_MAX + 1, skipinitialspace=True)
        except UnicodeDecodeError:
            continue
        except (pd.errors.ParserError, pd.errors.EmptyDataError, OSError, EOFError) as error:
            raise _wrong(f"{file.name} cannot be read as CSV: {error}") from error
        if len(table) > ROWS_MAX:
            raise _wrong(f"{file.name} has more than {ROWS_MAX:,} rows; split it")
        return table
    raise _wrong(f"{file.name} is neither UTF-8 nor GB 18030")


def _columns(table: pd.DataFrame) -> dict[str, str]:
    """The column of each value that the file has."""
    headers = {str(column).strip().lower(): str(column) for column in table.columns}
    found = {}
    for value, words in (REQUIRED | OPTIONAL).items():
        known = [headers[word] for word in words if word in headers]
        if known:
            found[value] = known[0]
        elif value in REQUIRED:
            raise _wrong(f"no column for the {value}: name one of them {', '.join(words)}")
    return found


def _times_ms(written: pd.Series[str], utc_offset_h: float) -> NDArray[np.float64]:
    """Milliseconds since 1970; NaN where a time cannot be read."""
    numbers = pd.to_numeric(written, errors="coerce").to_numpy(np.float64)
    parsed = pd.to_datetime(written, errors="coerce", utc=True, format="ISO8601")
    instants: Any = (parsed - pd.Timestamp(0, tz="UTC")) / _MILLISECOND
    zoned = written.str.contains(_ZONE, regex=True, na=False).to_numpy()
    instants = instants.to_numpy(np.float64) - np.where(zoned, 0, utc_offset_h * 3_600_000)
    from_numbers = np.where(numbers < _SECONDS_BEFORE, numbers * 1000, numbers)
    found: NDArray[np.float64] = np.where(np.isnan(numbers), instants, from_numbers)
    return found


def _check(times_ms: NDArray[np.float64], values: dict[str, NDArray[Any]]) -> None:
    for name, column in (("time", times_ms), ("longitude", values["longitude"]), ("latitude", values["latitude"])):
        bad = ~np.isfinite(column)
        if name != "time":
            bad |= np.abs(column) > (180 if name == "longitude" else 90)
        if bad.any():
            raise _wrong(f"row {int(np.argmax(bad)) + 2} has no {name} that can be read; {int(bad.sum())} rows in all")


def _motion(
    ids: NDArray[Any], times_ms: NDArray[np.int64], lon: NDArray[np.float64], lat: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Speed and heading from each vehicle's fix before; 0 for its first."""
    speeds_kmh, headings_deg = np.zeros(len(ids)), np.zeros(len(ids))
    order = np.lexsort((times_ms, ids))
    before, after = order[:-1], order[1:]
    same = (ids[before] == ids[after]) & (times_ms[after] > times_ms[before])
    before, after = before[same], after[same]
    places = (lon[before], lat[before], lon[after], lat[after])
    kmh = distance_m(*places) * 3600 / (times_ms[after] - times_ms[before])
    speeds_kmh[after], headings_deg[after] = np.minimum(kmh, IMPLIED_KMH_MAX), bearing_deg(*places)
    return speeds_kmh, headings_deg


def _wrong(message: str) -> InvalidInput:
    return InvalidInput(Violation("positions", message))
