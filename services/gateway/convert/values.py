"""Times and coordinates between messages and JSON."""

from __future__ import annotations

from google.protobuf.timestamp_pb2 import Timestamp

E7 = 10_000_000
POINT_DIGITS = 7
UNSIGNED = 0xFFFFFFFF
SPEED_STEPS = 10  # messages hold 0.1 km/h, distances 0.1 km


def time_ms(instant: Timestamp) -> int:
    """Milliseconds since 1970 of an instant."""
    return instant.seconds * 1000 + instant.nanos // 1_000_000


def instant(time_ms: int) -> Timestamp:
    """The instant of milliseconds since 1970."""
    seconds, rest_ms = divmod(time_ms, 1000)
    return Timestamp(seconds=seconds, nanos=rest_ms * 1_000_000)


def degrees(value_e7: int) -> float:
    """Degrees of 1e-7 degree, as short as they can be written."""
    return round(value_e7 / E7, POINT_DIGITS)


def e7(value_deg: float) -> int:
    """The nearest 1e-7 degree."""
    return round(value_deg * E7)


def tenths(value: int) -> float:
    """A tenth of an integer: 0.1 km/h as km/h, 0.1 km as km."""
    return value / SPEED_STEPS
