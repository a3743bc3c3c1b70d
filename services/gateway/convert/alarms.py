"""Alarms as JSON values."""

from __future__ import annotations

from typing import Any

from xiangtong.tracking.v1 import alarms_pb2
from xiangtong.tracking.v1 import tracking_service_pb2 as pb

from services.gateway.convert.values import degrees, instant, tenths, time_ms
from services.gateway.convert.words import ALARM_STATES, LEVELS


def alarm_json(alarm: alarms_pb2.Alarm, plate: str) -> dict[str, Any]:
    """An alarm with its vehicle's plate; empty where the register does not know the vehicle any more."""
    return {
        "alarm_id": alarm.alarm_id,
        "rule": alarm.rule,
        "vehicle_id": alarm.vehicle_id,
        "plate": plate,
        "fence_id": alarm.fence_id,
        "level": LEVELS.word(alarm.level),
        "raise_time_ms": time_ms(alarm.raise_time),
        "clear_time_ms": time_ms(alarm.clear_time) if alarm.HasField("clear_time") else None,
        "late": alarm.late,
        "measured_value": alarm.measured_value,
        "limit_value": alarm.limit_value,
        "state": ALARM_STATES.word(alarm.state),
        "acknowledged_by": alarm.acknowledged_by,
        "acknowledge_time_ms": time_ms(alarm.acknowledge_time) if alarm.HasField("acknowledge_time") else None,
        "remark": alarm.remark,
        "etag": alarm.etag,
        "create_time_ms": time_ms(alarm.create_time),
        "evidence": [
            {
                "fix_time_ms": time_ms(position.fix_time),
                "longitude": degrees(position.longitude_e7),
                "latitude": degrees(position.latitude_e7),
                "speed_kmh": tenths(position.speed_01kmh),
            }
            for position in alarm.evidence
        ],
    }


def alarm_filter(
    *,
    vehicle_id: int,
    rules: list[str],
    start_time_ms: int | None,
    end_time_ms: int | None,
    state: str,
    fence_id: int,
) -> pb.AlarmFilter:
    """Which alarms a query asks for. Raises InvalidInput."""
    return pb.AlarmFilter(
        vehicle_id=vehicle_id,
        rules=rules,
        start_time=None if start_time_ms is None else instant(start_time_ms),
        end_time=None if end_time_ms is None else instant(end_time_ms),
        state=alarms_pb2.AlarmState.ValueType(ALARM_STATES.number(state, "state") if state else 0),
        fence_id=fence_id,
    )
