"""Compiles, or loads from the cache, every compiled function that the engine calls."""

from __future__ import annotations

import numpy as np

from services.vehicle_tracking.domain import engine
from services.vehicle_tracking.domain.fence_set import fence_set
from services.vehicle_tracking.domain.fences import Circle, Corridor, Fence, FenceTrigger, Polygon, Ring, Shape
from services.vehicle_tracking.domain.latest_rows import LIVE_RECORD, columns_of, take
from services.vehicle_tracking.domain.positions import COLUMNS, PositionBatch, batch
from services.vehicle_tracking.domain.quality import STATUS_POSITIONED
from services.vehicle_tracking.domain.rule_settings import RuleSettings
from services.vehicle_tracking.domain.vehicle_columns import VehicleColumns

_START_MS = 1_767_225_600_000
_STEP_MS = 60_000
_DEGREE_E7 = 10_000_000
_LON, _LAT = 112 * _DEGREE_E7, 28 * _DEGREE_E7


def warm_up(settings: RuleSettings) -> None:
    """Run the engine on a few made-up positions against one fence of every shape, in both indexes."""
    main, overlay = ([_fence(n + 3 * layer, shape) for n, shape in enumerate(_shapes(), 1)] for layer in (0, 1))
    changed = fence_set(main).with_changes({fence.fence_id: fence for fence in overlay}, [overlay[0].fence_id])
    fences = changed.with_changes({fence.fence_id: fence for fence in overlay[:1]})
    known = engine.Known(settings, 1, fences, VehicleColumns(1))
    state, rows, dirty = engine.start(0), np.zeros(8, LIVE_RECORD), np.zeros(8, np.bool_)
    for step in range(4):
        positions = _positions(_START_MS + step * 4 * _STEP_MS, read_only=step % 2 == 1)
        judged = engine.step(state, positions, known)
        take(columns_of(positions, positions.vehicle_ids // 1, judged.quality_flags, judged.usable), rows, dirty)
    engine.tick(state, _START_MS + 10**9, known)
    known = engine.Known(settings, 1, fences.rebuilt(), VehicleColumns(1))
    state = engine.loaded(engine.saved(state, known), known)
    engine.step(state, _positions(_START_MS + 10**10, read_only=True), known)


def _positions(start_ms: int, *, read_only: bool) -> PositionBatch:
    """In and out of the fences, fast, out of order, one without a place. Batches from the log are read-only, which is
    a type of its own to the compiler."""
    positions = batch(
        start_ms + 10 * _STEP_MS,
        vehicle_ids=[1, 1, 1, 2, 2, 1],
        fix_times_ms=start_ms + np.array([0, 2, 1, 0, 1, 3]) * _STEP_MS,
        longitudes_e7=_LON + np.array([0, 1, 0, 0, 0, -1]) * _DEGREE_E7 // 10,
        latitudes_e7=np.full(6, _LAT),
        speeds_01kmh=np.full(6, 1590),
        alarm_words=np.array([0, 1, 2, 0, 0, 0]),
        status_words=np.array([1, 1, 1, 1, 0, 1]) * STATUS_POSITIONED,
    )
    for name in COLUMNS:
        getattr(positions, name).setflags(write=not read_only)
    return positions


def _fence(fence_id: int, shape: Shape) -> Fence:
    return Fence(fence_id, "", shape, triggers=tuple(FenceTrigger), dwell_ms=1, hysteresis_m=10)


def _shapes() -> tuple[Shape, ...]:
    east, north = np.array([-1, 1, 1, -1], np.int32) * 100_000, np.array([-1, -1, 1, 1], np.int32) * 100_000
    outline = Ring(_LON + east, _LAT + north)
    return (
        Polygon((outline,)),
        Circle(_LON, _LAT, 1000),
        Corridor(outline.longitudes_e7[:2], outline.latitudes_e7[:2], 100),
    )
