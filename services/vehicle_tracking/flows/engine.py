"""The engine's flow: load, decide, store, publish, archive and checkpoint, commit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from common.clock import Clock
from common.errors import DomainError, NotFound, Unavailable
from common.infra import diagnostics
from common.infra.log import Consumer, Record, TopicPartition
from common.metrics import metrics
from services.vehicle_tracking.domain.alarms.alarm import Alarm
from services.vehicle_tracking.domain.topics import ENGINE_GROUP
from services.vehicle_tracking.flows.poison import PoisonError, PoisonWatch, positions_of
from services.vehicle_tracking.flows.ports import Claim, EngineSettings, Part, Rules, Stores
from services.vehicle_tracking.flows.writer import RETRY_S_MAX, RETRY_S_MIN, Writer

TICK_S = 1.0
TICK_LATENESS_MS = 5000  # what access has received by then is in the log: nobody is called silent too early
LOG_RETURN_S = 15.0  # after an outage access has put into the log by then what it received meanwhile
ROUND_BYTES_MAX = 12 * 1024 * 1024  # a quarter of a million positions: alarms wait for the end of a round, a second
WAITING_WRITES_MAX = 4  # track files that wait for the archive before consumption pauses
RELEASE_ATTEMPTS_MAX = 3  # then a partition is let go without a checkpoint: the next owner replays
RELEASE_S_MAX = 8.0  # within the drain of a role
OFFLINE_RULE = "offline"

log = diagnostics.logger(__name__)


class LogReplacedError(RuntimeError):
    """The log ends before the checkpoint, so it is another: reading on would skip records and write over tracks."""

    def __init__(self, place: TopicPartition, next_offset: int, end_offset: int) -> None:
        super().__init__(
            f"{place.topic} {place.partition} ends at {end_offset}, but its checkpoint covers everything before"
            f" {next_offset}: this is not the log that it was made from; restore both from the same backup"
            " (docs/operations/backup-restore.md)"
        )


@dataclass(slots=True)
class _Owned:
    """A partition in the hands of this process."""

    place: TopicPartition
    epoch: int
    state: Any
    part: Part
    checkpoint_at_s: float
    received_time_ms: int = 0
    writes: list[Future[None]] = field(default_factory=list)
    saving: Future[None] | None = None
    saving_offset: int = 0


class Engine:
    """Consumes positions. All but what `writer` runs happens in one thread."""

    def __init__(self, rules: Rules, stores: Stores, writer: Writer, clock: Clock, settings: EngineSettings) -> None:
        self._rules = rules
        self._stores = stores
        self._writer = writer
        self._clock = clock
        self._settings = settings
        self._watch = PoisonWatch(settings.poison_share_max)
        self._owned: dict[TopicPartition, _Owned] = {}
        self._held: list[Record] = []
        self._untold: list[Alarm] = []
        self._unburied: list[tuple[Record, str]] = []
        self._paused = False
        self._tick_at_s = 0.0
        self._log_back_s = clock.monotonic_s()  # a process that starts may have ended because the log was away

    def assigned(self, places: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Begin with partitions, each from its checkpoint on. Returns where to read."""
        starts = {place: self._begin(place) for place in places}
        metrics.rebalances.labels(ENGINE_GROUP).inc()
        return starts

    def revoked(self, places: Sequence[TopicPartition]) -> None:
        """Let partitions go, with a checkpoint where everything before it could be stored."""
        for place in places:
            owned = self._owned.pop(place, None)
            if owned is not None:
                self._release(owned)
                self._stores.live.stop(place.partition)

    def cycle(self, consumer: Consumer) -> int:
        """One round: read, decide, store, publish, and what else is due. How many positions were judged. Raises
        Unavailable when the log is away: nothing is lost, call it again later."""
        self._rules.refresh()
        self._finish(consumer)
        self._throttle(consumer)
        try:
            records = consumer.poll(timeout_ms=self._settings.poll_ms, bytes_max=ROUND_BYTES_MAX)
            records, self._held = self._held + records, []
            count = self._decide(records)
            self._tick(consumer)
        except Unavailable:
            self._log_back_s = self._clock.monotonic_s()
            raise
        self._settle(consumer)
        self._stores.live.write_due()
        self._checkpoint()
        return count

    def _begin(self, place: TopicPartition) -> int:
        oldest_offset, _ = self._writer.insist(partial(self._stores.bounds, place))
        claim = self._writer.insist(partial(self._stores.checkpoints.claim, place, oldest_offset=oldest_offset))
        _, end_offset = self._writer.insist(partial(self._stores.bounds, place))  # after the claim: the log grows
        if claim.next_offset > end_offset:
            raise LogReplacedError(place, claim.next_offset, end_offset)
        _tell_lost(place, oldest_offset - claim.next_offset)
        share = (place.partition + 1) / self._settings.partition_count  # not all partitions at the same moment
        self._owned[place] = _Owned(
            place,
            claim.epoch,
            self._remembered(place, claim),
            Part(place, claim.epoch, claim.next_offset, claim.next_offset),
            self._clock.monotonic_s() + self._settings.checkpoint_interval_s * share,
        )
        log.info("partition taken", partition=place.partition, offset=claim.next_offset, epoch=claim.epoch)
        return claim.next_offset

    def _remembered(self, place: TopicPartition, claim: Claim) -> Any:
        """The state of a checkpoint. A file that cannot be used must not stop the partition for good."""
        try:
            body = self._writer.insist(partial(self._stores.checkpoints.load, claim.path)) if claim.path else None
            saved, live = unpacked(body)
            state = self._rules.start(place.partition, saved)
            self._stores.live.start(place.partition, live)
        except (NotFound, ValueError) as error:
            log.error(
                "checkpoint cannot be used; no position is lost, but nothing is remembered of the partition: alarms"
                " that are open stay open until people acknowledge them, and rules may raise again",
                partition=place.partition,
                offset=claim.next_offset,
                error=str(error),
            )
            self._stores.live.start(place.partition, b"")
            return self._rules.start(place.partition, None)
        return state

    def _release(self, owned: _Owned) -> None:
        if self._untold or self._unburied:
            log.warning("partition let go without a checkpoint: alarms wait", partition=owned.place.partition)
            return
        try:
            for write in (*owned.writes, owned.saving):
                if write is not None:
                    write.result(RELEASE_S_MAX)
            self._writer.insist(partial(self._stores.tracks.write, owned.part), attempts_max=RELEASE_ATTEMPTS_MAX)
            self._writer.insist(self._saving(owned, owned.part.end_offset), attempts_max=RELEASE_ATTEMPTS_MAX)
        except (DomainError, TimeoutError) as error:
            log.warning("partition let go without a checkpoint", partition=owned.place.partition, error=repr(error))
        else:
            log.info("partition let go", partition=owned.place.partition, offset=owned.part.end_offset)

    def _decide(self, records: Iterable[Record]) -> int:
        count = 0
        for record in records:
            owned = self._owned.get(TopicPartition(record.topic, record.partition))
            if owned is not None and record.offset >= owned.part.end_offset:  # else given away, or repeated by the log
                count += self._judge(owned, record)
                owned.part.end_offset = record.offset + 1
        metrics.engine_positions.inc(count)
        return count

    def _judge(self, owned: _Owned, record: Record) -> int:
        try:
            positions = positions_of(record, self._settings.partition_count)
        except PoisonError as poison:
            self._unburied.append((record, poison.reason))
            self._watch.note(poisonous=True)
            return 0
        self._watch.note(poisonous=False)
        if len(positions):
            judged = self._rules.step(owned.state, positions)
            self._untold += judged.alarms
            self._stores.live.take(record.partition, positions, judged)
            owned.part.add(positions, judged.quality_flags)
            owned.received_time_ms = max(owned.received_time_ms, positions.received_time_ms)
        return len(positions)

    def _tick(self, consumer: Consumer) -> None:
        """Silence is judged by the clock only where nothing waits to be read or appended: an engine that was away
        would else call every vehicle silent before it reads what they sent."""
        if self._clock.monotonic_s() < self._tick_at_s:
            return
        self._tick_at_s = self._clock.monotonic_s() + TICK_S
        lag = consumer.lag()
        settled = self._clock.monotonic_s() >= self._log_back_s + LOG_RETURN_S
        for place, owned in self._owned.items():
            waiting = lag.get(place, 0)
            metrics.consumer_lag.labels(ENGINE_GROUP, place.topic, place.partition).set(waiting)
            known_ms = self._clock.now_ms() if settled and not waiting else owned.received_time_ms
            self._untold += self._rules.tick(owned.state, known_ms - TICK_LATENESS_MS)

    def _settle(self, consumer: Consumer) -> None:
        """Store and publish alarms, put poison aside; until that has worked nothing more is read."""
        delay_s = RETRY_S_MIN
        while self._untold or self._unburied:
            try:
                self._tell()
                self._bury()
            except Unavailable as error:
                log.warning("alarms wait", count=len(self._untold), error=str(error))
                self._wait(consumer, delay_s)
                delay_s = min(2 * delay_s, RETRY_S_MAX)

    def _tell(self) -> None:
        if not self._untold:
            return
        self._stores.outlet.publish(self._stores.outlet.store(self._untold))
        now_ms = self._clock.now_ms()
        for alarm in self._untold:
            if alarm.clear_time_ms is not None:
                metrics.alarms_cleared.labels(alarm.rule).inc()
                continue
            metrics.alarms_raised.labels(alarm.rule).inc()
            metrics.alarm_age_seconds.observe(max(0, now_ms - alarm.create_time_ms) / 1000)
        silent = [a.vehicle_id for a in self._untold if a.rule == OFFLINE_RULE and a.clear_time_ms is None]
        self._stores.live.set_offline(silent)
        self._untold = []

    def _bury(self) -> None:
        if not self._unburied:
            return
        self._stores.bury(self._unburied)
        for record, reason in self._unburied:
            metrics.dead_letters.labels(record.topic, reason).inc()
            log.error("record put aside", partition=record.partition, offset=record.offset, reason=reason)
        self._unburied = []

    def _wait(self, consumer: Consumer, delay_s: float) -> None:
        """Stay a member of the group. Partitions that come meanwhile may bring records: they are kept for later."""
        consumer.pause(list(self._owned))
        try:
            self._held += consumer.poll(timeout_ms=round(delay_s * 1000))
        except Unavailable:
            self._writer.wait(delay_s)
        consumer.resume(list(self._owned))
        self._paused = False

    def _throttle(self, consumer: Consumer) -> None:
        """Read nothing while too many track files wait for the archive."""
        waiting = sum(not write.done() for owned in self._owned.values() for write in owned.writes)
        if self._paused != (waiting >= WAITING_WRITES_MAX * max(1, len(self._owned))):
            self._paused = not self._paused
            (consumer.pause if self._paused else consumer.resume)(list(self._owned))

    def _checkpoint(self) -> None:
        now_s = self._clock.monotonic_s()
        for owned in self._owned.values():
            if owned.saving is None and now_s >= owned.checkpoint_at_s:
                self._save(owned)
                owned.checkpoint_at_s = now_s + self._settings.checkpoint_interval_s
            elif owned.part.position_count >= self._settings.checkpoint_positions_max:
                self._archive(owned)

    def _archive(self, owned: _Owned) -> None:
        """Hand the positions since the last file to the writer; the next file begins where this one ends."""
        part = owned.part
        owned.part = Part(owned.place, owned.epoch, part.end_offset, part.end_offset)
        if part.batches:
            owned.writes.append(self._writer.submit(partial(self._stores.tracks.write, part)))

    def _save(self, owned: _Owned) -> None:
        """Hand the state to the writer, after the files it covers."""
        self._archive(owned)
        if owned.saving_offset == owned.part.start_offset:
            return  # nothing has come since
        owned.saving_offset = owned.part.start_offset
        earlier, save = list(owned.writes), self._saving(owned, owned.saving_offset)

        def after_writes() -> None:
            for write in earlier:
                write.result()  # a checkpoint over positions that are not archived would lose them
            save()

        owned.saving = self._writer.submit(after_writes)

    def _saving(self, owned: _Owned, next_offset: int) -> Callable[[], None]:
        body = packed(self._rules.saved(owned.state), self._stores.live.saved(owned.place.partition))
        return partial(self._stores.checkpoints.save, owned.place, body, next_offset=next_offset, epoch=owned.epoch)

    def _finish(self, consumer: Consumer) -> None:
        """Commit what has been saved. A write that found another owner ends this process: its picture is old."""
        for owned in self._owned.values():
            for write in [write for write in owned.writes if write.done()]:
                write.result()
                owned.writes.remove(write)
            if owned.saving is not None and owned.saving.done():
                owned.saving.result()
                owned.saving = None
                self._commit(consumer, owned)

    def _commit(self, consumer: Consumer, owned: _Owned) -> None:
        try:
            consumer.commit({owned.place: owned.saving_offset})
        except Unavailable as error:
            log.warning("offset not committed; the checkpoint holds it", error=str(error))


def _tell_lost(place: TopicPartition, count: int) -> None:
    """Records that the log dropped before they were read."""
    if count > 0:
        metrics.engine_records_lost.inc(count)
        log.warning("records lost: the log dropped them before they were read", partition=place.partition, count=count)


def packed(state: bytes, live: bytes) -> tuple[bytes, ...]:
    """The body of a checkpoint, in parts: copies of it would hold up the positions."""
    return len(state).to_bytes(8, "little"), state, live


def unpacked(body: bytes | None) -> tuple[bytes | None, bytes]:
    """The engine's state and the latest positions in a checkpoint; None and nothing where there is none. Raises
    ValueError when it is cut off."""
    if body is None:
        return None, b""
    end = 8 + int.from_bytes(body[:8], "little")
    if len(body) < end:
        raise ValueError("the checkpoint is cut off")
    return body[8:end], body[end:]
