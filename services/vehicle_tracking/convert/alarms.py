"""Alarm messages from domain values and from stored rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xiangtong.tracking.v1 import alarms_pb2 as pb
from xiangtong.tracking.v1.fences_pb2 import AlarmLevel

from services.vehicle_tracking.convert.registry import timestamp
from services.vehicle_tracking.domain.alarms.alarm import Alarm, EvidencePosition


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """What people have done about an alarm; the engine never writes it. `version`: counts their edits."""

    state: int = pb.ALARM_STATE_OPEN
    acknowledged_by: str = ""
    acknowledge_time_ms: int | None = None
    remark: str = ""
    version: int = 1


def alarm_message(alarm: Alarm, handled: Acknowledgement | None = None) -> pb.Alarm:
    """An alarm on the wire, with what has been done about it."""
    handled = handled or Acknowledgement()
    message = pb.Alarm(
        alarm_id=alarm.alarm_id,
        rule=alarm.rule,
        vehicle_id=alarm.vehicle_id,
        fence_id=alarm.fence_id,
        raise_time=timestamp(alarm.raise_time_ms),
        level=AlarmLevel.ValueType(int(alarm.level)),
        evidence=[
            pb.EvidencePosition(
                fix_time=timestamp(position.fix_time_ms),
                longitude_e7=position.longitude_e7,
                latitude_e7=position.latitude_e7,
                speed_01kmh=position.speed_01kmh,
            )
            for position in alarm.evidence
        ],
        late=alarm.late,
        measured_value=alarm.measured_value,
        limit_value=alarm.limit_value,
        state=pb.AlarmState.ValueType(handled.state),
        acknowledged_by=handled.acknowledged_by,
        remark=handled.remark,
        etag=str(handled.version),
        create_time=timestamp(alarm.create_time_ms),
    )
    if alarm.clear_time_ms is not None:
        message.clear_time.CopyFrom(timestamp(alarm.clear_time_ms))
    if handled.acknowledge_time_ms is not None:
        message.acknowledge_time.CopyFrom(timestamp(handled.acknowledge_time_ms))
    return message


def evidence_rows(evidence: Sequence[EvidencePosition]) -> list[list[int]]:
    """Evidence as it is stored: fix time, longitude, latitude, speed of each position."""
    return [[p.fix_time_ms, p.longitude_e7, p.latitude_e7, p.speed_01kmh] for p in evidence]


def evidence_from(rows: Sequence[Sequence[int]]) -> tuple[EvidencePosition, ...]:
    """Evidence from its stored form."""
    return tuple(EvidencePosition(*row) for row in rows)
