"""Parts in any order make the message; what is missing is asked for; nothing grows beyond its bounds."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.vehicle_tracking.terminals.jt808 import parts
from services.vehicle_tracking.terminals.jt808.columns import FRAME, Reason
from services.vehicle_tracking.terminals.jt808.frames import decode_one
from services.vehicle_tracking.terminals.jt808.parts import Dropped, Part, Parts, joined, overdue, without_link
from simulation import frames
from simulation.frames import Identity

BATCH = 0x0704


def part(
    index: int, count: int, body: bytes = b"x", *, link: int = 1, first_serial: int = 100, message: int = BATCH
) -> Part:
    header = np.zeros((), FRAME)
    header["message_id"], header["part_count"], header["part_index"] = message, count, index
    header["serial"], header["phone"] = (first_serial + index - 1) & 0xFFFF, 13900001111
    return Part(link, header[()], body)


def held(state: Parts) -> int:
    return sum(len(body) for begun in state.begun.values() for body in begun.bodies.values())


def test_a_message_is_whole_when_its_last_part_has_come() -> None:
    first = joined(Parts(), [part(1, 3, b"ab"), part(2, 3, b"cd")], now_s=0)
    assert (first.whole, held(first.parts), first.parts.byte_count) == ((), 4, 4)
    second = joined(first.parts, [part(3, 3, b"e")], now_s=1)
    (whole,) = second.whole
    assert (whole.link, whole.body) == (1, b"abcde")
    assert (whole.header["serial"], whole.header["body_length"], whole.header["part_count"]) == (100, 5, 0)
    assert second.parts == Parts()


def test_the_state_that_was_given_is_unchanged() -> None:
    before = joined(Parts(), [part(1, 3)], now_s=0).parts
    begun = dict(before.begun)
    joined(before, [part(2, 3), part(3, 3)], now_s=0)
    overdue(before, now_s=1000)
    without_link(before, 1)
    assert (dict(before.begun), before.byte_count) == (begun, 1)


@settings(deadline=None)
@given(
    st.lists(st.binary(max_size=9), min_size=1, max_size=30), st.integers(0, 65535), st.randoms(use_true_random=False)
)
def test_parts_in_any_order_and_more_than_once_make_the_message(
    bodies: list[bytes], first_serial: int, rng: random.Random
) -> None:
    arrived = [part(index, len(bodies), body, first_serial=first_serial) for index, body in enumerate(bodies, 1)]
    last = arrived[0]
    rest = arrived[1:] * 2
    rng.shuffle(rest)
    state, whole = Parts(), list[parts.Whole]()
    for each in [*rest, last]:
        outcome = joined(state, [each], now_s=0)
        state, whole = outcome.parts, [*whole, *outcome.whole]
        assert state.byte_count == held(state)
    assert [message.body for message in whole] == [b"".join(bodies)]


def test_messages_of_several_links_kinds_and_serials_do_not_mix() -> None:
    mixed = [
        part(1, 2, b"a"), part(1, 2, b"b", link=2), part(1, 2, b"c", first_serial=200), part(1, 2, b"d", message=2),
        part(2, 2, b"A"), part(2, 2, b"B", link=2), part(2, 2, b"C", first_serial=200), part(2, 2, b"D", message=2),
    ]  # fmt: skip
    outcome = joined(Parts(), mixed, now_s=0)
    assert [whole.body for whole in outcome.whole] == [b"aA", b"bB", b"cC", b"dD"]
    assert outcome.parts == Parts()


def test_missing_parts_are_asked_for_by_the_serial_of_the_first() -> None:
    state = joined(Parts(), [part(2, 4, first_serial=65535), part(4, 4, first_serial=65535)], now_s=0).parts
    assert overdue(state, now_s=parts.RESEND_AFTER_S - 1).missing == ()
    (missing,) = overdue(state, now_s=parts.RESEND_AFTER_S).missing
    assert (missing.link, missing.first_serial, missing.part_indexes) == (1, 65535, (1, 3))


def test_parts_are_asked_for_a_few_times_and_then_given_up() -> None:
    state, asked, dropped = joined(Parts(), [part(1, 2)], now_s=0).parts, [], []
    for now_s in range(100):
        outcome = overdue(state, now_s=now_s)
        state = outcome.parts
        asked += [now_s] * len(outcome.missing)
        dropped += [(now_s, each) for each in outcome.dropped]
    assert asked == [10, 20, 30]
    assert dropped == [(60, Dropped(1, BATCH, 1, Reason.PART_TIMEOUT))]
    assert state == Parts()


def test_another_part_starts_the_waiting_anew() -> None:
    state = joined(Parts(), [part(1, 3)], now_s=0).parts
    state = joined(overdue(state, now_s=10).parts, [part(2, 3)], now_s=55).parts
    outcome = overdue(state, now_s=65)
    assert ([each.part_indexes for each in outcome.missing], outcome.dropped) == ([(3,)], ())


def test_a_link_that_ended_leaves_nothing_behind() -> None:
    state = joined(Parts(), [part(1, 2, b"abc"), part(1, 2, b"de", link=2)], now_s=0).parts
    assert [key.link for key in without_link(state, 1).begun] == [2]
    assert without_link(state, 1).byte_count == 2


def test_a_message_of_too_many_parts_is_refused() -> None:
    outcome = joined(Parts(), [part(1, parts.PARTS_MAX + 1)], now_s=0)
    assert outcome.dropped == (Dropped(1, BATCH, 1, Reason.PART_BOUNDS),)
    assert outcome.parts == Parts()


def test_a_link_that_begins_too_many_messages_loses_its_oldest() -> None:
    arrived = [part(1, 2, first_serial=serial) for serial in range(0, 100, 10)]
    outcome = joined(Parts(), [*arrived, part(1, 2, link=2)], now_s=0)
    assert [key.first_serial for key in outcome.parts.begun] == [60, 70, 80, 90, 100]
    assert [each.reason for each in outcome.dropped] == [Reason.PART_BOUNDS] * 6


def test_bytes_of_one_link_are_bounded_by_its_oldest_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "LINK_BYTES_MAX", 1000)
    outcome = joined(Parts(), [part(1, 2, bytes(600)), part(1, 2, bytes(600), first_serial=200)], now_s=0)
    assert ([key.first_serial for key in outcome.parts.begun], outcome.parts.byte_count) == ([200], 600)


@pytest.mark.parametrize(("bound", "limit"), [("BYTES_MAX", 1000), ("MESSAGES_MAX", 10)])
def test_all_links_together_are_bounded_and_the_new_part_is_refused(
    monkeypatch: pytest.MonkeyPatch, bound: str, limit: int
) -> None:
    monkeypatch.setattr(parts, bound, limit)
    outcome = joined(Parts(), [part(1, 2, bytes(100), link=link) for link in range(30)], now_s=0)
    assert (outcome.parts.byte_count, len(outcome.dropped)) == (1000, 20)
    assert {each.reason for each in outcome.dropped} == {Reason.PART_BOUNDS}


def test_parts_come_from_frames() -> None:
    terminal = Identity("13900001111", "", 0)
    wire = b"".join(frames.frame(terminal, BATCH, 5 + k, bytes((k,)), part=(2, k + 1)) for k in range(2))
    decoded = decode_one(wire)
    outcome = joined(Parts(), [parts.part(decoded, row, link=9) for row in (0, 1)], now_s=0)
    assert [(whole.link, whole.body, int(whole.header["phone"])) for whole in outcome.whole] == [
        (9, b"\x00\x01", 13900001111)
    ]
