"""Track files: Parquet in the archive, and the manifest in PostgreSQL that says which file holds which records."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from common.errors import NotAllowedNow, NotFound
from common.infra import diagnostics
from common.infra.archive import Archive
from common.infra.log import TopicPartition
from common.metrics import metrics, timed
from services.vehicle_tracking.adapters.changes import Change, Pool, connected, read
from services.vehicle_tracking.domain.positions import Int32s, Int64s, PositionBatch, batch, joined
from services.vehicle_tracking.domain.tracks import (
    RESEND_MS_MAX,
    Marks,
    Rows,
    Written,
    archive_order,
    copies,
    marks,
    recent,
)

ROW_GROUP_ROWS = 32_768  # a track of one vehicle reads one or two of these from a file
_INSTANT = pa.timestamp("ms", tz="UTC")
SCHEMA = pa.schema(
    [
        ("vehicle_id", pa.int64()),
        ("fix_time", _INSTANT),
        ("received_time", _INSTANT),
        ("longitude_e7", pa.int32()),
        ("latitude_e7", pa.int32()),
        ("speed_01kmh", pa.int32()),
        ("heading_deg", pa.int32()),
        ("altitude_m", pa.int32()),
        ("alarm_word", pa.int32()),
        ("status_word", pa.int32()),
        ("source", pa.uint8()),
        ("odometer_01km", pa.int32()),
        ("recorder_speed_01kmh", pa.int32()),
        ("video_alarm_word", pa.int32()),
        ("quality_flags", pa.int32()),
        ("items", pa.binary()),
    ]
)
_MEASURED = {
    "vehicle_id": "vehicle_ids",
    "fix_time": "fix_times_ms",
    "longitude_e7": "longitudes_e7",
    "latitude_e7": "latitudes_e7",
    "speed_01kmh": "speeds_01kmh",
    "heading_deg": "headings_deg",
    "altitude_m": "altitudes_m",
    "alarm_word": "alarm_words",
    "status_word": "status_words",
    "odometer_01km": "odometers_01km",
    "recorder_speed_01kmh": "recorder_speeds_01kmh",
    "video_alarm_word": "video_alarm_words",
}
_DICTIONARY = ["vehicle_id", "alarm_word", "status_word", "source", "video_alarm_word", "quality_flags", "items"]
_DELTA = {
    name: "DELTA_BINARY_PACKED"
    for name in SCHEMA.names
    if name not in _DICTIONARY and not pa.types.is_uint8(SCHEMA.field(name).type)
}

log = diagnostics.logger(__name__)


class TrackPart(Protocol):
    """The positions of consecutive records of one partition, in order of arrival. `flags`: the quality of each."""

    @property
    def place(self) -> TopicPartition:
        """The partition."""

    @property
    def start_offset(self) -> int:
        """The first record."""

    @property
    def end_offset(self) -> int:
        """The record after the last."""

    @property
    def epoch(self) -> int:
        """Proves the ownership."""

    @property
    def batches(self) -> Sequence[PositionBatch]:
        """One a record."""

    @property
    def flags(self) -> Sequence[Int32s]:
        """(n,) for each batch."""


@dataclass(frozen=True, slots=True)
class TrackFile:
    """A row of the manifest. `fix_time_ms_min`, `fix_time_ms_max`: of the positions in the file."""

    start_offset: int
    end_offset: int
    path: str
    fix_time_ms_min: int
    fix_time_ms_max: int


@dataclass(frozen=True, slots=True)
class _Recent:
    """The newest files of a partition, newest first, as this owner wrote them up to `end_offset`."""

    epoch: int
    end_offset: int
    files: Sequence[Written]


class TrackFiles:
    """Writes track files and finds them. Thread-safe."""

    def __init__(self, pool: Pool, archive: Archive) -> None:
        self._pool = pool
        self._archive = archive
        self._recent: dict[TopicPartition, _Recent] = {}

    def write(self, part: TrackPart) -> None:
        """Store the positions of `part`, but for copies of what the files before it say, then its row of the manifest,
        in place of rows it overlaps. Repeating it changes nothing. Raises NotAllowedNow when the partition has another
        owner by now."""
        if not part.batches:
            return
        check_owner(self._pool, part.place, part.epoch)
        earlier = self._earlier(part)
        with timed(metrics.archive_seconds):
            table, written = table_of(part, earlier)
            self._archive.write(path_of(part.place, part.start_offset, part.epoch), parquet(table))
        self._note(part, table)
        self._recent[part.place] = _Recent(part.epoch, part.end_offset, [written, *earlier])
        metrics.archived_positions.inc(table.num_rows)

    def find(self, place: TopicPartition, *, start_ms: int, end_ms: int) -> tuple[list[TrackFile], int | None]:
        """The files that may hold fixes from `start_ms` to before `end_ms`, in order of arrival, and the offset from
        which on nothing is in files; None when nothing ever was."""
        rows = read(
            self._pool,
            "SELECT start_offset, end_offset, path, fix_time_ms_min, fix_time_ms_max,"
            " fix_time_ms_max >= %s AND fix_time_ms_min < %s"
            " FROM track_files WHERE topic = %s AND partition = %s ORDER BY start_offset",
            start_ms, end_ms, *place,
        )  # fmt: skip
        return [TrackFile(*row[:-1]) for row in rows if row[-1]], rows[-1][1] if rows else None

    def _earlier(self, part: TrackPart) -> list[Written]:
        """What the files before `part` say, newest first, as far back as copies may come from: as this owner remembers
        it, else as the files say."""
        known = self._recent.get(part.place)
        remembered = known is not None and (known.epoch, known.end_offset) == (part.epoch, part.start_offset)
        files = known.files if known is not None and remembered else self._read_back(part)
        return list(recent(files, since_ms=min(b.received_time_ms for b in part.batches) - RESEND_MS_MAX))

    def _read_back(self, part: TrackPart) -> Iterator[Written]:
        paths = read(
            self._pool,
            "SELECT path FROM track_files WHERE topic = %s AND partition = %s AND end_offset <= %s"
            " ORDER BY start_offset DESC",
            *part.place, part.start_offset,
        )  # fmt: skip
        return (written for (path,) in paths for written in self._said_in(path))

    def _said_in(self, path: str) -> list[Written]:
        """What a file says; nothing, when it cannot be read: the engine must not stop for good because of it."""
        try:
            return [written_in(self._archive.read(path))]
        except (NotFound, ValueError, OSError) as error:
            log.error("track file cannot be read; copies of its positions may be kept", path=path, error=str(error))
            return []

    def _note(self, part: TrackPart, table: pa.Table) -> None:
        times = table.column("fix_time").cast(pa.int64()).to_numpy()
        times = times if len(times) else np.zeros(1, np.int64)  # every row is a copy: no fix is looked for here
        with connected(self._pool) as connection, connection.transaction():
            writing = Change(connection, "engine")
            lock_owner(writing, part.place, part.epoch)
            writing.rows(
                "DELETE FROM track_files WHERE topic = %s AND partition = %s AND start_offset >= %s"
                " AND start_offset < %s",
                *part.place, part.start_offset, part.end_offset,
            )  # fmt: skip
            writing.rows(
                "INSERT INTO track_files (topic, partition, start_offset, end_offset, path, position_count,"
                " fix_time_ms_min, fix_time_ms_max) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
                *part.place, part.start_offset, part.end_offset, path_of(part.place, part.start_offset, part.epoch),
                table.num_rows, int(times.min()), int(times.max()),
            )  # fmt: skip


def path_of(place: TopicPartition, start_offset: int, epoch: int) -> str:
    """Where the file of the records from `start_offset` on is: the same for every repeat by this owner. An owner that
    has lost the partition and still writes must not overwrite what the next one wrote."""
    return f"tracks/{place.topic}/partition={place.partition:04d}/{start_offset:020d}-{epoch}.parquet"


def check_owner(pool: Pool, place: TopicPartition, epoch: int) -> None:
    """Raise NotAllowedNow when another process has taken the partition over."""
    rows = read(pool, "SELECT epoch FROM checkpoints WHERE topic = %s AND partition = %s", *place)
    _expect(place, epoch, rows[0][0] if rows else None)


def lock_owner(writing: Change, place: TopicPartition, epoch: int) -> None:
    """The same, and nobody can take it over before this write is committed."""
    query = "SELECT epoch FROM checkpoints WHERE topic = %s AND partition = %s FOR UPDATE"
    rows = writing.rows(query, *place)
    _expect(place, epoch, rows[0][0] if rows else None)


def table_of(part: TrackPart, earlier: Sequence[Written]) -> tuple[pa.Table, Written]:
    """The positions of `part` as a file holds them, without copies of what files before it say; and what it says."""
    positions, flags = joined(part.batches), np.concatenate(part.flags)
    received_ms = np.repeat(
        np.array([batch.received_time_ms for batch in part.batches], np.int64), [len(batch) for batch in part.batches]
    )
    said = marks(positions)
    order = archive_order(positions, said)
    order = order[~copies(said[order], flags[order], earlier)]
    written = Written(np.sort(said[order]), int(received_ms[order].max(initial=0)))
    return _table(positions, received_ms, flags, order), written


def written_in(content: bytes) -> Written:
    """What a file says."""
    table = pq.read_table(BytesIO(content), columns=[*_MEASURED, "received_time"])
    received_ms = table.column("received_time").cast(pa.int64()).to_numpy()
    return Written(np.sort(_marks_in(table)), int(received_ms.max(initial=0)))


def _marks_in(table: pa.Table) -> Marks:
    columns = {ours: table.column(name).cast(pa.int64()).to_numpy() for name, ours in _MEASURED.items()}
    return marks(batch(0, **columns))


def _table(positions: PositionBatch, received_ms: Int64s, flags: Int32s, order: Rows) -> pa.Table:
    columns: list[NDArray[Any]] = [
        positions.vehicle_ids,
        positions.fix_times_ms,
        received_ms,
        positions.longitudes_e7,
        positions.latitudes_e7,
        positions.speeds_01kmh,
        positions.headings_deg,
        positions.altitudes_m,
        positions.alarm_words,
        positions.status_words,
        positions.sources,
        positions.odometers_01km,
        positions.recorder_speeds_01kmh,
        positions.video_alarm_words,
        flags,
    ]
    arrays = [
        pa.array(column[order]).cast(field.type) for column, field in zip(columns, list(SCHEMA)[:-1], strict=True)
    ]
    return pa.Table.from_arrays([*arrays, _items(positions).take(pa.array(order))], schema=SCHEMA)


def parquet(table: pa.Table) -> bytes:
    """`table` as a Parquet file."""
    sink = pa.BufferOutputStream()
    pq.write_table(
        table,
        sink,
        compression="zstd",
        row_group_size=ROW_GROUP_ROWS,
        use_dictionary=_DICTIONARY,
        column_encoding=_DELTA,
    )
    content: bytes = sink.getvalue().to_pybytes()
    return content


def _items(positions: PositionBatch) -> pa.Array:
    """The additional items of each position as they came."""
    ends = np.cumsum(positions.item_lengths, dtype=np.int64)
    offsets = np.concatenate(([0], ends)).astype(np.int32)
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(positions.item_blob)]
    return pa.Array.from_buffers(pa.binary(), len(positions), buffers)


def _expect(place: TopicPartition, epoch: int, found: int | None) -> None:
    if found != epoch:
        raise NotAllowedNow("PARTITION_LOST", f"{place.topic} {place.partition} has another owner by now")
