"""What the engine's flow needs of the world, as Protocols that adapters satisfy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from common.infra.log import Record, TopicPartition
from services.vehicle_tracking.domain.alarms.alarm import Alarm
from services.vehicle_tracking.domain.judgement import Judgement
from services.vehicle_tracking.domain.positions import Int32s, PositionBatch


class Rules(Protocol):
    """The pure engine, with the fences and vehicles of now."""

    def refresh(self) -> None:
        """Take what has changed among fences and vehicles."""

    def start(self, partition: int, saved: bytes | None) -> Any:
        """A state, as saved or new."""

    def saved(self, state: Any) -> bytes:
        """A state as it can be loaded."""

    def step(self, state: Any, positions: PositionBatch) -> Judgement:
        """Judge positions; changes the state."""

    def tick(self, state: Any, now_ms: int) -> Sequence[Alarm]:
        """Judge silence up to `now_ms`; changes the state."""


class Outlet(Protocol):
    """Where alarms go."""

    def store(self, alarms: Sequence[Alarm]) -> list[tuple[int, bytes]]:
        """Store alarms; vehicle and message of each. Raises Unavailable."""

    def publish(self, messages: Sequence[tuple[int, bytes]]) -> None:
        """Tell them. Raises Unavailable."""


class Live(Protocol):
    """Latest positions of the owned partitions."""

    def start(self, partition: int, saved: bytes) -> None:
        """Begin with a partition."""

    def saved(self, partition: int) -> bytes:
        """A partition as it can be loaded."""

    def stop(self, partition: int) -> None:
        """Let a partition go."""

    def take(self, partition: int, positions: PositionBatch, judged: Judgement) -> None:
        """Take positions."""

    def set_offline(self, vehicle_ids: Sequence[int]) -> None:
        """Vehicles that are silent."""

    def write_due(self) -> None:
        """Write what changed, if it is time and the last write has ended."""


@dataclass(slots=True)
class Part:
    """Positions of consecutive records of one partition, in order of arrival, with the quality flags of each."""

    place: TopicPartition
    epoch: int
    start_offset: int
    end_offset: int
    batches: list[PositionBatch] = field(default_factory=list)
    flags: list[Int32s] = field(default_factory=list)
    position_count: int = 0

    def add(self, positions: PositionBatch, flags: Int32s) -> None:
        """Take the positions of the next record."""
        self.batches.append(positions)
        self.flags.append(flags)
        self.position_count += len(positions)


class Tracks(Protocol):
    """Where tracks are archived."""

    def write(self, part: Part) -> None:
        """Store positions; repeating it changes nothing. Raises NotAllowedNow without the ownership, Unavailable."""


class Claim(Protocol):
    """What a new owner of a partition begins with."""

    @property
    def path(self) -> str:
        """Of the state as saved; empty for a partition that never had a checkpoint."""

    @property
    def next_offset(self) -> int:
        """The first record that the state does not cover."""

    @property
    def epoch(self) -> int:
        """Proves the ownership."""


class Checkpoints(Protocol):
    """Where owners of partitions leave off and begin."""

    def claim(self, place: TopicPartition, *, oldest_offset: int) -> Claim:
        """Become the owner. Raises Unavailable."""

    def load(self, path: str) -> bytes:
        """The state as saved. Raises NotFound, ValueError when it is damaged, Unavailable."""

    def save(self, place: TopicPartition, state: Sequence[bytes], *, next_offset: int, epoch: int) -> None:
        """Store a state. Raises NotAllowedNow without the ownership, Unavailable."""


@dataclass(frozen=True, slots=True)
class Stores:
    """Everything that the engine writes to. `bury`: puts records aside, each with its reason; raises Unavailable.
    `bounds`: the oldest offset of a partition, and the one that the next record will get."""

    outlet: Outlet
    live: Live
    tracks: Tracks
    checkpoints: Checkpoints
    bury: Callable[[Sequence[tuple[Record, str]]], None]
    bounds: Callable[[TopicPartition], tuple[int, int]]


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """Bounds and intervals of the flow."""

    partition_count: int
    poll_ms: int
    checkpoint_interval_s: float
    checkpoint_positions_max: int
    poison_share_max: float
