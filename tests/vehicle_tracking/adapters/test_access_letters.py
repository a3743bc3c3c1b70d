"""Refused frames are kept with their reason, within bounds, and never in anybody's way."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from common.clock import ManualClock, SystemClock
from common.errors import Unavailable
from common.infra.log import NewRecord, Producer, TopicPartition
from common.metrics import metrics
from services.vehicle_tracking.adapters import access_letters
from services.vehicle_tracking.adapters.access_letters import (
    APPENDS_WAITING_MAX,
    LETTER_BYTES_MAX,
    LETTERS_A_SECOND_MAX,
    RefusedFrames,
)
from services.vehicle_tracking.domain.topics import DEAD_LETTERS
from services.vehicle_tracking.terminals.jt808.columns import FRAME_BYTES_MAX
from services.vehicle_tracking.terminals.jt808.frames import decode_one
from simulation import frames
from tests.vehicle_tracking.access_world import CODE, IDENTITY, PATIENCE_S, PHONE, MemoryRegistrar, access, fix
from tests.vehicle_tracking.memory_log import MemoryLog

PLACE = TopicPartition(DEAD_LETTERS, 0)


class SlowLog:
    """A producer that waits to be told to go on. `fault`: what it raises then."""

    def __init__(self, log: MemoryLog) -> None:
        self.fault: Exception | None = None
        self.go_on = threading.Event()
        self.go_on.set()
        self._producer: Producer = log.producer()

    def append(self, records: Sequence[NewRecord], *, timeout_s: float = 30.0) -> list[int]:
        assert self.go_on.wait(PATIENCE_S)
        if self.fault is not None:
            raise self.fault
        return self._producer.append(records, timeout_s=timeout_s)

    def close(self) -> None:
        pass


class Kept:
    """What keeps refused frames, and what it has kept."""

    def __init__(self) -> None:
        self.log, self.clock = MemoryLog(), ManualClock()
        self.slow = SlowLog(self.log)
        self.refused = RefusedFrames(self.slow, self.clock)

    def take(self, stream: bytes, *, logged_in: bool = True) -> None:
        """Refuse what a tick's stream holds that cannot be used."""
        decoded = decode_one(stream)
        self.refused.take(decoded, stream, np.full(len(decoded.frames), not logged_in))

    def settled(self) -> None:
        """Wait until nothing is being appended."""
        for append in self.refused._appends:
            append.result(PATIENCE_S)

    def letters(self) -> list[tuple[bytes, dict[str, str]]]:
        """Bytes and headers of what the log has."""
        self.settled()
        records = self.log.read(PLACE, 0)
        return [(record.value, {name: value.decode() for name, value in record.headers}) for record in records]


@pytest.fixture
def kept() -> Iterator[Kept]:
    kept = Kept()
    yield kept
    kept.slow.go_on.set()
    kept.refused.close()


def heartbeat(serial: int = 1) -> bytes:
    return frames.frame(IDENTITY, frames.HEARTBEAT, serial, b"")


def damaged(serial: int = 1) -> bytes:
    whole = bytearray(heartbeat(serial))
    whole[-2] ^= 1
    return bytes(whole)


def batch_of_bad_positions(count: int) -> bytes:
    body = frames.batch_body([fix(second, latitude_e7=950_000_000) for second in range(count)], 0)
    return frames.frame(IDENTITY, frames.LOCATION_BATCH, 7, body)


def test_a_frame_is_kept_whole_with_its_reason(kept: Kept) -> None:
    kept.take(heartbeat() + damaged() + heartbeat(2))
    assert kept.letters() == [(damaged(), {"reason": "CHECKSUM", "source": "terminal"})]


def test_where_the_header_is_good_its_phone_is_kept(kept: Kept) -> None:
    short = frames.frame(IDENTITY, frames.LOCATION, 1, b"\0" * 5)
    kept.take(heartbeat() + short)
    assert kept.letters() == [(short, {"reason": "BODY_SHORT", "source": "terminal", "phone": PHONE})]


def test_a_batch_with_many_bad_positions_is_one_letter(kept: Kept) -> None:
    batch = batch_of_bad_positions(frames.BATCH_FIXES_MAX)
    assert len(decode_one(batch).rejections) == frames.BATCH_FIXES_MAX
    kept.take(batch + damaged())
    kept.take(damaged(2))
    letters = kept.letters()
    assert sorted(headers["reason"] for _, headers in letters) == ["CHECKSUM", "CHECKSUM", "COORDINATE"]
    assert not any("left_out" in headers for _, headers in letters)


