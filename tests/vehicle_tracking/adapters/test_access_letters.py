"""Refused frames are kept with their reason, within bounds, and never in anybody's way."""

from __future__ import annotations

from collections.abc import Sequence

from common.clock import ManualClock
from common.errors import Unavailable
from common.infra.log import NewRecord, TopicPartition
from services.vehicle_tracking.adapters.access_letters import LETTERS_A_SECOND_MAX, RefusedFrames
from services.vehicle_tracking.domain.topics import DEAD_LETTERS
from services.vehicle_tracking.terminals.jt808.frames import decode_one
from simulation import frames
from simulation.frames import Identity
from tests.vehicle_tracking.memory_log import MemoryLog

IDENTITY = Identity("13900000001", "湘A00001", 2)
PLACE = TopicPartition(DEAD_LETTERS, 0)


def damaged() -> bytes:
    whole = bytearray(frames.frame(IDENTITY, frames.HEARTBEAT, 1, b""))
    whole[-2] ^= 1
    return bytes(whole)


def kept(log: MemoryLog) -> list[tuple[bytes, dict[str, bytes]]]:
    return [(record.value, dict(record.headers)) for record in log.read(PLACE, 0)]


def log_with_topic() -> MemoryLog:
    log = MemoryLog()
    log.partition_counts[DEAD_LETTERS] = 1
    return log


def test_a_refused_frame_is_kept_whole_with_its_reason() -> None:
    log, stream = log_with_topic(), damaged()
    refused = RefusedFrames(log.producer(), ManualClock())
    refused.take(decode_one(stream), stream)
    refused.close()
    assert kept(log) == [(stream, {"reason": b"CHECKSUM", "source": b"terminal"})]


def test_above_the_rate_frames_are_left_out_and_the_next_letter_says_how_many() -> None:
    log, clock, stream = log_with_topic(), ManualClock(), damaged() * (LETTERS_A_SECOND_MAX + 5)
    refused = RefusedFrames(log.producer(), clock)
    refused.take(decode_one(stream), stream)
    clock.advance(1000)
    assert refused._appending is not None
    refused._appending.result()
    refused.take(decode_one(damaged()), damaged())
    refused.close()
    letters = kept(log)
    assert len(letters) == LETTERS_A_SECOND_MAX + 1
    assert letters[-1][1]["left_out"] == b"5"


class Away:
    """A producer whose log does not answer."""

    def append(self, records: Sequence[NewRecord], *, timeout_s: float = 30.0) -> list[int]:
        raise Unavailable("LOG_UNAVAILABLE", f"away, {len(records)} records, {timeout_s} s")

    def close(self) -> None:
        pass


def test_a_log_that_is_away_costs_the_letters_and_nothing_else() -> None:
    refused = RefusedFrames(Away(), ManualClock())
    refused.take(decode_one(damaged()), damaged())
    assert refused._appending is not None
    assert refused._appending.result() is None
    refused.close()
