"""Tracks as they are read: from files, and from the log what is not yet in files."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from pyarrow import fs

from common.clock import utc
from common.errors import NotAllowedNow, Unavailable
from common.infra import diagnostics
from common.infra.archive import Archive
from common.infra.log import EventLog, TopicPartition
from services.vehicle_tracking.adapters.changes import Pool
from services.vehicle_tracking.adapters.track_files import SCHEMA, TrackFile, TrackFiles
from services.vehicle_tracking.convert.positions import decode
from services.vehicle_tracking.domain.positions import Int32s, PositionBatch, batch, joined
from services.vehicle_tracking.domain.topics import POSITIONS
from services.vehicle_tracking.domain.tracks import track_order

FILES_ATTEMPTS_MAX = 3  # a new owner of a partition removes the files that it writes again
TAIL_RECORDS_AT_ONCE = 500
TAIL_RECORDS_MAX = 100_000  # an engine that is further behind than this has to catch up first

log = diagnostics.logger(__name__)


class Tracks:
    """Reads the track of one vehicle at a time. Thread-safe."""

    def __init__(self, pool: Pool, archive: Archive, log: EventLog, *, partition_count: int) -> None:
        self._files = TrackFiles(pool, archive)
        self._archive = archive
        self._log = log
        self._partition_count = partition_count

    def read_track(
        self, vehicle_id: int, *, start_ms: int, end_ms: int, count_max: int
    ) -> tuple[PositionBatch, Int32s]:
        """The first `count_max` positions by fix time with start_ms <= fix time < end_ms, each fix time once, and the
        quality flags of each; 0 for the newest, which the engine has not judged for the archive yet."""
        place = TopicPartition(POSITIONS, vehicle_id % self._partition_count)
        table, next_offset = self._archived(place, vehicle_id, start_ms, end_ms)
        archived = _positions(table)
        tail = self._tail(place, vehicle_id, start_ms, end_ms, from_offset=next_offset or 0)
        flags = np.concatenate([table.column("quality_flags").to_numpy(), *(np.zeros(len(b), np.int32) for b in tail)])
        positions = joined([archived, *tail])
        chosen = track_order(positions.fix_times_ms)[:count_max]
        return positions.take(chosen), flags[chosen].astype(np.int32)

    def _archived(
        self, place: TopicPartition, vehicle_id: int, start_ms: int, end_ms: int
    ) -> tuple[pa.Table, int | None]:
        """Rows of the files, and the offset from which on nothing is in files."""
        before: list[TrackFile] = []
        for _ in range(FILES_ATTEMPTS_MAX):
            files, next_offset = self._files.find(place, start_ms=start_ms, end_ms=end_ms)
            try:
                return self._scanned([file.path for file in files], vehicle_id, start_ms, end_ms), next_offset
            except FileNotFoundError:
                self._refuse_gone([file for file in files if file in before])
                before = files
        raise Unavailable("TRACK_NOT_READY", "the newest positions are being archived again; try again later")

    def _refuse_gone(self, files: Sequence[TrackFile]) -> None:
        """Raise NotAllowedNow when one of the files, which the manifest goes on naming, is gone for good."""
        found = self._archive.filesystem.get_file_info([self._archive.full_path(file.path) for file in files])
        gone = [file for file, info in zip(files, found, strict=True) if info.type == fs.FileType.NotFound]
        if gone:
            log.error("track files are gone from the archive", paths=[file.path for file in gone])
            spans = ", ".join(f"{utc(f.fix_time_ms_min):%FT%TZ} to {utc(f.fix_time_ms_max):%FT%TZ}" for f in gone)
            raise NotAllowedNow("TRACK_DAMAGED", f"the history is damaged, a file is gone; it held fixes of {spans}")

    def _scanned(self, paths: Sequence[str], vehicle_id: int, start_ms: int, end_ms: int) -> pa.Table:
        """Rows of the files in order of arrival. Only row groups that may hold the vehicle are read."""
        wanted = (
            (pc.field("vehicle_id") == vehicle_id)
            & (pc.field("fix_time") >= pa.scalar(start_ms, SCHEMA.field("fix_time").type))
            & (pc.field("fix_time") < pa.scalar(end_ms, SCHEMA.field("fix_time").type))
        )
        found = ds.dataset(
            [self._archive.full_path(path) for path in paths],
            schema=SCHEMA,
            format="parquet",
            filesystem=self._archive.filesystem,
        )
        return found.to_table(filter=wanted)

    def _tail(
        self, place: TopicPartition, vehicle_id: int, start_ms: int, end_ms: int, *, from_offset: int
    ) -> list[PositionBatch]:
        """What the log holds of the vehicle from `from_offset` on."""
        found: list[PositionBatch] = []
        offset = from_offset
        for _ in range(TAIL_RECORDS_MAX // TAIL_RECORDS_AT_ONCE):
            records = self._log.read(place, offset, records_max=TAIL_RECORDS_AT_ONCE)
            if not records:
                return found
            found += [part for record in records if len(part := _of(record.value, vehicle_id, start_ms, end_ms))]
            offset = records[-1].offset + 1
        raise Unavailable("TRACK_NOT_READY", "too many positions wait for the engine; try again later")


def _of(value: bytes, vehicle_id: int, start_ms: int, end_ms: int) -> PositionBatch:
    try:
        positions = decode(value)
    except ValueError:  # the engine puts it aside with its reason
        return batch(0, vehicle_ids=[])
    times = positions.fix_times_ms
    return positions.take((positions.vehicle_ids == vehicle_id) & (times >= start_ms) & (times < end_ms))


def _positions(table: pa.Table) -> PositionBatch:
    items = table.column("items").combine_chunks()
    blob = b"".join(items.to_pylist())
    return batch(
        0,
        vehicle_ids=table.column("vehicle_id").to_numpy(),
        fix_times_ms=table.column("fix_time").cast(pa.int64()).to_numpy(),
        longitudes_e7=table.column("longitude_e7").to_numpy(),
        latitudes_e7=table.column("latitude_e7").to_numpy(),
        speeds_01kmh=table.column("speed_01kmh").to_numpy(),
        headings_deg=table.column("heading_deg").to_numpy(),
        altitudes_m=table.column("altitude_m").to_numpy(),
        alarm_words=table.column("alarm_word").to_numpy(),
        status_words=table.column("status_word").to_numpy(),
        sources=table.column("source").to_numpy(),
        odometers_01km=table.column("odometer_01km").to_numpy(),
        recorder_speeds_01kmh=table.column("recorder_speed_01kmh").to_numpy(),
        video_alarm_words=table.column("video_alarm_word").to_numpy(),
        item_lengths=pc.fill_null(pc.binary_length(items), 0).to_numpy(),
        item_blob=blob,
    )
