"""A few of the frames that could not be used, kept where people can look at them."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from common.clock import Clock
from common.errors import DomainError
from common.infra import diagnostics
from common.infra.log import NewRecord, Producer
from common.metrics import metrics
from services.vehicle_tracking.domain.topics import DEAD_LETTERS
from services.vehicle_tracking.terminals.jt808.columns import FRAME_BYTES_MAX, Decoded, Reason, Table

LETTERS_A_SECOND_MAX = 20  # enough to see what is wrong; a storm of junk must not fill the log
APPENDS_WAITING_MAX = 5  # so much is remembered while the log is slow
APPEND_TIMEOUT_S = 5.0
LETTER_BYTES_MAX = FRAME_BYTES_MAX + 1  # between delimiters: one more, so that what was too long still is
ROWS_LOOKED_AT_MAX = 256  # more than the positions of one batch, each of which may have a row of its own
DELIMITER = b"\x7e"
SOURCE = "terminal"
NOT_LOGGED_IN = "NOT_LOGGED_IN"

log = diagnostics.logger(__name__)


class Refusal(NamedTuple):
    """Where a frame that could not be used begins, and why."""

    offset: int
    reason: str


class RefusedFrames:
    """Appends samples to the topic of dead letters, on a thread of its own. What is above the rate, or comes while the
    log is away, is only counted, and the next letter says how many were left out."""

    def __init__(self, producer: Producer, clock: Clock) -> None:
        self._producer = producer
        self._clock = clock
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="refused-frames")
        self._appends: deque[Future[int]] = deque()
        self._away = False
        self._second = 0.0
        self._room = LETTERS_A_SECOND_MAX
        self._left_out = 0

    def take(self, decoded: Decoded, stream: bytes, refused: NDArray[np.bool_]) -> None:
        """Keep some of what a tick refused. `stream`: what was decoded. `refused`: (n,), the frames that came without
        a log-in; registrations and log-ins are never among them, so no code is kept."""
        self._settle()
        refused = refused & (decoded.frames["reason"] == 0)  # the others are among the rejections
        count = len(decoded.rejections) + int(np.count_nonzero(refused))
        room = self._room if len(self._appends) < APPENDS_WAITING_MAX else 0
        if room == 0:
            self._left_out += count
            return
        rows = decoded.rejections[:ROWS_LOOKED_AT_MAX]
        refusals = [*_rejected(rows, room), *_without_log_in(decoded.frames, refused, room)][:room]
        covered = int(np.isin(rows["offset"], [refusal.offset for refusal in refusals]).sum())
        covered += sum(refusal.reason == NOT_LOGGED_IN for refusal in refusals)
        letters = [_letter(decoded, stream, refusal) for refusal in refusals]
        if self._left_out:
            first = letters[0]
            headers = (*first.headers, ("left_out", str(self._left_out).encode()))
            letters[0] = NewRecord(first.topic, first.partition, first.value, headers)
        self._room -= len(letters)
        self._appends.append(self._thread.submit(self._append, letters, self._left_out + len(letters)))
        self._left_out = count - covered

    def close(self) -> None:
        """Give what waits the time of one append."""
        wait(self._appends, timeout=APPEND_TIMEOUT_S)
        self._thread.shutdown(cancel_futures=True)

    def _settle(self) -> None:
        """Begin another second, and remember what the log did not take."""
        second = self._clock.monotonic_s() // 1
        if second != self._second:
            self._second, self._room = second, LETTERS_A_SECOND_MAX
        while self._appends and self._appends[0].done():
            self._left_out += self._appends.popleft().result()

    def _append(self, letters: Sequence[NewRecord], count: int) -> int:
        """How many of `count` are left out: all or none. On the thread."""
        try:
            self._producer.append(letters, timeout_s=APPEND_TIMEOUT_S)
        except DomainError as error:
            metrics.dead_letters_lost.inc(len(letters))
            if not self._away:
                log.warning("refused frames are not kept: the log does not take them", error=str(error))
            self._away = True
            return count
        except Exception:  # a fault of ours costs these letters; no tick may see it
            metrics.dead_letters_lost.inc(len(letters))
            log.exception("refused frames not kept: a fault of ours")
            return count
        self._away = False
        for letter in letters:
            metrics.dead_letters.labels(SOURCE, dict(letter.headers)["reason"].decode()).inc()
        return 0


def _rejected(rows: Table, count: int) -> list[Refusal]:
    """The first `count` frames among rejections; a batch with many bad positions is one frame."""
    firsts = np.sort(np.unique(rows["offset"], return_index=True)[1])[:count]
    found = rows[firsts]
    names = [Reason(reason).name for reason in found["reason"].tolist()]
    return [Refusal(*each) for each in zip(found["offset"].tolist(), names, strict=True)]


def _without_log_in(frames: Table, refused: NDArray[np.bool_], count: int) -> list[Refusal]:
    """The first `count` good frames that came without a log-in."""
    chosen = np.flatnonzero(refused)[:count]
    return [Refusal(offset, NOT_LOGGED_IN) for offset in frames["offset"][chosen].tolist()]


def _letter(decoded: Decoded, stream: bytes, refusal: Refusal) -> NewRecord:
    """The frame as it came, between delimiters, with what is known of it."""
    start = refusal.offset
    stop = stream.find(DELIMITER, start)  # always there: only complete frames are refused
    content = stream[start : min(stop, start + LETTER_BYTES_MAX)]
    headers = [("reason", refusal.reason.encode()), ("source", SOURCE.encode())]
    phone = _phone(decoded.frames, start)
    if phone is not None:
        headers.append(("phone", str(phone).encode()))
    if stop - start > len(content):
        headers.append(("cut_from", str(stop - start).encode()))
    return NewRecord(DEAD_LETTERS, 0, DELIMITER + content + DELIMITER, tuple(headers))


def _phone(frames: Table, offset: int) -> int | None:
    """Whom the frame that begins there names, where its header is good."""
    row = int(np.searchsorted(frames["offset"], offset))
    return int(frames["phone"][row]) if row < len(frames) and frames["offset"][row] == offset else None
