"""Terminals by the thousand from one light process: sends prepared frames and counts answers, compiled.

Each link has up to `window` frames in flight. What is measured is the server: this loop takes 3 µs a frame, most of it
in the kernel.
"""
# numba compiles the loop: it runs over links and bytes, and calls the C library directly.

from __future__ import annotations

import ctypes
import resource
import select
import socket
from collections.abc import Sequence
from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

EVENTS_MAX = 4096
READ_BYTES = 65536
ANSWER_TIMES_MAX = 20_000_000
LAST_ANSWERS_S = 10.0
ADDRESSES = 8  # one local address has 28,000 ports
DELIMITER = 0x7E
EVENT = np.dtype([("events", np.uint32), ("link", np.uint64)])  # struct epoll_event of x86-64 is packed


class Load(NamedTuple):
    """`answered`: frames; `seconds`: how long; `times_ms`: (answered,) from sending a frame to its answer."""

    answered: int
    seconds: float
    times_ms: NDArray[np.float64]

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.answered / self.seconds

    def percentile_ms(self, percent: float) -> float:
        """How long `percent` % of the answers took at most."""
        return float(np.percentile(self.times_ms, percent))


def connected(port: int, count: int) -> list[socket.socket]:
    """Links to a server on loopback, from several local addresses."""
    _, files_max = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files_max, files_max))
    links = []
    for index in range(count):
        link = socket.socket()
        link.bind((f"127.0.0.{2 + index % ADDRESSES}", 0))
        link.connect(("127.0.0.1", port))
        links.append(link)
    return links


def exchange(links: Sequence[socket.socket], frames: Sequence[bytes], *, at_once: int = 200) -> None:
    """Send one frame over each link and wait for an answer to each; `at_once` at a time."""
    for start in range(0, len(links), at_once):
        some = list(zip(links[start : start + at_once], frames[start : start + at_once], strict=True))
        for link, frame in some:
            link.sendall(frame)
        for link, _ in some:
            answer = b""
            while answer.count(b"\x7e") < 2:
                answer += (received := link.recv(4096))
                if not received:
                    raise ConnectionError("the server closed a link instead of answering")


def load(
    links: Sequence[socket.socket], frames: Sequence[bytes], *, seconds: float, window: int, rate: float = 0.0
) -> Load:
    """Keep `window` frames in flight on each link for a while; at most `rate` frames a second in all (0: no limit)."""
    blocks = [frame * window for frame in frames]
    starts = np.cumsum([0, *(len(block) for block in blocks)], dtype=np.int64)
    poll = select.epoll()
    try:
        for index, link in enumerate(links):
            link.setblocking(False)
            epoll_add(poll.fileno(), link.fileno(), index)
        times_s = np.zeros(min(ANSWER_TIMES_MAX, int(seconds * 1_000_000)), np.float64)
        descriptors = np.array([link.fileno() for link in links], np.int32)
        lengths = np.array([len(frame) for frame in frames], np.int64)
        answered = _run(
            poll.fileno(), descriptors, np.frombuffer(b"".join(blocks), np.uint8), starts, lengths,
            window, rate, seconds, times_s,
        )  # fmt: skip
        return Load(answered, seconds, times_s[: min(answered, len(times_s))] * 1000)
    finally:
        poll.close()


_libc = ctypes.CDLL(None, use_errno=True)
c_epoll_wait, _epoll_ctl = _libc.epoll_wait, _libc.epoll_ctl
c_epoll_wait.argtypes = [ctypes.c_int, ctypes.c_size_t, ctypes.c_int, ctypes.c_int]
_epoll_ctl.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_size_t]
c_send, c_recv = _libc.send, _libc.recv
c_send.argtypes = c_recv.argtypes = [ctypes.c_int, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_int]
c_send.restype = c_recv.restype = ctypes.c_ssize_t
_clock_gettime = _libc.clock_gettime
_clock_gettime.argtypes = [ctypes.c_int, ctypes.c_size_t]
_CLOCK_MONOTONIC = 1
_EPOLL_CTL_ADD = 1
_NO_SIGNAL = 0x4000  # MSG_NOSIGNAL


def epoll_add(poll: int, descriptor: int, index: int) -> None:
    event = np.zeros(1, EVENT)
    event["events"], event["link"] = select.EPOLLIN, index
    if _epoll_ctl(poll, _EPOLL_CTL_ADD, descriptor, event.ctypes.data) != 0:
        raise OSError(ctypes.get_errno(), "epoll_ctl")


@numba.njit(nogil=True)
def clock_s(spec: NDArray[np.int64]) -> float:
    _clock_gettime(_CLOCK_MONOTONIC, spec.ctypes.data)
    return float(spec[0] + spec[1] * 1e-9)


@numba.njit(nogil=True)
def _run(
    poll: int,
    descriptors: NDArray[np.int32],
    blocks: NDArray[np.uint8],
    starts: NDArray[np.int64],
    lengths: NDArray[np.int64],
    window: int,
    rate: float,
    seconds: float,
    times_s: NDArray[np.float64],
) -> int:
    """How many frames were answered in time; late answers are awaited, not counted. Frames of a link are answered in
    order, so a ring of send times suffices."""
    count = len(descriptors)
    spec = np.zeros(2, np.int64)
    events = np.zeros(EVENTS_MAX, EVENT)
    octets = np.zeros(READ_BYTES, np.uint8)
    sent_s = np.zeros((count, window), np.float64)
    sent = np.zeros(count, np.int64)
    marks = np.zeros(count, np.int64)  # delimiters received: two an answer
    begin_s = now_s = clock_s(spec)
    answered, total_sent, link, in_time = 0, 0, 0, 0
    while now_s - begin_s < seconds or (answered < total_sent and now_s - begin_s < seconds + LAST_ANSWERS_S):
        allowed = int((now_s - begin_s) * rate) - total_sent if rate > 0 else count * window
        if now_s - begin_s >= seconds:
            allowed = 0  # only the last answers are awaited
        else:
            in_time = answered
        for _ in range(count):
            if allowed <= 0:
                break
            room = min(window - (sent[link] - marks[link] // 2), allowed)
            if room > 0:
                size = c_send(descriptors[link], blocks.ctypes.data + starts[link], room * lengths[link], _NO_SIGNAL)
                if size > 0:
                    assert size % lengths[link] == 0
                    for _ in range(size // lengths[link]):
                        sent_s[link, sent[link] % window] = now_s
                        sent[link] += 1
                        total_sent += 1
                        allowed -= 1
            link = (link + 1) % count
        ready = c_epoll_wait(poll, events.ctypes.data, EVENTS_MAX, 1)
        now_s = clock_s(spec)
        for k in range(ready):
            index = np.int64(events[k].link)
            size = c_recv(descriptors[index], octets.ctypes.data, READ_BYTES, 0)
            if size == 0:
                raise ConnectionError("the server closed a link")
            before = marks[index] // 2
            for at in range(size):
                marks[index] += octets[at] == DELIMITER
            for number in range(before, marks[index] // 2):
                if answered < len(times_s):
                    times_s[answered] = now_s - sent_s[index, number % window]
                answered += 1
    return in_time
