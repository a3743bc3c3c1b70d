"""The archive: immutable files by path, in a folder or on S3-compatible storage."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from urllib.parse import parse_qs, unquote, urlsplit

from pyarrow import fs

from common.errors import NotFound, Unavailable
from common.infra.settings import InfraSettings

TEMPORARY_SUFFIX = ".part"  # readers of the folder skip what is still being written
S3_CONNECT_TIMEOUT_S = 5.0
S3_REQUEST_TIMEOUT_S = 30.0
PATH_CHARACTERS_MAX = 900  # S3 allows 1,024 bytes for the whole key


class Archive:
    """Files under one root. `filesystem` and `root` let pyarrow scan them as a dataset."""

    def __init__(self, filesystem: fs.FileSystem, root: str) -> None:
        self.filesystem = filesystem
        self.root = root.rstrip("/")

    def write(self, path: str, *parts: bytes) -> None:
        """Store the joined `parts` whole or not at all, in place of what was at `path`; durable on return."""
        with _translated(path), self.filesystem.open_output_stream(self.full_path(path)) as stream:
            for part in parts:
                stream.write(part)

    def read(self, path: str) -> bytes:
        """The content at `path`. Raises NotFound."""
        with _translated(path), self.filesystem.open_input_file(self.full_path(path)) as stream:
            return bytes(stream.read())

    def list(self, prefix: str = "") -> list[str]:
        """The paths of the files in the folder `prefix` and below it, sorted; empty where there is no such folder."""
        folder = self.full_path(prefix) if prefix else self.root
        with _translated(prefix):
            found = self.filesystem.get_file_info(fs.FileSelector(folder, recursive=True, allow_not_found=True))
        paths = [info.path for info in found if info.type == fs.FileType.File]
        start = len(self.root) + 1
        return sorted(path[start:] for path in paths if not path.endswith(TEMPORARY_SUFFIX))

    def delete(self, path: str) -> None:
        """Remove the file at `path`; nothing happens where there is none."""
        try:
            with _translated(path):
                self.filesystem.delete_file(self.full_path(path))
        except NotFound:
            return

    def ping(self) -> None:
        """Raise Unavailable when the storage does not answer."""
        with _translated(""):
            self.filesystem.get_file_info(self.root)

    def full_path(self, path: str) -> str:
        """Where `path` is on `filesystem`. Raises ValueError for one that would leave the root."""
        parts = PurePosixPath(path).parts
        unsafe = not parts or path.startswith("/") or ".." in parts or "\\" in path or "\0" in path
        if unsafe or len(path) > PATH_CHARACTERS_MAX:
            raise ValueError(f"not a path inside the archive: {path!r}")
        return f"{self.root}/{'/'.join(parts)}"


class FolderArchive(Archive):
    """An archive in a folder of this machine."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        super().__init__(fs.LocalFileSystem(), str(folder.resolve()))

    def write(self, path: str, *parts: bytes) -> None:
        """Store the joined `parts` whole or not at all: written beside, synced, renamed, and the folder synced. Raises
        Unavailable when the disk is full or does not answer."""
        target = Path(self.full_path(path))
        try:
            self._write(target, parts)
        except OSError as error:
            raise Unavailable("ARCHIVE_UNAVAILABLE", f"the archive cannot be written: {error}") from error

    def _write(self, target: Path, parts: Sequence[bytes]) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}{TEMPORARY_SUFFIX}")
        try:
            with temporary.open("xb") as stream:
                stream.writelines(parts)
                stream.flush()
                os.fsync(stream.fileno())
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
        _sync_folders(target.parent, Path(self.root))


def open_archive(settings: InfraSettings) -> Archive:
    """The archive that the settings name: a folder, or s3://[key:secret@]bucket/prefix?endpoint_override=…&scheme=…
    (without a key in the URL: AWS_ACCESS_KEY_ID and its like)."""
    place = settings.archive or str(settings.data / "archive")
    parts = urlsplit(place)
    if parts.scheme != "s3":
        return FolderArchive(Path(parts.path if parts.scheme == "file" else place))
    options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    filesystem = fs.S3FileSystem(
        access_key=unquote(parts.username) if parts.username else None,
        secret_key=unquote(parts.password) if parts.password else None,
        endpoint_override=options.get("endpoint_override"),
        scheme=options.get("scheme", "https"),
        region=options.get("region", "us-east-1"),
        connect_timeout=S3_CONNECT_TIMEOUT_S,
        request_timeout=S3_REQUEST_TIMEOUT_S,
        background_writes=False,
    )
    return Archive(filesystem, f"{parts.hostname}{parts.path}")


@contextmanager
def _translated(path: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise NotFound("file", path) from error
    except OSError as error:
        raise Unavailable("ARCHIVE_UNAVAILABLE", f"the archive does not answer: {error}") from error


def _sync_folders(folder: Path, root: Path) -> None:
    """Make the new name durable, and those of the folders above that may be new too."""
    for parent in (folder, *folder.parents):
        descriptor = os.open(parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if parent == root:
            return
