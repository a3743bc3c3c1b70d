"""Links of terminals: a small object each that collects bytes, and what is known of all of them as columns."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from common.clock import Clock
from common.metrics import metrics

LINK_BYTES_MAX = 64 * 1024  # not yet taken; a terminal with a full send queue stays far below
WAITING_BYTES_MAX = 64 * 1024 * 1024  # of all links together
LINK_FRAMES_MAX = 256  # taken and not yet answered
ANSWER_BYTES_MAX = 16 * 1024  # written and not yet read by the terminal, 800 answers
CLOSING_S = 5.0  # for a terminal to read what was written to it before its link ended
ROWS_MIN = 256
_ROW_BITS = 24

LINK = np.dtype(
    [
        ("phone", np.int64),  # whose log-in stands; 0: nobody's
        ("vehicle_id", np.int64),
        ("deadline_s", np.float64),  # when the link is closed unless something good is heard
        ("generation", np.int32),  # tells a link from an earlier one in the same row
        ("in_flight", np.int32),  # frames taken whose answers wait for durability
        ("bad_frames", np.int32),  # since the last good one
        ("unframed_bytes", np.int32),  # since the last good frame
        ("refusals", np.int32),  # frames refused since the last log-in
        ("serial", np.uint16),  # of the next message that the platform sends
        ("opened", np.bool_),  # a delimiter has been seen
        ("used", np.bool_),
    ],
    align=True,
)


class Ended(StrEnum):
    """Why a link ended. The list is closed."""

    PEER = "peer"
    FULL = "full"
    LOGIN_TIMEOUT = "login_timeout"
    IDLE = "idle"
    REPLACED = "replaced"
    REFUSED = "refused"
    UNREGISTERED = "unregistered"
    FOREIGN = "foreign"
    JUNK = "junk"
    BAD_FRAMES = "bad_frames"
    DRAINED = "drained"


class Link(asyncio.Protocol):
    """One terminal's connection. What its bytes mean is decided for many links at once, in a tick."""

    __slots__ = ("_links", "blocked", "ended", "fresh", "paused", "rest", "row", "transport")

    def __init__(self, links: Links) -> None:
        self._links = links
        self.row = -1
        self.fresh = b""  # not yet taken
        self.rest = b""  # the beginning of a frame
        self.ended: Ended | None = None
        self.paused = False
        self.blocked = False  # the terminal does not read its answers

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self._links.open(self)

    def data_received(self, data: bytes) -> None:
        if self.fresh:
            self.fresh += data
        else:
            self.fresh = data
            self._links.arrived.append(self)
        self._links.count_received(self, len(data))

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 – asyncio's signature
        self._links.lost(self)

    def write(self, wire: bytes) -> None:
        """Write to the terminal, if it is still there."""
        if self.ended is None and not self.transport.is_closing():
            self.transport.write(wire)

    def pause_writing(self) -> None:
        self.blocked = True
        self._links.settle(self)

    def resume_writing(self) -> None:
        self.blocked = False
        self._links.settle(self)


class LinkBounds(NamedTuple):
    """How many links there may be, and how long one may be silent. `protocol`: the label of its metrics."""

    protocol: str
    links_max: int
    login_s: float
    idle_s: float


class Taken(NamedTuple):
    """What arrived: the bytes of several links behind each other. Arrays are (m,); `fresh_counts`: without the rests
    that were there before."""

    links: list[Link]
    rows: NDArray[np.int64]
    generations: NDArray[np.int32]
    stream: bytes
    ends: NDArray[np.int64]
    fresh_counts: NDArray[np.int64]


