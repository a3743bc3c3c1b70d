"""The layout that Redis holds is fixed: other processes read it."""

from __future__ import annotations

from services.vehicle_tracking.convert.live import LIVE_CHANGE, LIVE_RECORD, live_key


def test_a_record_is_48_bytes_and_a_change_56() -> None:
    assert (LIVE_RECORD.itemsize, LIVE_CHANGE.itemsize, live_key(3)) == (48, 56, "live:3")
    offsets = {name: LIVE_RECORD.fields[name][1] for name in ("fix_time_ms", "longitude_e7", "online")}  # type: ignore[index]
    assert offsets == {"fix_time_ms": 0, "longitude_e7": 8, "online": 45}