def test_frames_without_a_log_in_are_kept_too(kept: Kept) -> None:
    report = frames.frame(IDENTITY, frames.LOCATION, 1, frames.location_body(fix(1)))
    kept.take(report, logged_in=False)
    assert kept.letters() == [(report, {"reason": "NOT_LOGGED_IN", "source": "terminal", "phone": PHONE})]


def test_a_frame_too_long_is_cut_and_still_too_long_for_the_decoder(kept: Kept) -> None:
    kept.take(b"\x7e" + b"\x01" * 5000 + b"\x7e")
    [(value, headers)] = kept.letters()
    assert headers == {"reason": "TOO_LONG", "source": "terminal", "cut_from": "5000"}
    assert len(value) == LETTER_BYTES_MAX + 2 == FRAME_BYTES_MAX + 3
    assert decode_one(value).rejection_counts() == {"TOO_LONG": 1}


def test_above_the_rate_frames_are_left_out_and_the_next_letter_says_how_many(kept: Kept) -> None:
    kept.take(damaged() * (LETTERS_A_SECOND_MAX + 5))
    kept.take(damaged() * 3)
    kept.clock.advance(1000)
    kept.take(damaged())
    kept.take(damaged())
    letters = kept.letters()
    assert len(letters) == LETTERS_A_SECOND_MAX + 2
    assert [headers.get("left_out") for _, headers in letters[-3:]] == [None, "8", None]


def test_a_slow_log_delays_nobody_and_little_is_remembered_for_it(kept: Kept) -> None:
    kept.slow.go_on.clear()
    for _ in range(APPENDS_WAITING_MAX + 4):
        kept.take(damaged())
    kept.slow.go_on.set()
    assert len(kept.letters()) == APPENDS_WAITING_MAX
    kept.take(damaged())
    assert kept.letters()[-1][1]["left_out"] == "4"


@pytest.mark.parametrize("fault", [Unavailable("LOG_UNAVAILABLE", "away"), RuntimeError("a fault of our own")])
def test_a_log_that_refuses_costs_its_letters_which_are_counted(kept: Kept, fault: Exception) -> None:
    lost = metrics.dead_letters_lost._value.get()
    kept.slow.fault = fault
    kept.take(damaged() * 2)
    kept.settled()
    kept.take(damaged())
    kept.settled()
    assert metrics.dead_letters_lost._value.get() == lost + 3
    kept.slow.fault = None
    kept.take(damaged())
    assert [headers["left_out"] for _, headers in kept.letters()] == ["3"]


def test_letters_are_counted_by_reason(kept: Kept) -> None:
    counted = metrics.dead_letters.labels("terminal", "CHECKSUM")._value
    before = counted.get()
    kept.take(damaged() * 2)
    kept.settled()
    assert counted.get() == before + 2


def test_closing_waits_no_longer_than_for_one_append(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_letters, "APPEND_TIMEOUT_S", 0.05)
    kept = Kept()
    kept.slow.go_on.clear()
    kept.take(damaged())
    kept.take(damaged())
    first = kept.refused._appends[0]
    threading.Timer(0.3, kept.slow.go_on.set).start()
    kept.refused.close()
    assert (first.done(), len(kept.log.read(PLACE, 0))) == (True, 1)


@pytest.mark.enable_socket
async def test_what_a_terminal_sends_over_tcp_is_kept_and_codes_are_not() -> None:
    log = MemoryLog()
    refused = RefusedFrames(log.producer(), SystemClock())
    async with access(registrar=MemoryRegistrar(), refused=refused) as world:
        client = await world.connected()
        assert await client.ask(frames.AUTHENTICATE, frames.authenticate_body(IDENTITY, CODE)) == 1
        assert await client.report() == 1
        client.send(damaged())
        assert await client.ask(frames.HEARTBEAT) == 0
    refused.close()
    letters = {dict(record.headers)["reason"]: record.value for record in log.read(PLACE, 0)}
    assert letters.keys() == {b"NOT_LOGGED_IN", b"CHECKSUM"}
    assert letters[b"CHECKSUM"] == damaged()
    assert not any(CODE.encode() in value for value in letters.values())
