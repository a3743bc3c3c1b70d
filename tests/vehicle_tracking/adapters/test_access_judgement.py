"""What becomes of frames, decided without sockets."""

from __future__ import annotations

import numpy as np

from services.vehicle_tracking.adapters.access_judgement import judgement, message_counts, one_by_one
from services.vehicle_tracking.terminals.jt808.columns import Decoded
from services.vehicle_tracking.terminals.jt808.frames import decode_one
from simulation import frames
from simulation.frames import Identity
from tests.vehicle_tracking.access_world import IDENTITY, fix

PHONE = int(IDENTITY.phone)


def decoded(*messages: tuple[int, bytes], identity: Identity = IDENTITY) -> Decoded:
    return decode_one(b"".join(frames.frame(identity, *message[:1], 0, message[1]) for message in messages))


def judged(one: Decoded, phone: int) -> tuple[list[int], list[bool], list[bool]]:
    phones = np.full(len(one.frames), phone, np.int64)
    found = judgement(one.frames, phones, one_by_one(one.frames))
    return found.results.tolist(), found.durable.tolist(), found.refused.tolist()


LOCATED = (frames.LOCATION, frames.location_body(fix(1)))
BATCHED = (frames.LOCATION_BATCH, frames.batch_body([fix(1), fix(2)], 1))
CUT = (frames.LOCATION, b"cut")
BEAT = (frames.HEARTBEAT, b"")
OTHER = (0x0900, b"\xf0")
OWN_ANSWER = (0x0001, b"\0\0\0\0\0")
LOG_IN = (frames.AUTHENTICATE, b"code")


def test_under_its_own_log_in_every_message_gets_its_answer() -> None:
    results, durable, refused = judged(decoded(LOCATED, BATCHED, CUT, BEAT, OTHER, OWN_ANSWER, LOG_IN), PHONE)
    assert results == [0, 0, 2, 0, 3, -1, -1]
    assert durable == [True, True, False, False, False, False, False]
    assert not any(refused)


def test_without_a_log_in_only_heartbeats_and_log_ins_pass() -> None:
    results, durable, refused = judged(decoded(LOCATED, BATCHED, BEAT, OTHER, LOG_IN), 0)
    assert results == [1, 1, 0, 1, -1]
    assert not any(durable)
    assert refused == [True, True, False, True, False]


def test_under_anothers_log_in_a_terminal_is_refused() -> None:
    results, durable, _ = judged(decoded(LOCATED), PHONE + 1)
    assert (results, durable) == ([1], [False])


def test_a_phone_of_zero_is_nobodys() -> None:
    results, durable, _ = judged(decoded(LOCATED, identity=Identity("0", "", 0)), 0)
    assert (results, durable) == ([1], [False])


def test_an_encrypted_body_is_not_supported() -> None:
    content = bytearray(frames.frame(IDENTITY, frames.LOCATION, 0, b"x" * 40))
    content[3] |= 0x04  # bit 10 of the properties
    content[-2] ^= 0x04  # and the check byte that goes with it
    results, durable, _ = judged(decode_one(bytes(content)), PHONE)
    assert (results, durable) == ([3], [False])


def test_an_empty_batch_is_answered_and_nothing_waits() -> None:
    results, durable, _ = judged(decoded((frames.LOCATION_BATCH, b"\0\0\0")), PHONE)
    assert durable == [False]
    assert results in ([0], [2])


def test_labels_of_messages_are_few() -> None:
    counts = message_counts(decoded(LOCATED, LOCATED, OTHER, (0x7777, b"")).frames)
    assert counts == {"location": 2, "other": 2}
