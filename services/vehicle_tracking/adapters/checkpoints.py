"""Checkpoints: the engine's state of a partition in the archive, and in PostgreSQL how far it covers."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import PurePosixPath

from common.infra.archive import Archive
from common.infra.log import TopicPartition
from common.metrics import metrics, timed
from services.vehicle_tracking.adapters.changes import Change, Pool, connected, read
from services.vehicle_tracking.adapters.track_files import lock_owner, path_of

CHECKSUM_BYTES = 4


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a new owner of a partition begins with. `path`: of the file with its state, empty for a partition that
    never had a checkpoint. `next_offset`: the first record that it does not cover. `epoch`: proves the ownership."""

    path: str
    next_offset: int
    epoch: int


class Checkpoints:
    """Where owners of partitions leave off and begin. Thread-safe."""

    def __init__(self, pool: Pool, archive: Archive) -> None:
        self._pool = pool
        self._archive = archive

    def claim(self, place: TopicPartition, *, oldest_offset: int) -> Checkpoint:
        """Become the owner of `place` from its checkpoint on; `oldest_offset` where there is none. From now on the
        owner before can note nothing. Its files beyond the checkpoint are removed: replay writes them again."""
        with connected(self._pool) as connection, connection.transaction():
            writing = Change(connection, "engine")
            [(next_offset, path, epoch)] = writing.rows(
                "INSERT INTO checkpoints (topic, partition, next_offset, path, epoch) VALUES (%s, %s, %s, '', 1)"
                " ON CONFLICT (topic, partition) DO UPDATE SET epoch = checkpoints.epoch + 1"
                " RETURNING next_offset, path, epoch",
                *place, oldest_offset,
            )  # fmt: skip
            removed = writing.rows(
                "DELETE FROM track_files WHERE topic = %s AND partition = %s AND start_offset >= %s"
                " RETURNING path, end_offset",
                *place, next_offset,
            )  # fmt: skip
        end_offset = max((end for _, end in removed), default=next_offset)
        for file in (*(file for file, _ in removed), path_of(place, end_offset, epoch - 1)):  # the last: not noted yet
            self._archive.delete(file)
        return Checkpoint(path, next_offset, epoch)

    def load(self, path: str) -> bytes:
        """The state in the file of a checkpoint. Raises NotFound, and ValueError when it is damaged."""
        content = self._archive.read(path)
        state, checksum = content[:-CHECKSUM_BYTES], content[-CHECKSUM_BYTES:]
        if checksum != _checksum([state]):
            raise ValueError(f"{path} is damaged: its checksum does not fit")
        return state

    def save(self, place: TopicPartition, state: Sequence[bytes], *, next_offset: int, epoch: int) -> None:
        """Store a state, in parts, that covers every record before `next_offset`. The file before it stays until the
        next save, for copies of the archive that are made meanwhile. Raises NotAllowedNow when the partition has
        another owner by now."""
        with timed(metrics.checkpoint_seconds):
            self._save(place, state, next_offset=next_offset, epoch=epoch)
        metrics.checkpoints.inc()

    def next_offset(self, place: TopicPartition) -> int | None:
        """How far `place` has been worked off; None when it never was."""
        rows = read(self._pool, "SELECT next_offset FROM checkpoints WHERE topic = %s AND partition = %s", *place)
        return int(rows[0][0]) if rows else None

    def _save(self, place: TopicPartition, state: Sequence[bytes], *, next_offset: int, epoch: int) -> None:
        folder = f"checkpoints/{place.topic}/partition={place.partition:04d}"
        path = f"{folder}/{next_offset:020d}-{epoch}.state"
        self._archive.write(path, *state, _checksum(state))
        with connected(self._pool) as connection, connection.transaction():
            writing = Change(connection, "engine")
            lock_owner(writing, place, epoch)
            [(before,)] = writing.rows("SELECT path FROM checkpoints WHERE topic = %s AND partition = %s", *place)
            writing.rows(
                "UPDATE checkpoints SET next_offset = %s, path = %s, update_time = clock_timestamp()"
                " WHERE topic = %s AND partition = %s",
                next_offset, path, *place,
            )  # fmt: skip
        if before not in ("", path):
            for file in self._archive.list(folder):
                if _age(file) < _age(before):
                    self._archive.delete(file)


def _checksum(state: Sequence[bytes]) -> bytes:
    return reduce(lambda checksum, part: zlib.crc32(part, checksum), state, 0).to_bytes(CHECKSUM_BYTES, "little")


def _age(path: str) -> tuple[int, int]:
    """Next offset and epoch. Both only grow, so nothing of a newer owner is ever older than what this one noted."""
    next_offset, epoch = PurePosixPath(path).stem.split("-")
    return int(next_offset), int(epoch)
