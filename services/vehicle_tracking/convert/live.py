"""Latest positions as Redis holds them: fixed records, read and written as arrays.

Hash `live:<partition>`: vehicle id (8 bytes, big-endian) to one LIVE_RECORD. Channel `live`: LIVE_CHANGE after
LIVE_CHANGE. Channel `alarms`: one Alarm message each.
"""

from __future__ import annotations

import numpy as np

LIVE_CHANNEL = "live"
ALARMS_CHANNEL = "alarms"
ID_TYPE = np.dtype(">i8")
LIVE_RECORD = np.dtype(
    [
        ("fix_time_ms", "<i8"),
        ("longitude_e7", "<i4"),
        ("latitude_e7", "<i4"),
        ("speed_01kmh", "<i4"),
        ("heading_deg", "<i4"),
        ("altitude_m", "<i4"),
        ("alarm_word", "<i4"),
        ("status_word", "<i4"),
        ("odometer_01km", "<i4"),
        ("quality_flags", "<i4"),
        ("source", "u1"),
        ("online", "u1"),
        ("spare", "<u2"),
    ]
)
LIVE_CHANGE = np.dtype([("vehicle_id", ID_TYPE), ("record", LIVE_RECORD)])
assert LIVE_RECORD.itemsize == 48


def live_key(partition: int) -> str:
    """The hash that holds the vehicles of a partition."""
    return f"live:{partition}"
