"""Records that cannot be used."""

from __future__ import annotations

from common.infra.log import Record
from services.vehicle_tracking.adapters.dead_letters import DeadLetters
from tests.vehicle_tracking.memory_log import MemoryLog


def test_the_raw_bytes_are_kept_with_the_reason_and_where_they_stood() -> None:
    log = MemoryLog()
    DeadLetters(log.producer()).bury([(Record("positions", 3, 77, b"\xff", 0, (("from", b"x"),)), "DAMAGED")])
    [kept] = [record for records in log.records.values() for record in records]
    assert (kept.topic, kept.partition, kept.value) == ("dead-letters", 0, b"\xff")
    assert dict(kept.headers) == {
        "from": b"x",
        "reason": b"DAMAGED",
        "topic": b"positions",
        "partition": b"3",
        "offset": b"77",
    }
