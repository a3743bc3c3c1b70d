"""Answers of a tick, cut by link."""

from __future__ import annotations

import numpy as np

from common.clock import ManualClock
from services.vehicle_tracking.adapters.access_answers import answer, tick_answers
from services.vehicle_tracking.terminals import PROTOCOLS
from simulation import frames
from simulation.frames import FrameReader, Identity
from tests.vehicle_tracking.adapters.test_access_links import Transport, links_of, opened


def said(transport: Transport) -> list[tuple[int, tuple[int, int, int]]]:
    """Serial numbers of the platform, and what it answered."""
    return [(message.serial, frames.general_answer(message.body)) for message in FrameReader().feed(transport.written)]


def test_each_link_gets_its_own_answers_in_its_own_edition() -> None:
    (protocol,) = PROTOCOLS
    links = links_of(clock=ManualClock())
    (one, first), (two, second), (_, third) = (opened(links) for _ in range(3))
    old, new = Identity("126", "湘A00001", 2), Identity("125", "湘A00002", 2, 2019)  # 0x7e and 0x7d need escapes
    one.data_received(frames.frame(old, 2, 0x7D7E, b"") + frames.frame(old, 2, 8, b"") + frames.frame(old, 2, 9, b""))
    two.data_received(frames.frame(new, 2, 7, b""))
    taken = links.take(1000)
    decoded = protocol.decode(taken.stream, taken.ends, np.zeros(2, np.bool_))
    tick_answers(protocol, links, taken, decoded.frames, np.array([0, -1, 3, 1], np.int8)).write(taken)
    assert said(first) == [(0, (0x7D7E, 2, 0)), (1, (9, 2, 3))]
    assert said(second) == [(0, (7, 2, 1))]
    assert third.written == b""


def test_no_answers_are_none() -> None:
    (protocol,) = PROTOCOLS
    links = links_of()
    link, transport = opened(links)
    link.data_received(b"~~")
    taken = links.take(1000)
    decoded = protocol.decode(taken.stream, taken.ends, np.zeros(1, np.bool_))
    tick_answers(protocol, links, taken, decoded.frames, np.zeros(0, np.int8)).write(taken)
    assert transport.written == b""


def test_a_link_that_has_gone_gets_no_answer() -> None:
    (protocol,) = PROTOCOLS
    links = links_of()
    link, transport = opened(links)
    link.data_received(frames.frame(Identity("126", "", 0), 2, 5, b""))
    taken = links.take(1000)
    header = protocol.decode(taken.stream, taken.ends, np.zeros(1, np.bool_)).frames[0].copy()
    link.connection_lost(None)
    answer(links, link, header, 0)
    assert transport.written == b""
