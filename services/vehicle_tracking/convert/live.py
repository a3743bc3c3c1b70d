"""Latest positions as Redis holds them: fixed records, read and written as arrays.

Hash `live:<partition>`: vehicle id (8 bytes, big-endian) to one LIVE_RECORD. Channel `live`: LIVE_CHANGE after
LIVE_CHANGE. Channel `alarms`: one Alarm message each.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.vehicle_tracking.domain.latest_rows import LIVE_RECORD

LIVE_CHANNEL = "live"
ALARMS_CHANNEL = "alarms"
ID_TYPE = np.dtype(">i8")
LIVE_CHANGE = np.dtype([("vehicle_id", ID_TYPE), ("record", LIVE_RECORD)])

HSET_FIELDS_MAX = 2000  # Redis answers nobody else while it runs one command: 2,000 fields take about a millisecond
_PAIR = np.dtype(
    [
        ("id_length", "S4"),
        ("vehicle_id", ID_TYPE),
        ("value_length", "S7"),
        ("record", LIVE_RECORD),
        ("end", "S2"),
    ]
)


def live_key(partition: int) -> str:
    """The hash that holds the vehicles of a partition."""
    return f"live:{partition}"


def changes_of(vehicle_ids: NDArray[np.int64], records: NDArray[Any]) -> NDArray[Any]:
    """LIVE_CHANGE of each vehicle, (n,): what the channel `live` carries."""
    changes = np.empty(len(vehicle_ids), LIVE_CHANGE)
    changes["vehicle_id"], changes["record"] = vehicle_ids, records
    return changes


def hset_commands(partition: int, changes: NDArray[Any]) -> tuple[bytes, int]:
    """Redis commands that put `changes`, (n,) LIVE_CHANGE, into the partition's hash, and how many they are.

    Every field and value has the same length, so the protocol's text is the same around each and one array holds it."""
    key = live_key(partition).encode()
    parts = []
    for start in range(0, len(changes), HSET_FIELDS_MAX):
        some = changes[start : start + HSET_FIELDS_MAX]
        pairs = np.empty(len(some), _PAIR)
        pairs["id_length"], pairs["value_length"], pairs["end"] = b"$8\r\n", b"\r\n$48\r\n", b"\r\n"
        pairs["vehicle_id"], pairs["record"] = some["vehicle_id"], some["record"]
        parts.append(b"*%d\r\n$4\r\nHSET\r\n$%d\r\n%s\r\n" % (2 + 2 * len(some), len(key), key))
        parts.append(pairs.tobytes())
    return b"".join(parts), len(parts) // 2


def publish_command(channel: str, message: bytes) -> bytes:
    """The Redis command that publishes `message`."""
    name = channel.encode()
    return b"*3\r\n$7\r\nPUBLISH\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n" % (len(name), name, len(message), message)
