"""Real GPS recordings through the whole platform: sent by terminals on TCP, archived, read back, judged by fences."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pandas as pd
import pyarrow.dataset as ds
import pytest
import shapely
from google.protobuf.timestamp_pb2 import Timestamp
from shapely.geometry import Polygon
from xiangtong.tracking.v1 import fences_pb2, registry_service_pb2, tracking_service_pb2
from xiangtong.tracking.v1.registry_service_pb2_grpc import RegistryServiceStub
from xiangtong.tracking.v1.tracking_service_pb2_grpc import TrackingServiceStub

from bench.stack import Stack
from simulation.replay import read_tracks

FILE = Path(__file__).resolve().parents[3] / "shared" / "data" / "gps" / "geolife_sample.txt.gz"
MICRODEGREE_E7 = 10
MONTH_MS = 30 * 24 * 3_600_000
WAIT_S = 120.0

pytestmark = [
    pytest.mark.enable_socket,
    pytest.mark.services("postgres", "redis"),
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not FILE.exists(), reason=f"no recording at shared/data/gps/{FILE.name}"),
]


@dataclass(frozen=True)
class Replayed:
    """A platform that has swallowed the recording, and what the recording says."""

    stack: Stack
    fixes: pd.DataFrame  # name, time_ms, longitude_e7, latitude_e7, as the wire carries them
    areas: dict[int, Polygon]
    vehicle_ids: dict[str, int]
    tracking: Any


@pytest.fixture(scope="module")
def replayed(postgres_url: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replayed]:
    servers = {"XIANGTONG_POSTGRES": postgres_url, "XIANGTONG_REDIS": redis_url}
    roles = ("tracking-engine", "tracking-api", "tracking-access")
    with (
        Stack(tmp_path_factory.mktemp("stack"), servers, {"XIANGTONG_CHECKPOINT_INTERVAL_S": "2"}, roles) as stack,
        grpc.insecure_channel(stack.api, [("grpc.max_receive_message_length", -1)]) as channel,
    ):
        tracking = TrackingServiceStub(channel)
        fixes = recorded()
        areas = {created(tracking, n, area): area for n, area in enumerate(drawn_over(fixes))}
        time.sleep(1.0)  # within which a new fence is in force
        words = ["replay", str(FILE), "--access", stack.access, "--api", stack.api, "--speed-up", "0"]
        words += ["--utc-offset", "0"]
        done = subprocess.run(
            [sys.executable, "-m", "services", *words], env=stack.environment(), capture_output=True, check=False
        )
        assert done.returncode == 0, (done.stdout + done.stderr).decode()
        identities = {track.name: track.identity for track in read_tracks(FILE, limit=200_000)}
        vehicles = RegistryServiceStub(channel).ListVehicles(registry_service_pb2.ListVehiclesRequest()).vehicles
        ids = {vehicle.plate: vehicle.vehicle_id for vehicle in vehicles}
        archived(stack, len(fixes))
        yield Replayed(
            stack, fixes, areas, {name: ids[identity.plate] for name, identity in identities.items()}, tracking
        )


def recorded() -> pd.DataFrame:
    """The recording, each second of a vehicle once, coordinates in whole millionths of a degree."""
    rows = pd.read_csv(FILE, dtype={"uid": str})
    times = pd.to_datetime(rows["datetime"], utc=True)
    fixes = pd.DataFrame(
        {
            "name": rows["uid"],
            "time_ms": (times - pd.Timestamp(0, tz="UTC")) // pd.Timedelta(milliseconds=1),
            "longitude_e7": np.rint(rows["lng"] * 1e6).astype(np.int64) * MICRODEGREE_E7,
            "latitude_e7": np.rint(rows["lat"] * 1e6).astype(np.int64) * MICRODEGREE_E7,
        }
    )
    return fixes.drop_duplicates(["name", "time_ms"]).sort_values(["name", "time_ms"], ignore_index=True)


def drawn_over(fixes: pd.DataFrame) -> list[Polygon]:
    """Stars of five sizes around places that the recording visits, in whole 1e-7 degrees."""
    rng = np.random.default_rng(5)
    places = fixes.iloc[rng.choice(len(fixes), 24, replace=False)]
    angles = np.arange(14) * np.pi / 7
    areas = []
    for number, (longitude, latitude) in enumerate(
        zip(places["longitude_e7"].tolist(), places["latitude_e7"].tolist(), strict=True)
    ):
        reach = (800, 4_000, 20_000, 100_000, 900_000)[number % 5] * np.where(np.arange(14) % 2, 1.0, 0.4)
        corners = np.stack([longitude + reach * np.cos(angles), latitude + reach * np.sin(angles)], axis=1)
        areas.append(Polygon(np.rint(corners).astype(np.int64)))
    return areas


def created(tracking: Any, number: int, area: Polygon) -> int:
    corners = np.array(area.exterior.coords[:-1], np.int64)
    fence = fences_pb2.Fence(
        name=f"星{number}",
        enabled=True,
        source_datum="WGS84",
        triggers=[fences_pb2.FENCE_TRIGGER_ENTER, fences_pb2.FENCE_TRIGGER_EXIT],
    )
    fence.polygon.rings.add(longitudes_e7=corners[:, 0].tolist(), latitudes_e7=corners[:, 1].tolist())
    return int(tracking.CreateFence(tracking_service_pb2.CreateFenceRequest(fence=fence)).fence.fence_id)


def archived(stack: Stack, count: int) -> pd.DataFrame:
    """Every archived position, once there are `count`."""
    folder, deadline_s = stack.folder / "data" / "archive", time.monotonic() + WAIT_S
    while True:
        files = sorted(str(path) for path in folder.rglob("*.parquet"))
        rows = ds.dataset(files, format="parquet").to_table().to_pandas() if files else pd.DataFrame()
        if len(rows) >= count or time.monotonic() > deadline_s:
            return rows
        time.sleep(0.5)


def expected_transitions(replayed: Replayed) -> set[tuple[str, int, int, int]]:
    """(rule, vehicle, fence, time) of every change of side, worked out by shapely from the recording."""
    found = set()
    for name, fixes in replayed.fixes.groupby("name"):
        points = shapely.points(fixes["longitude_e7"].to_numpy(), fixes["latitude_e7"].to_numpy())
        times = fixes["time_ms"].to_numpy()
        for fence_id, area in replayed.areas.items():
            inside = np.asarray(shapely.intersects(area, points))
            changes = np.flatnonzero(np.diff(inside, prepend=False))
            found |= {
                ("fence_enter" if inside[row] else "fence_exit", replayed.vehicle_ids[str(name)], fence_id, times[row])
                for row in changes.tolist()
            }
    return found


def test_every_fix_that_was_sent_is_archived_once_to_the_millionth_of_a_degree(replayed: Replayed) -> None:
    rows = archived(replayed.stack, len(replayed.fixes))
    assert len(rows) == len(replayed.fixes)
    stored = pd.DataFrame(
        {
            "vehicle_id": rows["vehicle_id"],
            "time_ms": rows["fix_time"].astype("datetime64[ms, UTC]").astype(np.int64),
            "longitude_e7": rows["longitude_e7"],
            "latitude_e7": rows["latitude_e7"],
        }
    ).sort_values(["vehicle_id", "time_ms"], ignore_index=True)
    sent = replayed.fixes.assign(vehicle_id=replayed.fixes["name"].map(replayed.vehicle_ids))
    sent = sent.sort_values(["vehicle_id", "time_ms"], ignore_index=True)
    for column in stored.columns:
        assert np.array_equal(stored[column], sent[column]), column


def test_get_track_returns_every_fix_that_was_sent(replayed: Replayed) -> None:
    for name, fixes in replayed.fixes.groupby("name"):
        positions = track(replayed.tracking, replayed.vehicle_ids[str(name)], fixes["time_ms"])
        assert [row[0] for row in positions] == fixes["time_ms"].tolist()
        given = np.array([row[1:] for row in positions])
        sent = fixes[["longitude_e7", "latitude_e7"]].to_numpy()
        assert np.abs(given - sent).max() < MICRODEGREE_E7


def test_fences_raise_exactly_the_transitions_that_shapely_computes_from_the_recording(replayed: Replayed) -> None:
    expected = expected_transitions(replayed)
    assert len(expected) > 500
    raised, token = [], ""
    while True:
        request = tracking_service_pb2.ListAlarmsRequest(page_size=1000, page_token=token)
        request.filter.rules.extend(["fence_enter", "fence_exit"])
        page = replayed.tracking.ListAlarms(request)
        raised += [(a.rule, a.vehicle_id, a.fence_id, a.raise_time.ToMilliseconds()) for a in page.alarms]
        token = page.next_page_token
        if not token:
            break
    assert len(raised) == len(set(raised))
    assert set(raised) == expected


def track(tracking: Any, vehicle_id: int, times_ms: pd.Series[int]) -> list[tuple[int, int, int]]:
    found: list[tuple[int, int, int]] = []
    for start_ms in range(int(times_ms.min()), int(times_ms.max()) + 1, MONTH_MS):
        request = tracking_service_pb2.GetTrackRequest(
            vehicle_id=vehicle_id, start_time=instant(start_ms), end_time=instant(start_ms + MONTH_MS), page_size=50_000
        )
        while True:
            page = tracking.GetTrack(request)
            columns = (page.positions.fix_times_ms, page.positions.longitudes_e7, page.positions.latitudes_e7)
            found += zip(*columns, strict=True)
            request.page_token = page.next_page_token
            if not request.page_token:
                break
    return found


def instant(time_ms: int) -> Timestamp:
    made = Timestamp()
    made.FromMilliseconds(time_ms)
    return made
