"""One suite for every place an archive can be: a folder, and S3 as moto's server speaks it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as pa_dataset
import pyarrow.parquet as pa_parquet
import pytest
from moto.server import ThreadedMotoServer

from common.errors import NotFound, Unavailable
from common.infra.archive import Archive, FolderArchive, open_archive
from common.infra.settings import InfraSettings

pytestmark = pytest.mark.enable_socket


@pytest.fixture(scope="module")
def s3_endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    urllib.request.urlopen(urllib.request.Request(f"http://{host}:{port}/tracks", method="PUT"), timeout=10).close()
    yield f"{host}:{port}"
    server.stop()


@pytest.fixture(params=["folder", "s3"])
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> Archive:
    if request.param == "folder":
        return open_archive(InfraSettings(archive=str(tmp_path / "archive")))
    endpoint = request.getfixturevalue("s3_endpoint")
    place = f"s3://key:sec%2Fret@tracks/{tmp_path.name}?endpoint_override={endpoint}&scheme=http"
    return open_archive(InfraSettings(archive=place))


def test_what_was_written_is_read(archive: Archive) -> None:
    archive.write("day=2026-01-02/positions-3-17.parquet", b"\0" * 100_000)
    assert archive.read("day=2026-01-02/positions-3-17.parquet") == b"\0" * 100_000


def test_a_repeat_overwrites_itself(archive: Archive) -> None:
    archive.write("a/b", b"first")
    archive.write("a/b", b"second")
    assert (archive.list(), archive.read("a/b")) == (["a/b"], b"second")


def test_files_are_listed_below_a_folder_in_order(archive: Archive) -> None:
    for path in ("day=2/b", "day=2/a", "day=1/a", "day=2/deep/a"):
        archive.write(path, b"")
    assert archive.list("day=2") == ["day=2/a", "day=2/b", "day=2/deep/a"]
    assert archive.list("day=3") == []
    assert archive.list() == ["day=1/a", "day=2/a", "day=2/b", "day=2/deep/a"]


def test_what_is_not_there_is_not_found(archive: Archive) -> None:
    with pytest.raises(NotFound):
        archive.read("nowhere/nothing")


def test_deleting_twice_is_deleting_once(archive: Archive) -> None:
    archive.write("a", b"")
    archive.delete("a")
    archive.delete("a")
    assert archive.list() == []


@pytest.mark.parametrize("path", ["", "/etc/passwd", "../outside", "a/../../outside", "a\\b", "a\0b", "x" * 1000])
def test_a_path_that_leaves_the_archive_is_refused(archive: Archive, path: str) -> None:
    for use in (archive.read, archive.delete, lambda path: archive.write(path, b"")):
        with pytest.raises(ValueError, match="not a path inside the archive"):
            use(path)


def test_pyarrow_scans_it_as_it_is(archive: Archive) -> None:
    for partition in range(3):
        sink = pa.BufferOutputStream()
        pa_parquet.write_table(pa.table({"vehicle_id": [partition]}), sink)
        archive.write(f"day=2026-01-02/{partition}.parquet", sink.getvalue().to_pybytes())
    found = pa_dataset.dataset(archive.root, filesystem=archive.filesystem, format="parquet", partitioning="hive")
    assert found.count_rows() == 3


def test_the_archive_that_is_there_answers(archive: Archive) -> None:
    archive.ping()


def test_storage_that_is_away_is_said_to_be_unavailable(free_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    place = f"s3://key:secret@tracks/x?endpoint_override=127.0.0.1:{free_port}&scheme=http"
    with pytest.raises(Unavailable):
        open_archive(InfraSettings(archive=place)).read("a")


def test_a_folder_shows_no_half_written_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = FolderArchive(tmp_path)
    archive.write("a", b"old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Unavailable, match=r"cannot be written: .*No space left"):
        archive.write("a", b"new")
    assert (archive.read("a"), [entry.name for entry in tmp_path.iterdir()]) == (b"old", ["a"])


FULL = """
import resource, sys
from pathlib import Path
from common.errors import Unavailable
from common.infra.archive import FolderArchive

archive = FolderArchive(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
try:
    archive.write("a", bytes(100_000))
except Unavailable:
    print(archive.list(), sum(1 for _ in Path(sys.argv[1]).iterdir()))
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
archive.write("a", bytes(100_000))
print(archive.list())
"""


def test_what_the_disk_has_no_room_for_is_written_once_there_is_room(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FULL, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout.splitlines(), done.stderr) == (["[] 0", "['a']"], "")


def test_writers_of_the_same_path_do_not_mix(tmp_path: Path) -> None:
    archive = FolderArchive(tmp_path)
    contents = [bytes([number]) * 200_000 for number in range(8)]
    threads = [threading.Thread(target=archive.write, args=("a/b", content)) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert archive.read("a/b") in contents
    assert archive.list() == ["a/b"]


def test_by_default_it_is_a_folder_below_the_data_folder(tmp_path: Path) -> None:
    archive = open_archive(InfraSettings(data=tmp_path))
    archive.write("a", b"x")
    assert (tmp_path / "archive" / "a").read_bytes() == b"x"
