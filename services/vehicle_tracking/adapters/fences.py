"""Fences in PostgreSQL: what changed since a sequence number, and one at a time."""

# ruff: noqa: S608 – only column lists of this package are spliced into queries; values travel as parameters

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from psycopg.rows import TupleRow
from psycopg.types.json import Jsonb

from common.clock import milliseconds
from common.errors import NotFound
from services.vehicle_tracking.adapters.changes import Change, Pool, check_etag, read
from services.vehicle_tracking.convert.fence_json import shape_from_json, shape_to_json
from services.vehicle_tracking.domain.fences import AlarmLevel, Fence, FenceTrigger, TimeWindow
from services.vehicle_tracking.domain.vehicles import VehicleKind

_COLUMNS = (
    "fence_id, name, shape, vehicle_kinds, time_windows, triggers, speed_kmh_max, dwell_ms, hysteresis_m, level,"
    " source_datum, enabled, change_sequence, update_time"
)
_WRITTEN = (
    "name, shape, vehicle_kinds, time_windows, triggers, speed_kmh_max, dwell_ms, hysteresis_m, level,"
    " source_datum, enabled, change_sequence"
)
_MARKS = ", ".join(["%s"] * 12)


class FenceChanges(NamedTuple):
    """Fences added or changed, ids removed, and the sequence number to ask from next."""

    fences: list[Fence]
    deleted_ids: list[int]
    sequence: int


def load_fences(pool: Pool, since_sequence: int = 0) -> FenceChanges:
    """What changed among the fences after `since_sequence` (0 for everything)."""
    rows = read(pool, f"SELECT {_COLUMNS}, deleted FROM fences WHERE change_sequence > %s", since_sequence)
    fences = [_fence(row) for row in rows if not row[-1]]
    deleted = [int(row[0]) for row in rows if row[-1]]
    return FenceChanges(fences, deleted, max((row[12] for row in rows), default=since_sequence))


def get_fence(pool: Pool, fence_id: int) -> Fence:
    """One fence. Raises NotFound."""
    rows = read(pool, f"SELECT {_COLUMNS} FROM fences WHERE fence_id = %s AND NOT deleted", fence_id)
    if not rows:
        raise NotFound("fence", fence_id)
    return _fence(rows[0])


def list_fences(pool: Pool, *, after_id: int, count: int, name_filter: str = "") -> list[Fence]:
    """Up to `count` fences by id, after `after_id`; `name_filter`: part of the name."""
    rows = read(
        pool,
        f"SELECT {_COLUMNS} FROM fences WHERE fence_id > %s AND NOT deleted AND strpos(name, %s) > 0"
        " ORDER BY fence_id LIMIT %s",
        after_id, name_filter, count,
    )  # fmt: skip
    return [_fence(row) for row in rows]


def find_fences(pool: Pool, fence_ids: Sequence[int]) -> list[Fence]:
    """Those of `fence_ids` that are there, by id."""
    rows = read(
        pool,
        f"SELECT {_COLUMNS} FROM fences WHERE fence_id = ANY(%s) AND NOT deleted ORDER BY fence_id",
        list(fence_ids),
    )
    return [_fence(row) for row in rows]


def add_fence(writing: Change, fence: Fence) -> Fence:
    """The fence as stored."""
    row = writing.rows(
        f"INSERT INTO fences ({_WRITTEN}) VALUES ({_MARKS}) RETURNING {_COLUMNS}", *_values(writing, fence)
    )
    stored = _fence(row[0])
    writing.audit("create", "fence", stored.fence_id, after=_noted(stored))
    return stored


def replace_fence(writing: Change, fence: Fence) -> Fence:
    """The fence as stored in place of the one with its id. Raises NotFound, Stale."""
    before = _current(writing, fence.fence_id)
    check_etag("fence", fence.fence_id, given=fence.etag, current=before.etag)
    row = writing.rows(
        f"UPDATE fences SET ({_WRITTEN}) = ROW({_MARKS}), update_time = clock_timestamp()"
        f" WHERE fence_id = %s RETURNING {_COLUMNS}",
        *_values(writing, fence), fence.fence_id,
    )  # fmt: skip
    stored = _fence(row[0])
    writing.audit("update", "fence", fence.fence_id, before=_noted(before), after=_noted(stored))
    return stored


def remove_fence(writing: Change, fence_id: int, *, etag: str) -> None:
    """Mark a fence as removed. Raises NotFound, Stale when `etag` is given and old."""
    before = _current(writing, fence_id)
    if etag:
        check_etag("fence", fence_id, given=etag, current=before.etag)
    writing.rows(
        "UPDATE fences SET deleted = true, change_sequence = %s, update_time = clock_timestamp() WHERE fence_id = %s",
        writing.sequence(), fence_id,
    )  # fmt: skip
    writing.audit("delete", "fence", fence_id, before=_noted(before))


def _current(writing: Change, fence_id: int) -> Fence:
    rows = writing.rows(f"SELECT {_COLUMNS} FROM fences WHERE fence_id = %s AND NOT deleted", fence_id)
    if not rows:
        raise NotFound("fence", fence_id)
    return _fence(rows[0])


def _values(writing: Change, fence: Fence) -> tuple[object, ...]:
    return (
        fence.name,
        Jsonb(shape_to_json(fence.shape)),
        [int(kind) for kind in fence.vehicle_kinds],
        Jsonb(_windows(fence)),
        [int(trigger) for trigger in fence.triggers],
        fence.speed_kmh_max,
        fence.dwell_ms,
        fence.hysteresis_m,
        int(fence.level),
        fence.source_datum,
        fence.enabled,
        writing.sequence(),
    )


def _fence(row: TupleRow) -> Fence:
    return Fence(
        fence_id=row[0],
        name=row[1],
        shape=shape_from_json(row[2]),
        vehicle_kinds=tuple(VehicleKind(kind) for kind in row[3]),
        time_windows=tuple(TimeWindow(tuple(days), start, end) for days, start, end in row[4]),
        triggers=tuple(FenceTrigger(trigger) for trigger in row[5]),
        speed_kmh_max=row[6],
        dwell_ms=row[7],
        hysteresis_m=row[8],
        level=AlarmLevel(row[9]),
        source_datum=row[10],
        enabled=row[11],
        etag=str(row[12]),
        update_time_ms=milliseconds(row[13]),
    )


def _noted(fence: Fence) -> dict[str, Any]:
    return {
        "name": fence.name,
        "shape": shape_to_json(fence.shape),
        "triggers": [int(trigger) for trigger in fence.triggers],
        "vehicle_kinds": [int(kind) for kind in fence.vehicle_kinds],
        "time_windows": _windows(fence),
        "speed_kmh_max": fence.speed_kmh_max,
        "enabled": fence.enabled,
    }


def _windows(fence: Fence) -> list[Any]:
    return [[list(window.weekdays), window.start_minute, window.end_minute] for window in fence.time_windows]
