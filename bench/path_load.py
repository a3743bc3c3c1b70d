"""Sends prepared traffic over many links at a steady rate and counts answers, compiled, in a thread of its own."""
# numba compiles the loop: it runs over frames and links, and calls the C library directly.

from __future__ import annotations

import select
import socket
from collections.abc import Sequence

import numba
import numpy as np
from numpy.typing import NDArray

from bench.path_frames import Traffic
from bench.terminal_load import (
    DELIMITER,
    EVENT,
    EVENTS_MAX,
    READ_BYTES,
    c_epoll_wait,
    c_recv,
    c_send,
    clock_s,
    connected,
    epoll_add,
)
from simulation import frames
from simulation.frames import FrameReader, Identity, Message

AT_ONCE = 200
WAITING_FRAMES_MAX = 40_000  # more unanswered than this: the platform is behind, and sending on would measure buffers
NO_SIGNAL = 0x4000  # MSG_NOSIGNAL


def logged_in(port: int, identities: Sequence[Identity]) -> list[socket.socket]:
    """Links of terminals that have registered and authenticated."""
    links: list[socket.socket] = []
    for start in range(0, len(identities), AT_ONCE):
        some = identities[start : start + AT_ONCE]
        links += _let_in(list(zip(connected(port, len(some)), some, strict=True)))
    return links


def send(
    links: Sequence[socket.socket], traffic: Traffic, *, rate: float, sent_s: NDArray[np.float64], seconds: float
) -> NDArray[np.int64]:
    """Send frames at `rate` a second until `seconds` are over or none is left; then wait for answers as long again at
    most. Fills `sent_s` (n,) by the monotonic clock, NaN where a frame was not sent. Returns answers by second."""
    poll = select.epoll()
    try:
        for index, link in enumerate(links):
            link.setblocking(False)
            epoll_add(poll.fileno(), link.fileno(), index)
        descriptors = np.array([link.fileno() for link in links], np.int32)
        sent_s[:] = np.nan
        by_second = np.zeros(int(2 * seconds) + 2, np.int64)
        _send_all(
            poll.fileno(), descriptors, traffic.vehicles, traffic.octets, traffic.starts, rate, seconds, sent_s,
            by_second,
        )  # fmt: skip
        return by_second
    finally:
        poll.close()


def _let_in(some: Sequence[tuple[socket.socket, Identity]]) -> list[socket.socket]:
    bodies = [frames.register_body(identity) for _, identity in some]
    codes = [frames.register_answer(answer)[2] for answer in _exchanged(some, frames.REGISTER, bodies)]
    bodies = [frames.authenticate_body(identity, code) for (_, identity), code in zip(some, codes, strict=True)]
    if any(frames.general_answer(answer)[2] for answer in _exchanged(some, frames.AUTHENTICATE, bodies)):
        raise ConnectionError("a terminal was not let in")
    return [link for link, _ in some]


def _exchanged(some: Sequence[tuple[socket.socket, Identity]], message_id: int, bodies: Sequence[bytes]) -> list[bytes]:
    for (link, identity), body in zip(some, bodies, strict=True):
        link.sendall(frames.frame(identity, message_id, 1, body))
    answers = []
    for link, _ in some:
        reader = FrameReader()
        messages: list[Message] = []
        while not messages:
            received = link.recv(4096)
            if not received:
                raise ConnectionError("the server closed a link instead of answering")
            messages = list(reader.feed(received))
        answers.append(messages[0].body)
    return answers


@numba.njit(nogil=True)
def _send_all(
    poll: int,
    descriptors: NDArray[np.int32],
    owners: NDArray[np.int32],
    octets: NDArray[np.uint8],
    starts: NDArray[np.int64],
    rate: float,
    seconds: float,
    sent_s: NDArray[np.float64],
    by_second: NDArray[np.int64],
) -> None:
    spec, events = np.zeros(2, np.int64), np.zeros(EVENTS_MAX, EVENT)
    answers = np.zeros(READ_BYTES, np.uint8)
    begin_s = now_s = clock_s(spec)
    marks, frame = 0, 0
    while now_s - begin_s < (seconds if frame < len(owners) else 0) or marks // 2 < frame:
        if now_s - begin_s > 2 * seconds:
            break
        due = min(int((now_s - begin_s) * rate), len(owners), marks // 2 + WAITING_FRAMES_MAX)
        while frame < due and now_s - begin_s < seconds:
            size = starts[frame + 1] - starts[frame]
            if c_send(descriptors[owners[frame]], octets.ctypes.data + starts[frame], size, NO_SIGNAL) != size:
                raise ConnectionError("a link takes no more")
            sent_s[frame] = now_s
            frame += 1
        ready = c_epoll_wait(poll, events.ctypes.data, EVENTS_MAX, 1)
        now_s = clock_s(spec)
        before = marks // 2
        for k in range(ready):
            size = c_recv(descriptors[np.int64(events[k].link)], answers.ctypes.data, READ_BYTES, 0)
            if size == 0:
                raise ConnectionError("the server closed a link")
            for at in range(size):
                marks += answers[at] == DELIMITER
        by_second[min(int(now_s - begin_s), len(by_second) - 1)] += marks // 2 - before
