"""The layout that Redis holds is fixed: other processes read it."""

from __future__ import annotations

import numpy as np

from services.vehicle_tracking.convert.live import (
    HSET_FIELDS_MAX,
    LIVE_CHANGE,
    changes_of,
    hset_commands,
    live_key,
    publish_command,
)
from services.vehicle_tracking.domain.latest_rows import LIVE_RECORD


def records(count: int) -> np.ndarray[tuple[int], np.dtype[np.void]]:
    made = np.zeros(count, LIVE_RECORD)
    made["fix_time_ms"] = np.arange(count) + 1
    return made


def test_a_record_is_48_bytes_and_a_change_56() -> None:
    assert (LIVE_RECORD.itemsize, LIVE_CHANGE.itemsize, live_key(3)) == (48, 56, "live:3")
    offsets = {name: LIVE_RECORD.fields[name][1] for name in ("fix_time_ms", "longitude_e7", "online")}  # type: ignore[index]
    assert offsets == {"fix_time_ms": 0, "longitude_e7": 8, "online": 45}


def test_one_vehicle_is_one_hset_of_its_id_and_record() -> None:
    packed, count = hset_commands(3, changes_of(np.array([259]), records(1)))
    identity, record = (259).to_bytes(8, "big"), records(1).tobytes()
    expected = b"*4\r\n$4\r\nHSET\r\n$6\r\nlive:3\r\n$8\r\n" + identity + b"\r\n$48\r\n" + record + b"\r\n"
    assert (packed, count) == (expected, 1)


def test_no_vehicles_are_no_commands() -> None:
    assert hset_commands(0, changes_of(np.zeros(0, np.int64), records(0))) == (b"", 0)


def test_many_vehicles_are_several_commands_so_that_redis_stays_answerable() -> None:
    count = 2 * HSET_FIELDS_MAX + 1
    packed, commands = hset_commands(0, changes_of(np.arange(count), records(count)))
    assert (commands, packed.count(b"HSET")) == (3, 3)


def test_a_message_is_published_with_its_length() -> None:
    assert publish_command("live", b"\r\n") == b"*3\r\n$7\r\nPUBLISH\r\n$4\r\nlive\r\n$2\r\n\r\n\r\n"