class Links:
    """All links of one server. `wake` is called when something has arrived that nobody was told of since `take`."""

    def __init__(self, bounds: LinkBounds, clock: Clock) -> None:
        self._bounds = bounds
        self._clock = clock
        self.wake: Callable[[], None] = lambda: None
        self._open_links = metrics.links.labels(bounds.protocol)
        self._awake = False
        self._free: list[int] = []
        self._lost: list[Link] = []
        self._paused: set[Link] = set()
        self._by_row: list[Link | None] = []
        self.rows = np.zeros(0, LINK)
        self.arrived: list[Link] = []
        self.waiting_bytes = 0
        self.holding = False  # nothing more is to be read for now
        self._stopped = False  # nor ever again
        self.online: dict[int, Link] = {}  # by phone

    def __len__(self) -> int:
        return len(self._by_row) - len(self._free)

    @property
    def paused_count(self) -> int:
        """Links that are not read for now."""
        return len(self._paused)

    def open(self, link: Link) -> None:
        """Take a new link in, or end it when there are too many."""
        if len(self) >= self._bounds.links_max:
            metrics.links_closed.labels(self._bounds.protocol, Ended.FULL).inc()
            link.ended = Ended.FULL
            link.transport.abort()
            return
        if not self._free:
            self._grow()
        link.row = self._free.pop()
        self._by_row[link.row] = link
        generation = self.rows["generation"][link.row] + 1
        self.rows[link.row] = np.zeros((), LINK)
        self.rows["generation"][link.row] = generation
        self.rows["used"][link.row] = True
        self.rows["deadline_s"][link.row] = self._clock.monotonic_s() + self._bounds.login_s
        link.transport.set_write_buffer_limits(ANSWER_BYTES_MAX)
        self._open_links.inc()

    def count_received(self, link: Link, byte_count: int) -> None:
        """Note that bytes came; stop reading where too many wait."""
        self.waiting_bytes += byte_count
        if self.holding or self.waiting_bytes > WAITING_BYTES_MAX or len(link.fresh) > LINK_BYTES_MAX:
            self.settle(link)
        if not self._awake:
            self._awake = True
            self.wake()  # whoever is woken takes until nothing is left

    def take(self, bytes_max: int) -> Taken:
        """The bytes of the links that waited longest, about `bytes_max` of them, each with the rest from before."""
        links, chunks, counts, seen, before = [], [], [], 0, self.waiting_bytes
        for link in self.arrived:
            seen += 1
            fresh, rest = link.fresh, link.rest
            link.fresh = link.rest = b""
            self.waiting_bytes -= len(fresh)
            if link.ended is None:
                links.append(link)
                chunks.append(rest + fresh if rest else fresh)
                counts.append(len(fresh))
            if before - self.waiting_bytes >= bytes_max:
                break
        del self.arrived[:seen]
        self._awake = False
        rows = np.array([link.row for link in links], np.int64)
        ends = np.cumsum([len(chunk) for chunk in chunks], dtype=np.int64)
        generations = self.rows["generation"][rows]
        return Taken(links, rows, generations, b"".join(chunks), ends, np.array(counts, np.int64))

    def keep(self, taken: Taken, rest_starts: NDArray[np.int64], opened: NDArray[np.bool_]) -> None:
        """Keep the beginnings of frames for the next time. Both (m,), as the decoder gives them."""
        self.rows["opened"][taken.rows] = opened
        for index in np.flatnonzero(rest_starts < taken.ends).tolist():
            taken.links[index].rest = taken.stream[rest_starts[index] : taken.ends[index]]

    def log_in(self, link: Link, *, phone: int, vehicle_id: int) -> None:
        """Let a terminal report over this link; an older link of the same terminal ends."""
        older = self.online.get(phone)
        if older is not None and older is not link:
            self.end(older, Ended.REPLACED)
        self._forget_log_in(link)
        self.online[phone] = link
        row = self.rows[link.row]
        row["phone"], row["vehicle_id"], row["refusals"] = phone, vehicle_id, 0
        row["deadline_s"] = self._clock.monotonic_s() + self._bounds.idle_s

    def log_out(self, link: Link) -> None:
        """Let nobody report over this link until the next log-in, which is to come soon."""
        self._forget_log_in(link)
        self.rows["deadline_s"][link.row] = self._clock.monotonic_s() + self._bounds.login_s

    def hear(self, rows: NDArray[np.int64]) -> None:
        """Note that good frames came over these links; they have until the idle time-out for the next ones."""
        online = rows[self.rows["phone"][rows] != 0]
        self.rows["deadline_s"][online] = self._clock.monotonic_s() + self._bounds.idle_s

    def end(self, link: Link, why: Ended) -> None:
        """Close a link, after what was written to it. A second reason is not counted."""
        if link.ended is None and link.row >= 0:
            link.ended = why
            self.rows["deadline_s"][link.row] = self._clock.monotonic_s() + CLOSING_S
            link.transport.close()

    def end_overdue(self) -> None:
        """End the links whose time is up, and cut those that were ended and still stand."""
        for link in self._links_where(self.rows["used"] & (self.rows["deadline_s"] < self._clock.monotonic_s())):
            if link.ended is not None:
                link.transport.abort()
            elif link.blocked or not link.paused:  # silence that we caused is not the terminal's
                self.end(link, Ended.IDLE if self.rows["phone"][link.row] else Ended.LOGIN_TIMEOUT)

    def end_all(self, why: Ended) -> None:
        """Close every link."""
        for link in self._links_where(self.rows["used"]):
            self.end(link, why)

    def cut_all(self) -> None:
        """Cut every link, whatever was not read from it."""
        for link in self._links_where(self.rows["used"]):
            link.transport.abort()

    def stop_reading(self) -> None:
        """Read no more from anybody."""
        self._stopped = True
        for link in self._links_where(self.rows["used"]):
            self.settle(link)

    def put_in_flight(self, taken: Taken, counts: NDArray[np.int64]) -> None:
        """Note frames whose answers wait: (m,), one count for each link taken."""
        self.rows["in_flight"][taken.rows] += counts.astype(np.int32)
        for index in np.flatnonzero(self.rows["in_flight"][taken.rows] > LINK_FRAMES_MAX).tolist():
            self.settle(taken.links[index])

    def land(self, taken: Taken, counts: NDArray[np.int64]) -> None:
        """Note that these frames wait no longer."""
        same = self.rows["generation"][taken.rows] == taken.generations
        self.rows["in_flight"][taken.rows[same]] -= counts[same].astype(np.int32)

    def settle(self, link: Link) -> None:
        """Pause or resume reading as the bounds demand."""
        if link.ended is not None or link.row < 0 or link.transport.is_closing():
            self._paused.discard(link)
            return
        must_wait = (
            self.holding
            or self._stopped
            or link.blocked
            or self.waiting_bytes > WAITING_BYTES_MAX
            or len(link.fresh) > LINK_BYTES_MAX
            or bool(self.rows["in_flight"][link.row] > LINK_FRAMES_MAX)
        )
        if must_wait and not link.paused:
            link.paused = True
            self._paused.add(link)
            link.transport.pause_reading()
        elif link.paused and not must_wait:
            link.paused = False
            self._paused.discard(link)
            self.hear(np.array([link.row]))
            link.transport.resume_reading()

    def settle_paused(self) -> None:
        """Read again from all who may send again."""
        if not self.holding:
            for link in list(self._paused):
                self.settle(link)

    def lost(self, link: Link) -> None:
        """Forget a link that has gone, once what it had sent is taken: it may be the last fix before a tunnel."""
        if link.row < 0:
            return
        if link.ended is None and link.fresh:
            self._lost.append(link)
        else:
            self._forget(link)

    def number(self, link: Link) -> int:
        """A number that no other link of this server has, ever."""
        return int(self.rows["generation"][link.row]) << _ROW_BITS | link.row

    def find(self, number: int) -> Link | None:
        """The link of that number, if it still stands."""
        row = number & (1 << _ROW_BITS) - 1
        same = self.rows["used"][row] and int(self.rows["generation"][row]) == number >> _ROW_BITS
        return self._by_row[row] if same else None

    def next_serial(self, link: Link) -> int:
        """The serial number of the platform's next message to a link."""
        serial = int(self.rows["serial"][link.row])
        self.rows["serial"][link.row] = (serial + 1) & 0xFFFF
        return serial

    def next_serials(self, rows: NDArray[np.int64]) -> NDArray[np.uint16]:
        """The serial numbers of many messages, (n,). `rows`: of the links, equal ones beside each other."""
        places = np.arange(len(rows))
        first = np.flatnonzero(np.diff(rows, prepend=-1))
        ranks = places - np.repeat(first, np.diff(first, append=len(rows)))
        serials = (self.rows["serial"][rows] + ranks).astype(np.uint16)
        last = np.append(first[1:], len(rows)) - 1
        self.rows["serial"][rows[last]] = serials[last] + np.uint16(1)
        return serials

    def forget_lost(self) -> None:
        """Forget the links that have gone and whose bytes are taken."""
        waiting = [link for link in self._lost if link.fresh]
        for link in self._lost:
            if not link.fresh:
                self._forget(link)
        self._lost = waiting

    def _forget(self, link: Link) -> None:
        self._forget_log_in(link)
        self._paused.discard(link)
        self.rows["used"][link.row] = False
        self.rows["generation"][link.row] += 1
        self._by_row[link.row] = None
        self._free.append(link.row)
        link.row = -1
        link.ended = link.ended or Ended.PEER
        self._open_links.dec()
        metrics.links_closed.labels(self._bounds.protocol, link.ended).inc()

    def _forget_log_in(self, link: Link) -> None:
        phone = int(self.rows["phone"][link.row])
        if self.online.get(phone) is link:
            del self.online[phone]
        self.rows["phone"][link.row] = self.rows["vehicle_id"][link.row] = 0

    def _links_where(self, chosen: NDArray[np.bool_]) -> Iterable[Link]:
        return [link for row in np.flatnonzero(chosen).tolist() if (link := self._by_row[row]) is not None]

    def _grow(self) -> None:
        more = min(max(ROWS_MIN, len(self.rows)), self._bounds.links_max - len(self.rows))
        self._free += range(len(self.rows) + more - 1, len(self.rows) - 1, -1)
        self._by_row += [None] * more
        self.rows = np.concatenate([self.rows, np.zeros(more, LINK)])
