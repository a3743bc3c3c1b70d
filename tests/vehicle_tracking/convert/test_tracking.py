"""Filters and latest positions on the wire."""

from __future__ import annotations

import numpy as np
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from xiangtong.tracking.v1 import tracking_service_pb2 as pb

from common.errors import InvalidInput
from services.vehicle_tracking.convert.alarm_filters import alarm_filter_from
from services.vehicle_tracking.convert.tracking import filter_from, tracked_message
from services.vehicle_tracking.domain.alarm_filters import AlarmFilter
from services.vehicle_tracking.domain.latest_rows import LIVE_RECORD
from services.vehicle_tracking.domain.live_filters import Filter
from services.vehicle_tracking.domain.vehicles import Vehicle, VehicleKind

VEHICLE = Vehicle(1, "湘A12345", 2, VehicleKind.TAXI)


def test_a_filter_that_says_nothing_wants_all() -> None:
    assert filter_from(pb.PositionFilter()) == Filter()
    assert alarm_filter_from(pb.AlarmFilter()) == AlarmFilter()


def test_a_vehicle_carries_its_record_field_by_field() -> None:
    record = np.zeros(1, LIVE_RECORD)
    for n, name in enumerate(LIVE_RECORD.names or (), 1):
        record[name] = n
    found = tracked_message(VEHICLE, record[0])
    latest = found.latest_position
    assert (latest.fix_time.nanos, latest.longitude_e7, latest.latitude_e7) == (1_000_000, 2, 3)
    assert (latest.speed_01kmh, latest.heading_deg, latest.altitude_m) == (4, 5, 6)
    assert (latest.alarm_word, latest.status_word, latest.odometer_01km, found.online) == (7, 8, 9, True)


def test_an_alarm_filter_out_of_order_is_refused_by_name() -> None:
    times = {"start_time": Timestamp(seconds=2), "end_time": Timestamp(seconds=1)}
    with pytest.raises(InvalidInput) as refusal:
        alarm_filter_from(pb.AlarmFilter(rules=["x"] * 101, state=7, **times))  # type: ignore[arg-type]
    assert [v.field for v in refusal.value.violations] == ["filter.rules", "filter.state", "filter.end_time"]
