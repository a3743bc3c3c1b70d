"""Replays recorded GPS files as terminals: reading of the files, and the pace at which their fixes go out."""

from __future__ import annotations

import asyncio
import re
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from simulation.frames import STATUS_ACC, STATUS_POSITIONED, Fix, Identity
from simulation.province import Kind
from simulation.register import PHONE_REPLAY_FIRST, Car
from simulation.terminals import Counts, Terminal, Terminals

HEADERS = {
    "name": ("plate", "车牌", "车牌号", "车牌号码", "uid", "id", "vehicle", "vehicle_id", "device", "终端", "车辆"),
    "time": ("datetime", "time", "timestamp", "gps_time", "fix_time", "时间", "定位时间", "gps时间"),
    "longitude": ("lng", "lon", "long", "longitude", "经度"),
    "latitude": ("lat", "latitude", "纬度"),
}
OPTIONAL_HEADERS = {
    "speed": ("speed", "speed_kmh", "速度"),
    "heading": ("heading", "heading_deg", "direction", "course", "方向", "航向"),
    "altitude": ("altitude", "altitude_m", "alt", "高程", "海拔"),
}
PLATE = re.compile(r"^[\u4e00-\u9fff][A-Z][A-Z0-9]{4,6}$")
PLATE_SIGNS = "0123456789ABCDEFGHJKLMNPQRSTUVWXYZ"  # no I, no O
NUMBER_COUNT = 1_000_000  # phones in the replay block; fewer than 34 ** 4 plates
EARTH_M_A_DEGREE = 111_195.0
SPEED_KMH_MAX = 160.0  # a speed worked out from two fixes is a guess: a jump must not look like a broken speedometer
GAP_S_MAX = 60.0  # a recording's night is not waited for
WINDOW_FAST = 64  # frames in flight a link when only the answers set the pace
WINDOW_PACED = 16


class TrackFileError(ValueError):
    """The file cannot be replayed; the message says which column or row and what was expected."""


@dataclass(frozen=True, slots=True)
class Track:
    """The fixes of one vehicle by time, each second once. `repeated_count`: fixes left out because of that."""

    name: str
    identity: Identity
    fixes: list[Fix]
    repeated_count: int


@dataclass(frozen=True, slots=True)
class ReplayOptions:
    """Where to, and how fast: `speed_up` recorded seconds a second, 0 as fast as answers come."""

    host: str
    port: int
    speed_up: float


def read_tracks(file: Path, *, limit: int = 0, utc_offset_h: float = 8.0) -> list[Track]:
    """The tracks of a CSV file (.gz too), by name. `limit`: first rows only, 0 for all; `utc_offset_h`: of times that
    name no zone."""
    table = _table(file, limit)
    rows = pd.DataFrame({key: table[column] for key, column in _columns(table).items()})
    rows["time_ms"] = _times_ms(rows["time"], utc_offset_h)
    for key in rows.columns.difference(["name", "time", "time_ms"]):
        rows[key] = pd.to_numeric(rows[key], errors="coerce")
    bad = rows[["time_ms", "longitude", "latitude"]].isna().any(axis=1)
    if bad.any():
        raise TrackFileError(f"row {int(np.argmax(bad.to_numpy())) + 2} has no readable time, longitude or latitude")
    rows["time_ms"] = rows["time_ms"].astype(np.int64) // 1000 * 1000
    groups = [(str(name), group) for name, group in rows.groupby("name", sort=True)]
    identities = _identities([name for name, _ in groups])
    return [_track(name, identities[name], group) for name, group in groups]


def track_cars(tracks: Sequence[Track]) -> list[Car]:
    """The register rows of the tracks."""
    return [Car(track.identity, Kind.OTHER, "") for track in tracks]


async def replay_tracks(
    tracks: Sequence[Track],
    options: ReplayOptions,
    *,
    stop: asyncio.Event,
    tell: Callable[[int], None] = lambda _: None,
) -> Counts:
    """Send every track, wait for every answer (or for `stop`). `tell` gets the count of acknowledged positions."""
    window = WINDOW_FAST if options.speed_up == 0 else WINDOW_PACED
    async with Terminals(options.host, options.port, window=window) as terminals:
        sending = [
            asyncio.create_task(_send(terminals.add(track.identity), track.fixes, options.speed_up)) for track in tracks
        ]

        def done() -> bool:
            tell(terminals.counts.positions_acknowledged)
            return stop.is_set() or (all(task.done() for task in sending) and terminals.pending_count == 0)

        await terminals.settled(done)
        for task in sending:
            task.cancel()
        await asyncio.gather(*sending, return_exceptions=True)
        return terminals.counts


