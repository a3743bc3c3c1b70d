"""Checkpoints: which files are kept, and what is said of one that cannot be used."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from common.errors import NotFound
from common.infra.archive import Archive, FolderArchive
from common.infra.log import TopicPartition
from common.metrics import registry
from services.vehicle_tracking.adapters.changes import Pool, read
from services.vehicle_tracking.adapters.checkpoints import Checkpoints
from tests.vehicle_tracking.server.api_serving import migrated_pool

pytestmark = [pytest.mark.enable_socket, pytest.mark.services("postgres")]
PLACE = TopicPartition("positions", 1)


@pytest.fixture(scope="module")
def pool(postgres_url: str) -> Iterator[Pool]:
    with migrated_pool(postgres_url) as opened:
        yield opened


@pytest.fixture
def archive(tmp_path: Path, pool: Pool) -> Archive:
    read(pool, "DELETE FROM checkpoints RETURNING 1")
    return FolderArchive(tmp_path)


def kept(archive: Archive) -> list[str]:
    """Next offset and epoch of each file."""
    return [Path(path).stem.lstrip("0") for path in archive.list("checkpoints")]


def test_the_file_before_is_kept_until_the_next_save(pool: Pool, archive: Archive) -> None:
    checkpoints = Checkpoints(pool, archive)
    epoch = checkpoints.claim(PLACE, oldest_offset=0).epoch
    for next_offset in (5, 7, 9, 9):
        checkpoints.save(PLACE, [b"state %d" % next_offset], next_offset=next_offset, epoch=epoch)
    assert kept(archive) == ["7-1", "9-1"]
    claimed = checkpoints.claim(PLACE, oldest_offset=0)
    assert checkpoints.load(claimed.path) == b"state 9"


def test_owners_of_more_than_one_digit_delete_only_what_is_older(pool: Pool, archive: Archive) -> None:
    checkpoints = Checkpoints(pool, archive)
    for _ in range(12):
        epoch = checkpoints.claim(PLACE, oldest_offset=0).epoch
        checkpoints.save(PLACE, [], next_offset=5, epoch=epoch)
    assert kept(archive) == ["5-11", "5-12"]


def test_a_file_that_is_gone_or_damaged_is_refused_and_the_offset_stays(pool: Pool, archive: Archive) -> None:
    checkpoints = Checkpoints(pool, archive)
    epoch = checkpoints.claim(PLACE, oldest_offset=0).epoch
    checkpoints.save(PLACE, [b"a ", b"state"], next_offset=5, epoch=epoch)
    claimed = checkpoints.claim(PLACE, oldest_offset=0)
    content = archive.read(claimed.path)
    for damaged in (b"", content[:-1], b"A" + content[1:]):
        archive.write(claimed.path, damaged)
        with pytest.raises(ValueError, match="damaged"):
            checkpoints.load(claimed.path)
    archive.delete(claimed.path)
    with pytest.raises(NotFound):
        checkpoints.load(checkpoints.claim(PLACE, oldest_offset=0).path)
    assert checkpoints.next_offset(PLACE) == 5


def test_a_save_is_timed(pool: Pool, archive: Archive) -> None:
    checkpoints = Checkpoints(pool, archive)
    count = registry.get_sample_value("xiangtong_checkpoint_seconds_count") or 0
    epoch = checkpoints.claim(PLACE, oldest_offset=0).epoch
    checkpoints.save(PLACE, [], next_offset=5, epoch=epoch)
    assert registry.get_sample_value("xiangtong_checkpoint_seconds_count") == count + 1
