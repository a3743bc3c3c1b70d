"""The rules as the engine's flow calls them: the pure engine with the fences and vehicles of now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, fields
from typing import Any, Protocol

import numpy as np

from common.metrics import metrics
from services.vehicle_tracking.adapters.fence_changes import RuleChanges
from services.vehicle_tracking.domain import engine
from services.vehicle_tracking.domain.alarms.alarm import Alarm
from services.vehicle_tracking.domain.fence_set import FenceSet, fence_set, index_work
from services.vehicle_tracking.domain.fences import Fence, FenceTrigger
from services.vehicle_tracking.domain.judgement import Judgement
from services.vehicle_tracking.domain.positions import PositionBatch
from services.vehicle_tracking.domain.quality import Quality
from services.vehicle_tracking.domain.rule_settings import RuleSettings
from services.vehicle_tracking.domain.vehicle_columns import VehicleColumns
from services.vehicle_tracking.domain.warm_up import warm_up
from services.vehicle_tracking.settings import TrackingSettings

WORK_AT_ONCE_MAX = 400_000  # steps of 40 ns: what is indexed between two batches; more goes to a thread
FENCES_AT_ONCE_MAX = 64
_REST = frozenset((Quality.DUPLICATE,))  # has a counter of its own


class Source(Protocol):
    """Where changes come from, such as RuleSource."""

    def take(self) -> RuleChanges:
        """What has changed since the last call."""


@dataclass(slots=True)
class _Changes:
    """Fences that are to be changed, or have been since an index was begun."""

    fences: dict[int, Fence] = field(default_factory=dict)
    removed_ids: set[int] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.fences or self.removed_ids)

    def add(self, fences: Mapping[int, Fence], removed_ids: set[int]) -> None:
        self.fences = {key: fence for key, fence in self.fences.items() if key not in removed_ids} | dict(fences)
        self.removed_ids = (self.removed_ids | removed_ids) - set(fences)

    def on(self, fences: FenceSet) -> FenceSet:
        return fences.with_changes(self.fences, self.removed_ids) if self else fences


class EngineRules:
    """Judges batches. Used from one thread; large indexes are built in another and taken over when they are ready."""

    def __init__(self, source: Source, settings: TrackingSettings) -> None:
        self._source = source
        self._settings = rule_settings(settings)
        self._partition_count = settings.partition_count
        self._vehicles = VehicleColumns(settings.partition_count)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="fences")
        self._waiting, self._since = _Changes(), _Changes()
        self._building: Future[FenceSet] | None = None
        self._known: engine.Known | None = None

    def warm_up(self) -> None:
        """Compile what will be needed, and index the fences that there are: the first batch shall not wait."""
        warm_up(self._settings)
        self.refresh()

    def refresh(self) -> None:
        """Take what has changed among fences and vehicles. The first time everything is indexed at once; later a small
        change is in force on return, a large one as soon as its index is built."""
        found = self._source.take()
        if found:
            for rows in found.vehicles:
                self._vehicles.take(rows)
            self._waiting.add(found.fences, found.removed_fence_ids)
        if self._known is None:
            self._swap(fence_set(self._waiting.fences.values()))
            self._waiting = _Changes()
        elif self._waiting or self._building is not None:
            self._index()

    def start(self, partition: int, saved: bytes | None) -> Any:
        """A state, as saved or new. Raises ValueError for bytes of another version."""
        return engine.start(partition) if saved is None else engine.loaded(saved, self._now())

    def saved(self, state: Any) -> bytes:
        """A state as it can be loaded."""
        metrics.engine_vehicles.labels(state.partition).set(int(np.count_nonzero(state.latest["heard_ms"])))
        return engine.saved(state, self._now())

    def step(self, state: Any, positions: PositionBatch) -> Judgement:
        """Judge positions; changes the state."""
        with metrics.engine_step_seconds.time():
            judged = engine.step(state, positions, self._now())
        _count(judged)
        return judged

    def tick(self, state: Any, now_ms: int) -> Sequence[Alarm]:
        """Judge silence up to `now_ms`; changes the state."""
        return engine.tick(state, now_ms, self._now())

    def close(self) -> None:
        """Let the last index be built."""
        self._thread.shutdown()

    def _now(self) -> engine.Known:
        if self._known is None:
            self.refresh()
        assert self._known is not None
        return self._known

    def _swap(self, fences: FenceSet) -> None:
        self._known = engine.Known(self._settings, self._partition_count, fences, self._vehicles)

    def _index(self) -> None:
        """Bring the fences nearer to what they should be, without long work in this thread."""
        fences = self._now().fences
        if self._building is not None and self._building.done():
            fences, self._building = self._since.on(self._building.result()), None
        if self._waiting and not _large(self._waiting):
            fences = self._waiting.on(fences)
            self._since.add(self._waiting.fences, self._waiting.removed_ids)
            self._waiting = _Changes()
        if self._building is None and (self._waiting or _crowded(fences)):
            self._building = self._thread.submit(_rebuilt, fences, self._waiting)
            self._waiting, self._since = _Changes(), _Changes()
        self._swap(fences)


def rule_settings(settings: TrackingSettings) -> RuleSettings:
    """The numbers that rules judge by."""
    return RuleSettings(**{number.name: getattr(settings, number.name) for number in fields(RuleSettings)})


def _rebuilt(fences: FenceSet, changes: _Changes) -> FenceSet:
    return changes.on(fences).rebuilt()


def _large(changes: _Changes) -> bool:
    return len(changes.fences) > FENCES_AT_ONCE_MAX or index_work(changes.fences.values()) > WORK_AT_ONCE_MAX


def _crowded(fences: FenceSet) -> bool:
    """Whether the next change would have to index so much again that one index of all is due."""
    return fences.overlay_count > FENCES_AT_ONCE_MAX // 2 or fences.overlay_work > WORK_AT_ONCE_MAX // 2


def _count(judged: Judgement) -> None:
    flagged = judged.quality_flags[judged.quality_flags != 0]
    if len(flagged):
        metrics.engine_duplicates.inc(int(np.count_nonzero(flagged & Quality.DUPLICATE)))
        for flag in Quality:
            count = int(np.count_nonzero(flagged & flag))
            if count and flag not in _REST:
                metrics.engine_flagged.labels(str(flag.name)).inc(count)
    for some in judged.transitions:
        for kind, count in enumerate(np.bincount(some.kinds).tolist()):
            if count:
                metrics.transitions.labels(FenceTrigger(kind).name).inc(count)