async def _send(terminal: Terminal, fixes: Sequence[Fix], speed_up: float) -> None:
    before_ms = fixes[0].fix_time_ms
    for fix in fixes:
        if speed_up > 0:
            await asyncio.sleep(min((fix.fix_time_ms - before_ms) / 1000, GAP_S_MAX) / speed_up)
            before_ms = fix.fix_time_ms
        await terminal.room()
        terminal.report(fix)


def _table(file: Path, limit: int) -> pd.DataFrame:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return pd.read_csv(file, dtype=str, encoding=encoding, nrows=limit or None, skipinitialspace=True)
        except UnicodeDecodeError:
            continue
        except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
            raise TrackFileError(str(error)) from error
    raise TrackFileError("expected text in UTF-8 or GB 18030")


def _columns(table: pd.DataFrame) -> dict[str, str]:
    known = {str(column).strip().lower(): str(column) for column in table.columns}
    found = {
        key: known[header]
        for key, headers in {**HEADERS, **OPTIONAL_HEADERS}.items()
        for header in reversed(headers)
        if header in known
    }
    for key, headers in HEADERS.items():
        if key not in found:
            raise TrackFileError(f"no column for {key}: expected one of {', '.join(headers)}")
    return found


def _times_ms(times: pd.Series[str], utc_offset_h: float) -> pd.Series[float]:
    """Milliseconds since 1970 of epoch seconds, epoch milliseconds or written times; NaN where unreadable."""
    numbers = pd.to_numeric(times, errors="coerce")
    if numbers.notna().all():
        return numbers.where(numbers > 1e11, numbers * 1000).astype(float)
    parsed = pd.to_datetime(times, errors="coerce", utc=True, format="ISO8601")
    named = times.str.contains(r"(?:Z|[+-]\d\d:?\d\d)$", regex=True, na=False)
    milliseconds = (parsed - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(milliseconds=1)
    return milliseconds.where(named, milliseconds - utc_offset_h * 3_600_000)


def _track(name: str, identity: Identity, rows: pd.DataFrame) -> Track:
    ordered = rows.sort_values("time_ms", kind="stable").drop_duplicates("time_ms")
    longitudes, latitudes = ordered["longitude"].to_numpy(), ordered["latitude"].to_numpy()
    times_ms = ordered["time_ms"].to_numpy()
    speeds, headings = _motion(times_ms, longitudes, latitudes)
    if "speed" in ordered:
        speeds = ordered["speed"].fillna(0).to_numpy()
    if "heading" in ordered:
        headings = ordered["heading"].fillna(0).to_numpy()
    altitudes = ordered["altitude"].fillna(0).to_numpy() if "altitude" in ordered else np.zeros(len(ordered))
    columns = (
        times_ms,
        np.rint(longitudes * 1e7).astype(np.int64),
        np.rint(latitudes * 1e7).astype(np.int64),
        np.rint(np.clip(speeds, 0, 6553) * 10).astype(np.int64),
        np.rint(headings).astype(np.int64) % 360,
        np.rint(np.clip(altitudes, -32768, 32767)).astype(np.int64),
    )
    status = STATUS_ACC | STATUS_POSITIONED
    rows_of_values = zip(*(column.tolist() for column in columns), strict=True)
    fixes = [Fix._make((*values, 0, status, -1)) for values in rows_of_values]
    return Track(name, identity, fixes, len(rows) - len(ordered))


def _motion(
    times_ms: NDArray[np.int64], longitudes: NDArray[np.float64], latitudes: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Speed in km/h and heading in degrees from each fix's predecessor; 0 for the first."""
    east = np.diff(longitudes, prepend=longitudes[0]) * np.cos(np.radians(latitudes)) * EARTH_M_A_DEGREE
    north = np.diff(latitudes, prepend=latitudes[0]) * EARTH_M_A_DEGREE
    seconds = np.maximum(np.diff(times_ms, prepend=times_ms[0]) / 1000, 1)
    return np.minimum(np.hypot(east, north) / seconds * 3.6, SPEED_KMH_MAX), np.degrees(np.arctan2(east, north)) % 360


def _identities(names: Sequence[str]) -> dict[str, Identity]:
    """Phone and (where the name is no plate) plate from a number that the name gives, or the next free one."""
    numbers: dict[int, str] = {}
    for name in names:
        number = zlib.crc32(name.encode())
        while number % NUMBER_COUNT in numbers:
            number += 1
        numbers[number % NUMBER_COUNT] = name
    return {
        name: Identity(str(PHONE_REPLAY_FIRST + number), name if PLATE.match(name) else _made_up_plate(number), 1)
        for number, name in numbers.items()
    }


def _made_up_plate(number: int) -> str:
    digits = "".join(PLATE_SIGNS[number // len(PLATE_SIGNS) ** place % len(PLATE_SIGNS)] for place in (3, 2, 1, 0))
    return f"湘AR{digits}"
