"""The latest positions in memory."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.vehicle_tracking.adapters.live_table import VEHICLE_ID_MAX, LiveTable
from services.vehicle_tracking.convert.live import ID_TYPE
from services.vehicle_tracking.domain.latest_rows import LIVE_RECORD
from services.vehicle_tracking.domain.live_filters import Filter
from services.vehicle_tracking.domain.vehicle_columns import vehicle_rows
from services.vehicle_tracking.domain.vehicles import Vehicle, VehicleKind


def records(*times_ms: int, lon_e7: int = 0) -> NDArray[Any]:
    found = np.zeros(len(times_ms), LIVE_RECORD)
    found["fix_time_ms"], found["longitude_e7"] = times_ms, lon_e7
    return found


def ids(*values: int) -> NDArray[Any]:
    return np.array(values, ID_TYPE)


def registered(*vehicle_ids: int) -> LiveTable:
    table = LiveTable()
    vehicles = [
        Vehicle(key, f"湘A{key:05d}", 2, VehicleKind.TAXI, enterprise_id=key * 10, region_code="430100")
        for key in vehicle_ids
    ]
    table.register(vehicle_rows(vehicles))
    return table


def test_an_older_fix_does_not_replace_a_newer_one() -> None:
    table = registered(1)
    table.apply(ids(1), records(2000))
    number = table.change
    table.apply(ids(1), records(1000))
    found = table.find(1)
    assert found is not None
    assert found["fix_time_ms"] == 2000
    assert table.changed(number).tolist() == []


def test_only_what_changed_since_is_told() -> None:
    table = registered(1, 2)
    table.apply(ids(1, 2), records(1000, 1000))
    number = table.change
    table.apply(ids(2), records(2000))
    assert table.changed(number).tolist() == [2]
    assert table.positions(table.changed(number), 5).fix_times_ms.tolist() == [2000]


def test_filters_must_all_match() -> None:
    table = registered(1, 2, 3)
    table.apply(ids(1, 2), records(1000, 1000, lon_e7=7))
    every = np.array([1, 2, 3])
    assert table.matching(every, Filter()).tolist() == [True, True, False]  # 3 has no position yet
    assert table.matching(every, Filter(enterprise_ids=frozenset([20]))).tolist() == [False, True, False]
    assert not table.matching(every, Filter(region_codes=frozenset(["430200"]))).any()
    assert not table.matching(every, Filter(kinds=frozenset([1]))).any()
    assert table.matching(every, Filter(box_e7=(7, 0, 8, 0))).tolist() == [True, True, False]
    assert not table.matching(every, Filter(box_e7=(8, 0, 9, 0))).any()


def test_a_vehicle_that_is_not_registered_any_more_matches_nothing() -> None:
    table = registered(1)
    table.apply(ids(1), records(1000))
    table.register(vehicle_rows([], [1]))
    assert not table.matching(np.array([1]), Filter()).any()


def test_ids_that_no_register_gives_out_are_left_alone() -> None:
    table = LiveTable()
    table.apply(ids(0, -1, VEHICLE_ID_MAX, 2**62), records(1, 1, 1, 1))
    assert (table.change, table.find(0), table.find(-1), table.find(VEHICLE_ID_MAX)) == (0, None, None, None)
