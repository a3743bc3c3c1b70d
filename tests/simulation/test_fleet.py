"""The fleet drives as far as real ones do, repeats itself from a seed, and reports what it ought to report."""

from __future__ import annotations

import numpy as np
import pytest

from simulation.fleet import Behaviour, Fleet, Reports, joined
from simulation.province import Province, province

START_MS = 1_764_028_800_000  # 2025-11-25 08:00 in Shanghai
QUIET = Behaviour(speedings=0, outages=0, switch_offs=0, terminal_alarms=0, duplicates=0, late_uploaders=0, noise_m=0)
BUSY = Behaviour(activity=8.0, outages=20.0, outage_s=(20.0, 60.0), duplicates=0.2, late_uploaders=0.5)


@pytest.fixture(scope="module")
def land() -> Province:
    return province(1)


def driven(land: Province, behaviour: Behaviour, *, seconds: int, count: int = 200, seed: int = 3) -> Reports:
    fleet = Fleet(land, count, seed=seed, start_ms=START_MS, behaviour=behaviour)
    return joined([fleet.step() for _ in range(seconds)])


def test_the_same_seed_reports_the_same(land: Province) -> None:
    one, same = driven(land, BUSY, seconds=120), driven(land, BUSY, seconds=120)
    assert one.fix_times_ms.tobytes() == same.fix_times_ms.tobytes()
    assert one.longitudes_e7.tobytes() == same.longitudes_e7.tobytes()


@pytest.mark.slow
def test_a_vehicle_drives_150_to_165_km_a_day(land: Province) -> None:
    fleet = Fleet(land, 3000, seed=1, start_ms=START_MS)
    before_m = fleet.odometers_m.copy()
    for _ in range(24 * 3600):
        fleet._turn_to()  # the motion without the reports, which cost most of the time
        fleet._move()
        fleet.now_ms += 1000
    assert 150 <= (fleet.odometers_m - before_m).mean() / 1000 <= 165


def test_a_careful_fleet_stays_below_its_limits_and_moves_as_its_speed_says(land: Province) -> None:
    fleet = Fleet(land, 300, seed=5, start_ms=START_MS, behaviour=QUIET)
    for _ in range(300):
        before_m = fleet.odometers_m.copy()
        fleet.step()
        moving = fleet.speeds_ms > 0
        assert np.allclose((fleet.odometers_m - before_m)[moving], fleet.speeds_ms[moving])
        assert (fleet.speeds_ms <= 120 / 3.6).all()


def test_fixes_come_at_the_interval_of_their_kind_in_order(land: Province) -> None:
    reports = driven(land, QUIET, seconds=200)
    for vehicle in range(50):
        times = reports.fix_times_ms[(reports.vehicles == vehicle) & ~reports.blind]
        assert (np.diff(times) > 0).all()
        assert len(times) >= 2


def test_what_an_outage_stores_comes_later_marked_as_blind_area_and_before_newer_fixes(land: Province) -> None:
    reports = driven(land, BUSY, seconds=400)
    assert reports.blind.any()
    late = set()
    for vehicle in np.unique(reports.vehicles[reports.blind]).tolist():
        rows = np.flatnonzero(reports.vehicles == vehicle)
        if (np.diff(reports.fix_times_ms[rows]) < 0).any():
            late.add(vehicle)
    assert 0 < len(late) < len(np.unique(reports.vehicles[reports.blind]))  # late uploaders alone send old after new


def test_duplicates_repeat_a_report_to_the_bit(land: Province) -> None:
    reports = driven(land, Behaviour(duplicates=0.5, outages=0, late_uploaders=0), seconds=120)
    keys = np.stack([reports.vehicles.astype(np.int64), reports.fix_times_ms], axis=1)
    unique, first = np.unique(keys, axis=0, return_index=True)
    assert len(unique) < len(keys)
    columns = dict(zip(map(tuple, unique.tolist()), reports.longitudes_e7[first].tolist(), strict=True))
    repeated = zip(map(tuple, keys.tolist()), reports.longitudes_e7.tolist(), strict=True)
    assert all(columns[key] == longitude for key, longitude in repeated)


def test_a_switched_off_vehicle_says_nothing(land: Province) -> None:
    behaviour = Behaviour(activity=8.0, switch_offs=3600.0, switch_off_s=(1000.0, 2000.0), outages=0)
    fleet = Fleet(land, 200, seed=3, start_ms=START_MS, behaviour=behaviour)
    counts = [len(fleet.step()) for _ in range(240)]
    assert sum(counts[-60:]) < sum(counts[:60])


def test_coordinates_are_whole_millionths_as_the_wire_carries_them(land: Province) -> None:
    reports = driven(land, BUSY, seconds=60)
    assert (reports.longitudes_e7 % 10 == 0).all() and (reports.latitudes_e7 % 10 == 0).all()
