"""Alarms on the wire."""

from __future__ import annotations

from dataclasses import replace

from services.vehicle_tracking.convert.alarms import Acknowledgement, alarm_message, evidence_from, evidence_rows
from services.vehicle_tracking.domain.alarms.alarm import Alarm, EvidencePosition
from services.vehicle_tracking.domain.fences import AlarmLevel

EVIDENCE = (EvidencePosition(1000, 1129000000, 282000000, 1234), EvidencePosition(2000, -1, -2, 0))
OVERSPEED = Alarm("overspeed", 7, 1_700_000_000_123, AlarmLevel.HIGH, evidence=EVIDENCE, measured_value=123.4)


def test_an_alarm_that_holds_has_no_clear_time() -> None:
    message = alarm_message(OVERSPEED)
    assert not message.HasField("clear_time")
    assert alarm_message(replace(OVERSPEED, clear_time_ms=5)).clear_time.nanos == 5_000_000


def test_times_keep_their_milliseconds() -> None:
    assert (alarm_message(OVERSPEED).raise_time.seconds, alarm_message(OVERSPEED).raise_time.nanos) == (
        1_700_000_000,
        123_000_000,
    )


def test_an_alarm_is_open_until_somebody_acknowledges_it() -> None:
    handled = Acknowledgement(state=2, acknowledged_by="li", acknowledge_time_ms=9000, remark="called", version=4)
    opened, done = alarm_message(OVERSPEED), alarm_message(OVERSPEED, handled)
    assert (opened.state, opened.etag, opened.HasField("acknowledge_time")) == (1, "1", False)
    assert (done.state, done.acknowledged_by, done.acknowledge_time.seconds, done.etag) == (2, "li", 9, "4")


def test_stored_evidence_is_the_evidence() -> None:
    assert evidence_from(evidence_rows(EVIDENCE)) == EVIDENCE
    assert [p.speed_01kmh for p in alarm_message(OVERSPEED).evidence] == [1234, 0]
