"""AlarmFilter messages as domain values."""

from __future__ import annotations

from xiangtong.tracking.v1 import tracking_service_pb2 as pb

from common.errors import InvalidInput, Violation
from services.vehicle_tracking.convert.registry import instant_ms
from services.vehicle_tracking.domain.alarm_filters import AlarmFilter

RULES_MAX = 100


def alarm_filter_from(message: pb.AlarmFilter) -> AlarmFilter:
    """Which alarms. Raises InvalidInput."""
    violations = []
    if len(message.rules) > RULES_MAX:
        violations.append(Violation("filter.rules", f"give at most {RULES_MAX}"))
    if message.state not in (0, 1, 2):
        violations.append(Violation("filter.state", "say OPEN or ACKNOWLEDGED, or leave it out"))
    start = instant_ms(message.start_time) if message.HasField("start_time") else None
    end = instant_ms(message.end_time) if message.HasField("end_time") else None
    if start is not None and end is not None and start >= end:
        violations.append(Violation("filter.end_time", "must be after start_time"))
    if violations:
        raise InvalidInput(*violations)
    return AlarmFilter(message.vehicle_id, frozenset(message.rules), start, end, int(message.state), message.fence_id)
