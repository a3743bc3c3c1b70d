"""Many register rows in one write, set by set rather than row by row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from common.errors import Violation
from services.vehicle_tracking.adapters.changes import Change
from services.vehicle_tracking.domain.register import RegisterRow, row_violations

_Plate = tuple[str, int]


class RowOutcome(IntEnum):
    """What became of a row; the numbers are those of registry_service.proto."""

    CREATED = 1
    UPDATED = 2
    UNCHANGED = 3
    REJECTED = 4


@dataclass(frozen=True, slots=True)
class RowResult:
    """What became of one row; `violation` when it was rejected."""

    outcome: RowOutcome
    vehicle_id: int = 0
    violation: Violation | None = None


def import_rows(writing: Change, rows: Sequence[RegisterRow]) -> list[RowResult]:
    """One result per row, in order. What is right is written whatever becomes of the rest."""
    violations = _violations(writing, rows)
    good = [row for row, violation in zip(rows, violations, strict=True) if violation is None]
    enterprises = _enterprises(writing, good)
    stored = _stored(writing, good)
    outcomes = _written(writing, good, enterprises, stored)
    _bind_terminals(writing, [(row.phone, outcomes[_plate(row)].vehicle_id) for row in good if row.phone], outcomes)
    return [
        RowResult(RowOutcome.REJECTED, violation=violation) if violation else outcomes[_plate(row)]
        for row, violation in zip(rows, violations, strict=True)
    ]


def _violations(writing: Change, rows: Sequence[RegisterRow]) -> list[Violation | None]:
    plates: set[_Plate] = set()
    phones: set[str] = set()
    taken = _phone_owners(writing, [row.phone for row in rows if row.phone])
    found: list[Violation | None] = []
    for row in rows:  # a row is judged by the rows before it, so not as a set
        wrong = next(iter(row_violations(row)), None)
        if wrong is None and _plate(row) in plates:
            wrong = Violation("plate", "is in an earlier row too; keep one of them")
        if wrong is None and row.phone and (row.phone in phones or taken.get(row.phone, _plate(row)) != _plate(row)):
            wrong = Violation("phone", "is on another vehicle; remove it there first")
        if wrong is None:
            plates.add(_plate(row))
            phones.add(row.phone)
        found.append(wrong)
    return found


def _phone_owners(writing: Change, phones: list[str]) -> dict[str, _Plate]:
    rows = writing.rows(
        "SELECT t.phone, v.plate, v.plate_colour FROM terminals t JOIN vehicles v USING (vehicle_id)"
        " WHERE t.phone = ANY(%s) AND NOT t.deleted",
        phones,
    )
    return {phone: (plate, colour) for phone, plate, colour in rows}


def _enterprises(writing: Change, rows: Sequence[RegisterRow]) -> dict[str, int | None]:
    """Ids by name; those that are missing are added, in the region of the first row that names them."""
    regions: dict[str, str] = {}
    for row in rows:
        regions.setdefault(row.enterprise_name, row.region_code)
    regions.pop("", None)
    query = "SELECT name, enterprise_id FROM enterprises WHERE name = ANY(%s) AND NOT deleted"
    known: dict[str, int | None] = dict(writing.rows(query, list(regions)))
    missing = [name for name in regions if name not in known]
    writing.many(
        "INSERT INTO enterprises (name, region_code, change_sequence) VALUES (%s, %s, nextval('change_sequence'))",
        [(name, regions[name]) for name in missing],
    )
    added: dict[str, int | None] = dict(writing.rows(query, missing))
    writing.audit_many([("create", "enterprise", added[name], None, {"name": name}) for name in missing])
    return known | added | {"": None}


def _stored(writing: Change, rows: Sequence[RegisterRow]) -> dict[_Plate, tuple[Any, ...]]:
    found = writing.rows(
        "SELECT plate, plate_colour, vehicle_id, kind, enterprise_id, region_code, speed_kmh_max, vin FROM vehicles"
        " WHERE plate = ANY(%s) AND NOT deleted",
        [row.plate for row in rows],
    )
    return {(row[0], row[1]): row[2:] for row in found}


def _written(
    writing: Change,
    rows: Sequence[RegisterRow],
    enterprises: dict[str, int | None],
    stored: dict[_Plate, tuple[Any, ...]],
) -> dict[_Plate, RowResult]:
    outcomes: dict[_Plate, RowResult] = {}
    added: list[tuple[object, ...]] = []
    changed: list[tuple[object, ...]] = []
    notes: list[tuple[str, str, object, Any, Any]] = []
    fresh = [row for row in rows if _plate(row) not in stored]
    ids = iter(_new_ids(writing, len(fresh)))
    for row in rows:
        values = (row.kind, enterprises[row.enterprise_name], row.region_code, row.speed_kmh_max, row.vin)
        before = stored.get(_plate(row))
        vehicle_id = next(ids) if before is None else before[0]
        outcome = RowOutcome.UNCHANGED
        if before is None:
            added.append((vehicle_id, row.plate, row.plate_colour, *values))
            outcome = RowOutcome.CREATED
        elif before[1:] != values:
            changed.append((*values, vehicle_id))
            outcome = RowOutcome.UPDATED
        outcomes[_plate(row)] = RowResult(outcome, vehicle_id)
        if outcome is not RowOutcome.UNCHANGED:
            notes.append(("import", "vehicle", vehicle_id, before and list(before[1:]), [row.plate, *values]))
    writing.many(
        "INSERT INTO vehicles (vehicle_id, plate, plate_colour, kind, enterprise_id, region_code, speed_kmh_max, vin,"
        " change_sequence) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, nextval('change_sequence'))",
        added,
    )
    writing.many(
        "UPDATE vehicles SET kind = %s, enterprise_id = %s, region_code = %s, speed_kmh_max = %s, vin = %s,"
        " change_sequence = nextval('change_sequence'), update_time = clock_timestamp() WHERE vehicle_id = %s",
        changed,
    )
    writing.audit_many(notes)
    return outcomes


def _new_ids(writing: Change, count: int) -> list[int]:
    rows = writing.rows("SELECT nextval('vehicle_id_sequence') FROM generate_series(1, %s)", count)
    return [int(row[0]) for row in rows]


def _bind_terminals(writing: Change, terminals: list[tuple[str, int]], outcomes: dict[_Plate, RowResult]) -> None:
    phones = [phone for phone, _ in terminals]
    known = {
        row[0] for row in writing.rows("SELECT phone FROM terminals WHERE phone = ANY(%s) AND NOT deleted", phones)
    }
    added = [(phone, vehicle_id) for phone, vehicle_id in terminals if phone not in known]
    writing.many(
        "INSERT INTO terminals (phone, vehicle_id, change_sequence) VALUES (%s, %s, nextval('change_sequence'))"
        " ON CONFLICT (phone) DO UPDATE SET vehicle_id = excluded.vehicle_id, auth_code = '', protocol_year = 0,"
        " deleted = false, change_sequence = excluded.change_sequence, update_time = clock_timestamp()",
        [*added],
    )
    writing.audit_many([("import", "terminal", phone, None, {"vehicle_id": key}) for phone, key in added])
    with_terminal = {vehicle_id for _, vehicle_id in added}
    for plate, result in outcomes.items():
        if result.outcome is RowOutcome.UNCHANGED and result.vehicle_id in with_terminal:
            outcomes[plate] = RowResult(RowOutcome.UPDATED, result.vehicle_id)


def _plate(row: RegisterRow) -> _Plate:
    return row.plate, row.plate_colour
