"""What is stored after a run: log, archive, tracks and alarms; and what an undisturbed engine makes of the same log."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from io import BytesIO
from typing import TypeAlias

import grpc
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from xiangtong.tracking.v1 import alarms_pb2, tracking_service_pb2
from xiangtong.tracking.v1.tracking_service_pb2_grpc import TrackingServiceStub

from common.clock import SystemClock, milliseconds
from common.infra.archive import Archive, open_archive
from common.infra.event_logs import open_log
from common.infra.log import EventLog, Record, TopicPartition
from common.infra.postgres import open_pool
from services.vehicle_tracking.adapters.changes import Pool, read
from services.vehicle_tracking.adapters.fence_changes import RuleSource
from services.vehicle_tracking.adapters.rules import EngineRules
from services.vehicle_tracking.convert.positions import decode
from services.vehicle_tracking.domain.alarms.alarm import Alarm
from services.vehicle_tracking.domain.fences import AlarmLevel
from services.vehicle_tracking.domain.positions import PositionBatch
from services.vehicle_tracking.domain.topics import ALARMS, POSITIONS
from services.vehicle_tracking.flows.engine import TICK_LATENESS_MS
from services.vehicle_tracking.settings import TrackingSettings
from simulation.fleet import Reports
from simulation.truth import Subject, TrueAlarm, true_alarms
from tests.faults.crash_run import CAUGHT_UP_S_MAX, Run

TICKED_S = 2.5  # silence is judged once a second
OFFLINE = "offline"

Fix: TypeAlias = tuple[int, int]  # vehicle, fix time
Key: TypeAlias = tuple[str, int, int, int, int]  # rule, vehicle, fence, subject, raise time
Told: TypeAlias = tuple[int | None, int, bool]  # clear time, level, late


@dataclass(frozen=True)
class Outcome:
    """`logged`: how often each fix is in the log; `archived`: in the files of the manifest; `spans`: first and next
    offset of each file by partition; `stray_files`: those that the manifest does not name; `published`: id and clear
    time of every message of the topic."""

    logged: Counter[Fix]
    archived: Counter[Fix]
    spans: dict[int, list[tuple[int, int]]]
    stray_files: set[str]
    ends: dict[int, int]
    alarms: dict[Key, Told]
    alarm_ids: set[tuple[str, int | None]]
    published: set[tuple[str, int | None]]
    undisturbed: dict[Key, Told]
    true: dict[Key, Told]

    def told(self) -> str:
        """The figures."""
        by_rule = Counter(key[0] for key in self.alarms)
        copies = sum(self.logged.values()) - len(self.logged)
        files = sum(map(len, self.spans.values()))
        return (
            f"log: {len(self.logged)} positions and {copies} copies; archive: {sum(self.archived.values())} rows in"
            f" {files} files, {len(self.stray_files)} strays; alarms {dict(sorted(by_rule.items()))}"
        )


def outcome(run: Run, settings: TrackingSettings) -> Outcome:
    """What is stored once the engine has caught up."""
    assert settings.postgres is not None
    pool, log, archive = open_pool(settings.postgres), open_log(settings), open_archive(settings)
    try:
        places = [TopicPartition(POSITIONS, number) for number in range(settings.partition_count)]
        ends = {place.partition: log.bounds(place)[1] for place in places}
        _wait_until_archived(pool, ends)
        records = {place: _records(log, place) for place in places}
        batches = {place: [decode(record.value) for record in found] for place, found in records.items()}
        time.sleep(TICKED_S)
        cut_ms = min(max(b.received_time_ms for b in found) for found in batches.values()) - TICK_LATENESS_MS
        reports, received = _arrived(batches, run)
        subjects = [Subject(v, car.kind, car.speed_kmh_max) for v, car in zip(run.ids, run.cars, strict=True)]
        true = true_alarms(reports, received, subjects, run.fences, end_ms=int(received.max()))
        alarms, alarm_ids = _stored(pool, cut_ms)
        return Outcome(
            logged=Counter(fix for found in batches.values() for b in found for fix in _fixes(b)),
            archived=_archived(pool, archive),
            spans=_spans(pool),
            stray_files=set(archive.list("tracks")) - {p for (p,) in read(pool, "SELECT path FROM track_files")},
            ends=ends,
            alarms=alarms,
            alarm_ids=alarm_ids,
            published=_published(log, settings.partition_count),
            undisturbed=_undisturbed(pool, settings, batches, cut_ms),
            true={alarm.key: _true(alarm) for alarm in true if alarm.rule != OFFLINE},
        )
    finally:
        log.close()
        pool.close()


def tracks(address: str, vehicle_ids: list[int], start_ms: int) -> dict[int, list[int]]:
    """The fix times that GetTrack returns of each vehicle."""
    request = tracking_service_pb2.GetTrackRequest(page_size=100_000)
    request.start_time.FromMilliseconds(start_ms)
    request.end_time.FromMilliseconds(SystemClock().now_ms() + 1000)
    found = {}
    with grpc.insecure_channel(address, [("grpc.max_receive_message_length", -1)]) as channel:
        tracking = TrackingServiceStub(channel)
        for vehicle_id in vehicle_ids:
            request.vehicle_id = vehicle_id
            answer = tracking.GetTrack(request)
            assert not answer.next_page_token
            found[vehicle_id] = list(answer.positions.fix_times_ms)
    return found


def _wait_until_archived(pool: Pool, ends: dict[int, int]) -> None:
    deadline_s = time.monotonic() + CAUGHT_UP_S_MAX
    while True:
        rows = read(pool, "SELECT partition, next_offset FROM checkpoints WHERE topic = %s", POSITIONS)
        reached: dict[int, int] = dict(rows)
        behind = {number: (end, reached.get(number)) for number, end in ends.items() if end != reached.get(number)}
        if not behind:
            return
        assert time.monotonic() < deadline_s, f"the engine does not catch up: {behind}"
        time.sleep(0.2)


def _records(log: EventLog, place: TopicPartition) -> list[Record]:
    found: list[Record] = []
    while records := log.read(place, found[-1].offset + 1 if found else 0):
        found += records
    return found


def _fixes(positions: PositionBatch) -> list[Fix]:
    return list(zip(positions.vehicle_ids.tolist(), positions.fix_times_ms.tolist(), strict=True))


def _archived(pool: Pool, archive: Archive) -> Counter[Fix]:
    found: Counter[Fix] = Counter()
    for path, count in read(pool, "SELECT path, position_count FROM track_files"):
        table = pq.read_table(BytesIO(archive.read(path)), columns=["vehicle_id", "fix_time"])
        assert table.num_rows == count
        times = table.column("fix_time").cast(pa.int64()).to_pylist()
        found.update(zip(table.column("vehicle_id").to_pylist(), times, strict=True))
    return found


def _spans(pool: Pool) -> dict[int, list[tuple[int, int]]]:
    found: dict[int, list[tuple[int, int]]] = {}
    for number, start, end in read(
        pool, "SELECT partition, start_offset, end_offset FROM track_files ORDER BY partition, start_offset"
    ):
        found.setdefault(number, []).append((start, end))
    return found


def _stored(pool: Pool, cut_ms: int) -> tuple[dict[Key, Told], set[tuple[str, int | None]]]:
    rows = read(
        pool,
        "SELECT alarm_id, rule, vehicle_id, fence_id, subject, raise_time, clear_time, level, late FROM alarms",
    )
    alarms, ids = {}, set()
    for alarm_id, rule, vehicle_id, fence_id, subject, raised, cleared, level, late in rows:
        clear_ms = None if cleared is None else milliseconds(cleared)
        ids.add((alarm_id, clear_ms))
        if rule != OFFLINE or milliseconds(raised) <= cut_ms:
            key = (rule, vehicle_id, 0 if rule == "overspeed" else fence_id, subject, milliseconds(raised))
            alarms[key] = (clear_ms, level, late)
    return alarms, ids


def _published(log: EventLog, partition_count: int) -> set[tuple[str, int | None]]:
    found = set()
    for number in range(partition_count):
        for record in _records(log, TopicPartition(ALARMS, number)):
            alarm = alarms_pb2.Alarm.FromString(record.value)
            found.add((alarm.alarm_id, alarm.clear_time.ToMilliseconds() if alarm.HasField("clear_time") else None))
    return found


def _undisturbed(
    pool: Pool, settings: TrackingSettings, batches: dict[TopicPartition, list[PositionBatch]], cut_ms: int
) -> dict[Key, Told]:
    """The alarms that one engine raises that reads the log from its beginning to its end. Silences: those up to the
    cut, because later ones are told when the clock says so."""
    source = RuleSource(pool)
    source.look()
    rules = EngineRules(source, settings)
    rules.refresh()
    found: dict[Key, Told] = {}

    def note(alarms: list[Alarm]) -> None:
        for alarm in alarms:
            fence_id = 0 if alarm.rule == "overspeed" else alarm.fence_id
            key = (alarm.rule, alarm.vehicle_id, fence_id, alarm.subject, alarm.raise_time_ms)
            found[key] = (alarm.clear_time_ms, int(alarm.level), alarm.late)

    for place, some in batches.items():
        state = rules.start(place.partition, None)
        for positions in some:
            note(list(rules.step(state, positions).alarms))
        note(list(rules.tick(state, cut_ms)))
    rules.close()
    return {key: told for key, told in found.items() if key[0] != OFFLINE or key[-1] <= cut_ms}


def _arrived(batches: dict[TopicPartition, list[PositionBatch]], run: Run) -> tuple[Reports, NDArray[np.int64]]:
    """What was said in the order in which it became durable, and when that was: the log's order, the fleet's words."""
    said = run.said
    index_of = {vehicle_id: index for index, vehicle_id in enumerate(run.ids)}
    rows = {(v, t): n for n, (v, t) in enumerate(zip(said.vehicles.tolist(), said.fix_times_ms.tolist(), strict=True))}
    order = [(b.received_time_ms, *fix) for found in batches.values() for b in found for fix in _fixes(b)]
    order.sort(key=lambda row: row[0])  # stable: within a vehicle the log's order
    chosen = np.array([rows[index_of[vehicle_id], fix_ms] for _, vehicle_id, fix_ms in order], np.int64)
    return said.take(chosen), np.array([received_ms for received_ms, _, _ in order], np.int64)


def _true(alarm: TrueAlarm) -> Told:
    return alarm.clear_time_ms, alarm.level or int(AlarmLevel.MEDIUM), alarm.late
