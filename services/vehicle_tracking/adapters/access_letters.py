"""A few of the frames that could not be used, kept where people can look at them."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from common.clock import Clock
from common.errors import Unavailable
from common.infra import diagnostics
from common.infra.log import NewRecord, Producer
from common.metrics import metrics
from services.vehicle_tracking.domain.topics import DEAD_LETTERS
from services.vehicle_tracking.terminals.jt808.columns import FRAME_BYTES_MAX, Decoded, Reason

LETTERS_A_SECOND_MAX = 20  # enough to see what is wrong; a storm of junk must not fill the log
APPEND_TIMEOUT_S = 5.0
DELIMITER = b"\x7e"

log = diagnostics.logger(__name__)


class RefusedFrames:
    """Appends samples to the topic of dead letters beside the ticks, one append at a time. What comes meanwhile, or
    above the rate, is only counted, and the next letter says how many were left out."""

    def __init__(self, producer: Producer, clock: Clock) -> None:
        self._producer = producer
        self._clock = clock
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="refused-frames")
        self._appending: Future[None] | None = None
        self._second = 0.0
        self._room = LETTERS_A_SECOND_MAX
        self._left_out = 0

    def take(self, decoded: Decoded, stream: bytes) -> None:
        """Keep some of the rejections of a tick. `stream`: what was decoded."""
        count = len(decoded.rejections)
        second = self._clock.monotonic_s() // 1
        if second != self._second:
            self._second, self._room = second, LETTERS_A_SECOND_MAX
        chosen = min(count, self._room)
        if chosen == 0 or (self._appending is not None and not self._appending.done()):
            self._left_out += count
            return
        self._room -= chosen
        records = [self._record(decoded, row, stream) for row in range(chosen)]
        self._left_out = count - chosen
        self._appending = self._thread.submit(self._append, records)

    def close(self) -> None:
        """Let the last append end."""
        self._thread.shutdown()

    def _record(self, decoded: Decoded, row: int, stream: bytes) -> NewRecord:
        rejection = decoded.rejections[row]
        start = int(rejection["offset"])
        end = stream.find(DELIMITER, start)
        frame = DELIMITER + stream[start : end if end >= 0 else len(stream)][:FRAME_BYTES_MAX] + DELIMITER
        headers = [("reason", Reason(int(rejection["reason"])).name.encode()), ("source", b"terminal")]
        if row == 0 and self._left_out:
            headers.append(("left_out", str(self._left_out).encode()))
        return NewRecord(DEAD_LETTERS, 0, frame, tuple(headers))

    def _append(self, records: Sequence[NewRecord]) -> None:
        try:
            self._producer.append(records, timeout_s=APPEND_TIMEOUT_S)
        except Unavailable as error:
            log.warning("refused frames not kept", count=len(records), error=str(error))
            return
        for record in records:
            metrics.dead_letters.labels("terminal", dict(record.headers)["reason"].decode()).inc()
