"""What the kernel of sides reads and writes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.vehicle_tracking.domain.positions import Bytes, Int32s, Int64s

LEFT = 0  # a fence stopped applying; the other events have the numbers of FenceTrigger
ON_TIME, LATE = 1, 2  # how an alarm was raised

# `side_…`: the first fix on the side; `pending_…`: the first of the unbroken row on the other side. `raised`: the alarm
# of the side (enter when inside, exit when outside): 0 for none, ON_TIME or LATE. 64 bytes: a line of the cache.
SIDE = np.dtype(
    [
        ("fence_id", "<i8"),
        ("side_time_ms", "<i8"),
        ("pending_time_ms", "<i8"),
        ("create_time_ms", "<i8"),
        ("side_longitude_e7", "<i4"),
        ("side_latitude_e7", "<i4"),
        ("side_speed_01kmh", "<i4"),
        ("pending_longitude_e7", "<i4"),
        ("pending_latitude_e7", "<i4"),
        ("pending_speed_01kmh", "<i4"),
        ("following", "<i4"),
        ("inside", "u1"),
        ("pending", "u1"),
        ("raised", "u1"),
        ("level", "u1"),
    ]
)
EVENT = np.dtype([("fix", "<i4"), ("kind", "<i4"), ("fence_id", "<i8"), ("time_ms", "<i8")])


class Columns(NamedTuple):
    """Columns of fixes, see alarms.rule.Fixes. `received_time_ms`: of all of them."""

    rows: Int64s
    times_ms: Int64s
    longitudes_e7: Int32s
    latitudes_e7: Int32s
    speeds_01kmh: Int32s
    kinds: Bytes
    lates: NDArray[np.bool_]
    before_times_ms: Int64s
    before_longitudes_e7: Int32s
    before_latitudes_e7: Int32s
    received_time_ms: int


class Fix(NamedTuple):
    """One of those fixes. `number`: which."""

    number: int
    row: int
    time_ms: int
    longitude_e7: int
    latitude_e7: int
    speed_01kmh: int
    kind: int
    late: bool
    received_time_ms: int
