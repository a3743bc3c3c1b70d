"""Tracks: written with their manifest, taken over by another owner, read from files and from the log."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import structlog.testing

from common.errors import NotAllowedNow
from common.infra.archive import Archive, FolderArchive
from common.infra.log import NewRecord, TopicPartition
from services.vehicle_tracking.adapters.changes import Pool, read
from services.vehicle_tracking.adapters.checkpoints import Checkpoints
from services.vehicle_tracking.adapters.track_files import TrackFiles, path_of
from services.vehicle_tracking.adapters.tracks import Tracks
from services.vehicle_tracking.convert.positions import encode
from services.vehicle_tracking.domain.positions import PositionBatch, batch
from services.vehicle_tracking.domain.quality import Quality
from services.vehicle_tracking.domain.tracks import RESEND_MS_MAX
from services.vehicle_tracking.flows.ports import Part
from tests.vehicle_tracking.memory_log import MemoryLog
from tests.vehicle_tracking.server.api_serving import migrated_pool

pytestmark = [pytest.mark.enable_socket, pytest.mark.services("postgres")]
PLACE = TopicPartition("positions", 1)  # vehicles 1, 5, 9 … of 4 partitions


@pytest.fixture(scope="module")
def pool(postgres_url: str) -> Iterator[Pool]:
    with migrated_pool(postgres_url) as opened:
        yield opened


@pytest.fixture
def archive(tmp_path: Path, pool: Pool) -> Archive:
    read(pool, "DELETE FROM track_files RETURNING 1")
    read(pool, "DELETE FROM checkpoints RETURNING 1")
    return FolderArchive(tmp_path)


def fixes(vehicle_id: int, *seconds: int) -> PositionBatch:
    """Positions of one vehicle whose longitude is their second; each has an additional item of so many bytes."""
    items = [b"\x01\x04" + second.to_bytes(4, "big") for second in seconds]
    return batch(
        9_000_000,
        vehicle_ids=[vehicle_id] * len(seconds),
        fix_times_ms=[second * 1000 for second in seconds],
        longitudes_e7=seconds,
        item_lengths=[len(item) for item in items],
        item_blob=b"".join(items),
    )


def part(start: int, *batches: PositionBatch, epoch: int = 1) -> Part:
    flags = [np.full(len(positions), 4, np.int32) for positions in batches]
    return Part(PLACE, epoch, start, start + len(batches), list(batches), flags)


def log_of(*batches: PositionBatch) -> MemoryLog:
    log = MemoryLog()
    log.producer().append([NewRecord(*PLACE, encode(positions)) for positions in batches])
    return log


def seconds(
    pool: Pool, archive: Archive, log: MemoryLog, *, start: int = 0, end: int = 1000, most: int = 99
) -> list[int]:
    """The track of vehicle 5 as it is read."""
    tracks = Tracks(pool, archive, log, partition_count=4)
    positions, flags = tracks.read_track(5, start_ms=start * 1000, end_ms=end * 1000, count_max=most)
    assert len(flags) == len(positions)
    assert positions.longitudes_e7.tolist() == (positions.fix_times_ms // 1000).tolist()
    return [int(second) for second in positions.longitudes_e7]


def test_a_track_is_read_from_files_and_from_the_log(pool: Pool, archive: Archive) -> None:
    records = [fixes(5, 10, 30), fixes(9, 11), fixes(5, 20, 40), fixes(5, 40, 50)]
    Checkpoints(pool, archive).claim(PLACE, oldest_offset=0)
    TrackFiles(pool, archive).write(part(0, *records[:2]))
    assert seconds(pool, archive, log_of(*records)) == [10, 20, 30, 40, 50]
    assert seconds(pool, archive, log_of(*records), start=20, end=50) == [20, 30, 40]
    assert seconds(pool, archive, log_of(*records), most=2) == [10, 20]


def test_flags_and_items_come_back_from_files(pool: Pool, archive: Archive) -> None:
    Checkpoints(pool, archive).claim(PLACE, oldest_offset=0)
    TrackFiles(pool, archive).write(part(0, fixes(5, 10, 30), fixes(9, 11)))
    tracks = Tracks(pool, archive, log_of(), partition_count=4)
    positions, flags = tracks.read_track(5, start_ms=0, end_ms=99_000, count_max=9)
    assert flags.tolist() == [4, 4]
    assert positions.item_blob == fixes(5, 10, 30).item_blob


def test_a_vehicle_without_positions_has_an_empty_track(pool: Pool, archive: Archive) -> None:
    assert seconds(pool, archive, log_of()) == []


def test_a_file_that_is_written_again_holds_each_position_once(pool: Pool, archive: Archive) -> None:
    Checkpoints(pool, archive).claim(PLACE, oldest_offset=0)
    files = TrackFiles(pool, archive)
    files.write(part(0, fixes(5, 1)))
    files.write(part(1, fixes(5, 2)))
    files.write(part(0, fixes(5, 1), fixes(5, 2, 2), fixes(5, 3)))
    rows = read(pool, "SELECT start_offset, end_offset, position_count FROM track_files")
    assert rows == [(0, 3, 3)]
    assert seconds(pool, archive, log_of()) == [1, 2, 3]


def archived(pool: Pool, archive: Archive) -> list[list[int]]:
    """The seconds in each file of the manifest."""
    paths = read(pool, "SELECT path FROM track_files ORDER BY start_offset")
    tables = [pq.read_table(archive.full_path(path), partitioning=None) for (path,) in paths]
    return [table.column("longitude_e7").to_pylist() for table in tables]


def resent(start: int, *batches: PositionBatch, epoch: int = 1) -> Part:
    """A part that the engine has judged to be out of order."""
    made = part(start, *batches, epoch=epoch)
    return replace(made, flags=[np.full(len(b), int(Quality.OUT_OF_ORDER), np.int32) for b in batches])


def test_what_a_terminal_sends_again_is_archived_once_though_a_file_ended_between(pool: Pool, archive: Archive) -> None:
    Checkpoints(pool, archive).claim(PLACE, oldest_offset=0)
    files = TrackFiles(pool, archive)
    files.write(part(0, fixes(5, 1, 2)))
    files.write(part(1, fixes(5, 3)))
    files.write(resent(2, fixes(5, 2, 3), fixes(5, 0)))
    files.write(resent(4, fixes(5, 0, 1, 2, 3)))
    assert archived(pool, archive) == [[1, 2], [3], [0], []]
    assert seconds(pool, archive, log_of()) == [0, 1, 2, 3]


def test_a_new_owner_knows_what_the_files_say(pool: Pool, archive: Archive) -> None:
    checkpoints = Checkpoints(pool, archive)
    first = checkpoints.claim(PLACE, oldest_offset=0)
    files = TrackFiles(pool, archive)
    files.write(part(0, fixes(5, 1, 2), epoch=first.epoch))
    checkpoints.save(PLACE, [b""], next_offset=1, epoch=first.epoch)
    files.write(part(1, fixes(5, 3), epoch=first.epoch))
    second = checkpoints.claim(PLACE, oldest_offset=0)
    for owner in (TrackFiles(pool, archive), files):  # one of another process, and one that has lost it in between
        owner.write(resent(1, fixes(5, 3), fixes(5, 2, 3), epoch=second.epoch))
        assert archived(pool, archive) == [[1, 2], [3]]


def test_a_copy_that_comes_much_later_than_terminals_resend_is_stored(pool: Pool, archive: Archive) -> None:
    Checkpoints(pool, archive).claim(PLACE, oldest_offset=0)
    files = TrackFiles(pool, archive)
    files.write(part(0, fixes(5, 1)))
    files.write(resent(1, replace(fixes(5, 1), received_time_ms=9_000_001 + RESEND_MS_MAX)))
    assert archived(pool, archive) == [[1], [1]]
    assert seconds(pool, archive, log_of()) == [1]


def test_files_are_ordered_by_vehicle_and_time(pool: Pool, archive: Archive, tmp_path: Path) -> None:
    Checkpoints(pool, archive).claim(PLACE, oldest_offset=0)
    TrackFiles(pool, archive).write(part(0, fixes(9, 5, 4), fixes(5, 7, 6)))
    table = pq.read_table(tmp_path / path_of(PLACE, 0, 1), partitioning=None)
    assert table.column("vehicle_id").to_pylist() == [5, 5, 9, 9]
    assert [time.second for time in table.column("fix_time").to_pylist()] == [6, 7, 4, 5]


def test_who_lost_the_partition_can_write_nothing(pool: Pool, archive: Archive) -> None:
    checkpoints = Checkpoints(pool, archive)
    before = checkpoints.claim(PLACE, oldest_offset=0)
    checkpoints.claim(PLACE, oldest_offset=0)
    with pytest.raises(NotAllowedNow):
        TrackFiles(pool, archive).write(part(0, fixes(5, 1), epoch=before.epoch))
    with pytest.raises(NotAllowedNow):
        checkpoints.save(PLACE, [b"old"], next_offset=7, epoch=before.epoch)
    assert archive.list("tracks") == []


def test_what_the_owner_before_wrote_and_could_not_note_is_removed(pool: Pool, archive: Archive) -> None:
    checkpoints, files = Checkpoints(pool, archive), TrackFiles(pool, archive)
    first = checkpoints.claim(PLACE, oldest_offset=0)
    files.write(part(0, fixes(5, 1), epoch=first.epoch))
    archive.write(path_of(PLACE, 1, first.epoch), b"written, and then it crashed")
    checkpoints.claim(PLACE, oldest_offset=0)
    assert archive.list("tracks") == []


def test_who_lost_the_partition_while_it_wrote_spoils_no_file(
    pool: Pool, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoints, files = Checkpoints(pool, archive), TrackFiles(pool, archive)
    first = checkpoints.claim(PLACE, oldest_offset=0)
    written = FolderArchive.write

    def taken_over(self: FolderArchive, path: str, content: bytes) -> None:
        monkeypatch.setattr(FolderArchive, "write", written)
        second = checkpoints.claim(PLACE, oldest_offset=0)
        TrackFiles(pool, archive).write(part(0, fixes(5, 1), fixes(5, 2), epoch=second.epoch))
        self.write(path, content)

    monkeypatch.setattr(FolderArchive, "write", taken_over)
    with pytest.raises(NotAllowedNow):
        files.write(part(0, fixes(5, 1), epoch=first.epoch))
    assert archived(pool, archive) == [[1, 2]]


def test_a_track_is_read_though_a_new_owner_removes_files_meanwhile(
    pool: Pool, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoints = Checkpoints(pool, archive)
    first = checkpoints.claim(PLACE, oldest_offset=0)
    TrackFiles(pool, archive).write(part(0, fixes(5, 1), epoch=first.epoch))
    found = TrackFiles.find

    def then_taken_over(self: TrackFiles, place: TopicPartition, **range_ms: int) -> Any:
        monkeypatch.setattr(TrackFiles, "find", found)
        files = self.find(place, **range_ms)
        checkpoints.claim(PLACE, oldest_offset=0)
        return files

    monkeypatch.setattr(TrackFiles, "find", then_taken_over)
    assert seconds(pool, archive, log_of(fixes(5, 1))) == [1]


def test_a_file_that_is_gone_for_good_is_said_with_its_times_and_the_others_can_be_read(
    pool: Pool, archive: Archive
) -> None:
    files, epoch = TrackFiles(pool, archive), Checkpoints(pool, archive).claim(PLACE, oldest_offset=0).epoch
    for offset, second in enumerate((10, 20, 30)):
        files.write(part(offset, fixes(5, second, second + 5), epoch=epoch))
    archive.delete(path_of(PLACE, 1, epoch))
    with (
        structlog.testing.capture_logs() as lines,
        pytest.raises(NotAllowedNow, match="fixes of 1970-01-01T00:00:20Z to 1970-01-01T00:00:25Z"),
    ):
        seconds(pool, archive, log_of())
    assert [line["paths"] for line in lines] == [[path_of(PLACE, 1, epoch)]]
    assert seconds(pool, archive, log_of(), end=20) == [10, 15]
    assert seconds(pool, archive, log_of(), start=26) == [30, 35]


@pytest.mark.parametrize("content", [None, b"", b"no Parquet file"])
def test_a_new_owner_goes_on_without_a_file_that_it_cannot_read_back(
    pool: Pool, archive: Archive, content: bytes | None
) -> None:
    epoch = Checkpoints(pool, archive).claim(PLACE, oldest_offset=0).epoch
    TrackFiles(pool, archive).write(part(0, fixes(5, 1), epoch=epoch))
    archive.delete(path_of(PLACE, 0, epoch))
    if content is not None:
        archive.write(path_of(PLACE, 0, epoch), content)
    with structlog.testing.capture_logs() as lines:
        TrackFiles(pool, archive).write(resent(1, fixes(5, 1, 2), epoch=epoch))
    assert [line["path"] for line in lines] == [path_of(PLACE, 0, epoch)]
    assert pq.read_table(archive.full_path(path_of(PLACE, 1, epoch)), partitioning=None).num_rows == 2


def test_the_next_owner_begins_where_the_checkpoint_ends(pool: Pool, archive: Archive) -> None:
    checkpoints, files = Checkpoints(pool, archive), TrackFiles(pool, archive)
    first = checkpoints.claim(PLACE, oldest_offset=3)
    assert (first.path, first.next_offset) == ("", 3)
    for offset in (3, 4):
        files.write(part(offset, fixes(5, offset), epoch=first.epoch))
        checkpoints.save(PLACE, [b"state %d" % offset], next_offset=offset + 1, epoch=first.epoch)
    files.write(part(5, fixes(5, 5), epoch=first.epoch))
    second = checkpoints.claim(PLACE, oldest_offset=0)
    assert (checkpoints.load(second.path), second.next_offset) == (b"state 4", 5)
    assert archive.list("tracks") == [path_of(PLACE, offset, first.epoch) for offset in (3, 4)]
    assert seconds(pool, archive, log_of()) == [3, 4]  # what lies beyond is written again
    assert checkpoints.next_offset(PLACE) == 5
