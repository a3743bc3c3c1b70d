"""Rows of the register, one at a time and in pages: vehicles, terminals, enterprises, regions."""

# ruff: noqa: S608 – only column lists of this package are spliced into queries; values travel as parameters

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from psycopg.rows import TupleRow

from common.clock import milliseconds
from common.errors import AlreadyExists, InvalidInput, NotAllowedNow, NotFound, Violation
from services.vehicle_tracking.adapters.changes import Change, Pool, check_etag, read
from services.vehicle_tracking.adapters.registry import TERMINAL_COLUMNS, VEHICLE_COLUMNS, terminal_of, vehicle_of
from services.vehicle_tracking.domain.register import Enterprise, Region, Terminal
from services.vehicle_tracking.domain.vehicles import Vehicle

ENTERPRISE_COLUMNS = "enterprise_id, name, region_code, credit_code, change_sequence, update_time"


def get_vehicle(pool: Pool, vehicle_id: int) -> Vehicle:
    """One vehicle. Raises NotFound."""
    rows = read(pool, f"SELECT {VEHICLE_COLUMNS} FROM vehicles WHERE vehicle_id = %s AND NOT deleted", vehicle_id)
    return vehicle_of(_one(rows, "vehicle", vehicle_id))


def list_vehicles(
    pool: Pool,
    *,
    after_id: int,
    count: int,
    plate_filter: str = "",
    region_codes: Sequence[str] = (),
    enterprise_ids: Sequence[int] = (),
    kinds: Sequence[int] = (),
    vehicle_ids: Sequence[int] | None = None,
) -> list[Vehicle]:
    """Up to `count` vehicles by id, after `after_id`, that match every filter. An empty filter matches all;
    `vehicle_ids` that are given and empty match none."""
    clauses, values = ["NOT deleted", "vehicle_id > %s"], [after_id]  # type: tuple[list[str], list[Any]]
    for column, wanted in (
        ("region_code", region_codes),
        ("enterprise_id", enterprise_ids),
        ("kind", kinds),
    ):
        if wanted:
            clauses.append(f"{column} = ANY(%s)")
            values.append(list(wanted))
    if vehicle_ids is not None:
        clauses.append("vehicle_id = ANY(%s)")
        values.append(list(vehicle_ids))
    if plate_filter:
        clauses.append("strpos(plate, %s) > 0")
        values.append(plate_filter.upper())
    query = f"SELECT {VEHICLE_COLUMNS} FROM vehicles WHERE {' AND '.join(clauses)} ORDER BY vehicle_id LIMIT %s"
    return [vehicle_of(row) for row in read(pool, query, *values, count)]


def add_vehicle(writing: Change, vehicle: Vehicle) -> Vehicle:
    """The vehicle as stored. Raises AlreadyExists, InvalidInput for an unknown enterprise."""
    _check_plate(writing, vehicle)
    _check_enterprise(writing, vehicle.enterprise_id)
    row = writing.rows(
        "INSERT INTO vehicles (vehicle_id, plate, plate_colour, kind, enterprise_id, region_code, speed_kmh_max, vin,"
        " change_sequence) VALUES (nextval('vehicle_id_sequence'), %s, %s, %s, %s, %s, %s, %s, %s)"
        f" RETURNING {VEHICLE_COLUMNS}",
        *_vehicle_values(vehicle), writing.sequence(),
    )[0]  # fmt: skip
    stored = vehicle_of(row)
    writing.audit("create", "vehicle", stored.vehicle_id, after=asdict(stored))
    return stored


def replace_vehicle(writing: Change, vehicle: Vehicle) -> Vehicle:
    """The vehicle as stored. Raises NotFound, Stale, AlreadyExists."""
    before = _current_vehicle(writing, vehicle.vehicle_id)
    check_etag("vehicle", vehicle.vehicle_id, given=vehicle.etag, current=before.etag)
    _check_plate(writing, vehicle)
    _check_enterprise(writing, vehicle.enterprise_id)
    row = writing.rows(
        "UPDATE vehicles SET plate = %s, plate_colour = %s, kind = %s, enterprise_id = %s, region_code = %s,"
        " speed_kmh_max = %s, vin = %s, change_sequence = %s, update_time = clock_timestamp() WHERE vehicle_id = %s"
        f" RETURNING {VEHICLE_COLUMNS}",
        *_vehicle_values(vehicle), writing.sequence(), vehicle.vehicle_id,
    )[0]  # fmt: skip
    stored = vehicle_of(row)
    writing.audit("update", "vehicle", vehicle.vehicle_id, before=asdict(before), after=asdict(stored))
    return stored


def remove_vehicle(writing: Change, vehicle_id: int, *, etag: str) -> None:
    """Mark a vehicle and its terminals as removed. Raises NotFound, Stale when `etag` is given and old."""
    before = _current_vehicle(writing, vehicle_id)
    if etag:
        check_etag("vehicle", vehicle_id, given=etag, current=before.etag)
    number = writing.sequence()
    for table in ("vehicles", "terminals"):
        writing.rows(
            f"UPDATE {table} SET deleted = true, change_sequence = %s, update_time = clock_timestamp()"
            " WHERE vehicle_id = %s AND NOT deleted",
            number, vehicle_id,
        )  # fmt: skip
    writing.audit("delete", "vehicle", vehicle_id, before=asdict(before))


def get_terminal(pool: Pool, phone: str) -> Terminal:
    """One terminal. Raises NotFound."""
    rows = read(pool, f"SELECT {TERMINAL_COLUMNS} FROM terminals WHERE phone = %s AND NOT deleted", phone)
    return terminal_of(_one(rows, "terminal", phone))


def list_terminals(pool: Pool, *, after_phone: str, count: int, vehicle_id: int = 0) -> list[Terminal]:
    """Up to `count` terminals by phone, after `after_phone`; `vehicle_id` 0: of all vehicles."""
    rows = read(
        pool,
        f"SELECT {TERMINAL_COLUMNS} FROM terminals WHERE phone COLLATE \"C\" > %s AND NOT deleted"
        " AND (%s = 0 OR vehicle_id = %s) ORDER BY phone COLLATE \"C\" LIMIT %s",
        after_phone, vehicle_id, vehicle_id, count,
    )  # fmt: skip
    return [terminal_of(row) for row in rows]


def add_terminal(writing: Change, terminal: Terminal) -> Terminal:
    """The terminal as stored. Raises AlreadyExists, NotFound for an unknown vehicle."""
    _current_vehicle(writing, terminal.vehicle_id)
    if writing.rows("SELECT 1 FROM terminals WHERE phone = %s AND NOT deleted", terminal.phone):
        raise AlreadyExists("PHONE_TAKEN", f"phone: {terminal.phone} is on another terminal")
    row = writing.rows(
        "INSERT INTO terminals (phone, vehicle_id, terminal_number, maker, model, change_sequence)"
        " VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (phone) DO UPDATE SET vehicle_id = excluded.vehicle_id,"
        " terminal_number = excluded.terminal_number, maker = excluded.maker, model = excluded.model, auth_code = '',"
        " protocol_year = 0, deleted = false, change_sequence = excluded.change_sequence,"
        f" update_time = clock_timestamp() RETURNING {TERMINAL_COLUMNS}",
        terminal.phone, terminal.vehicle_id, terminal.terminal_number, terminal.maker, terminal.model,
        writing.sequence(),
    )[0]  # fmt: skip
    writing.audit("create", "terminal", terminal.phone, after=_noted(terminal_of(row)))
    return terminal_of(row)


def replace_terminal(writing: Change, terminal: Terminal) -> Terminal:
    """The terminal as stored. Raises NotFound, Stale."""
    before = _current_terminal(writing, terminal.phone)
    check_etag("terminal", terminal.phone, given=terminal.etag, current=before.etag)
    _current_vehicle(writing, terminal.vehicle_id)
    row = writing.rows(
        "UPDATE terminals SET vehicle_id = %s, terminal_number = %s, maker = %s, model = %s, change_sequence = %s,"
        f" update_time = clock_timestamp() WHERE phone = %s RETURNING {TERMINAL_COLUMNS}",
        terminal.vehicle_id, terminal.terminal_number, terminal.maker, terminal.model, writing.sequence(),
        terminal.phone,
    )[0]  # fmt: skip
    writing.audit("update", "terminal", terminal.phone, before=_noted(before), after=_noted(terminal_of(row)))
    return terminal_of(row)


def remove_terminal(writing: Change, phone: str, *, etag: str) -> None:
    """Mark a terminal as removed. Raises NotFound, Stale when `etag` is given and old."""
    before = _current_terminal(writing, phone)
    if etag:
        check_etag("terminal", phone, given=etag, current=before.etag)
    writing.rows(
        "UPDATE terminals SET deleted = true, change_sequence = %s, update_time = clock_timestamp() WHERE phone = %s",
        writing.sequence(), phone,
    )  # fmt: skip
    writing.audit("delete", "terminal", phone, before=_noted(before))


def get_enterprise(pool: Pool, enterprise_id: int) -> Enterprise:
    """One enterprise. Raises NotFound."""
    rows = read(
        pool, f"SELECT {ENTERPRISE_COLUMNS} FROM enterprises WHERE enterprise_id = %s AND NOT deleted", enterprise_id
    )
    return _enterprise(_one(rows, "enterprise", enterprise_id))


def list_enterprises(
    pool: Pool, *, after_id: int, count: int, name_filter: str = "", region_code: str = ""
) -> list[Enterprise]:
    """Up to `count` enterprises by id, after `after_id`; an empty filter matches all."""
    rows = read(
        pool,
        f"SELECT {ENTERPRISE_COLUMNS} FROM enterprises WHERE enterprise_id > %s AND NOT deleted"
        " AND strpos(name, %s) > 0 AND (%s = '' OR region_code = %s) ORDER BY enterprise_id LIMIT %s",
        after_id, name_filter, region_code, region_code, count,
    )  # fmt: skip
    return [_enterprise(row) for row in rows]


def add_enterprise(writing: Change, enterprise: Enterprise) -> Enterprise:
    """The enterprise as stored. Raises AlreadyExists."""
    _check_name(writing, enterprise)
    row = writing.rows(
        "INSERT INTO enterprises (name, credit_code, region_code, change_sequence) VALUES (%s, %s, %s, %s)"
        f" RETURNING {ENTERPRISE_COLUMNS}",
        enterprise.name, enterprise.credit_code, enterprise.region_code, writing.sequence(),
    )[0]  # fmt: skip
    stored = _enterprise(row)
    writing.audit("create", "enterprise", stored.enterprise_id, after=asdict(stored))
    return stored


def replace_enterprise(writing: Change, enterprise: Enterprise) -> Enterprise:
    """The enterprise as stored. Raises NotFound, Stale, AlreadyExists."""
    before = _current_enterprise(writing, enterprise.enterprise_id)
    check_etag("enterprise", enterprise.enterprise_id, given=enterprise.etag, current=before.etag)
    _check_name(writing, enterprise)
    row = writing.rows(
        "UPDATE enterprises SET name = %s, credit_code = %s, region_code = %s, change_sequence = %s,"
        f" update_time = clock_timestamp() WHERE enterprise_id = %s RETURNING {ENTERPRISE_COLUMNS}",
        enterprise.name, enterprise.credit_code, enterprise.region_code, writing.sequence(), enterprise.enterprise_id,
    )[0]  # fmt: skip
    stored = _enterprise(row)
    writing.audit("update", "enterprise", stored.enterprise_id, before=asdict(before), after=asdict(stored))
    return stored


def remove_enterprise(writing: Change, enterprise_id: int, *, etag: str) -> None:
    """Mark an enterprise as removed. Raises NotFound, Stale, NotAllowedNow while vehicles belong to it."""
    before = _current_enterprise(writing, enterprise_id)
    if etag:
        check_etag("enterprise", enterprise_id, given=etag, current=before.etag)
    owned = writing.rows("SELECT count(*) FROM vehicles WHERE enterprise_id = %s AND NOT deleted", enterprise_id)[0][0]
    if owned:
        raise NotAllowedNow("ENTERPRISE_HAS_VEHICLES", f"{owned} vehicles belong to it; move or remove them first")
    writing.rows(
        "UPDATE enterprises SET deleted = true, change_sequence = %s, update_time = clock_timestamp()"
        " WHERE enterprise_id = %s",
        writing.sequence(), enterprise_id,
    )  # fmt: skip
    writing.audit("delete", "enterprise", enterprise_id, before=asdict(before))


def list_regions(pool: Pool, *, after_code: str, count: int) -> list[Region]:
    """Up to `count` regions by code, after `after_code`."""
    rows = read(
        pool,
        "SELECT region_code, name, english_name, plate_prefix FROM regions WHERE region_code > %s"
        " ORDER BY region_code LIMIT %s",
        after_code, count,
    )  # fmt: skip
    return [Region(*row) for row in rows]


def _one(rows: list[TupleRow], kind: str, identity: object) -> TupleRow:
    if not rows:
        raise NotFound(kind, identity)
    return rows[0]


def _current_vehicle(writing: Change, vehicle_id: int) -> Vehicle:
    rows = writing.rows(f"SELECT {VEHICLE_COLUMNS} FROM vehicles WHERE vehicle_id = %s AND NOT deleted", vehicle_id)
    return vehicle_of(_one(rows, "vehicle", vehicle_id))


def _current_terminal(writing: Change, phone: str) -> Terminal:
    rows = writing.rows(f"SELECT {TERMINAL_COLUMNS} FROM terminals WHERE phone = %s AND NOT deleted", phone)
    return terminal_of(_one(rows, "terminal", phone))


def _current_enterprise(writing: Change, enterprise_id: int) -> Enterprise:
    rows = writing.rows(
        f"SELECT {ENTERPRISE_COLUMNS} FROM enterprises WHERE enterprise_id = %s AND NOT deleted", enterprise_id
    )
    return _enterprise(_one(rows, "enterprise", enterprise_id))


def _check_plate(writing: Change, vehicle: Vehicle) -> None:
    taken = writing.rows(
        "SELECT vehicle_id FROM vehicles WHERE plate = %s AND plate_colour = %s AND NOT deleted AND vehicle_id <> %s",
        vehicle.plate, vehicle.plate_colour, vehicle.vehicle_id,
    )  # fmt: skip
    if taken:
        message = f"plate: {vehicle.plate} of this colour is vehicle {taken[0][0]}"
        raise AlreadyExists("PLATE_TAKEN", message)


def _check_name(writing: Change, enterprise: Enterprise) -> None:
    taken = writing.rows(
        "SELECT enterprise_id FROM enterprises WHERE name = %s AND NOT deleted AND enterprise_id <> %s",
        enterprise.name, enterprise.enterprise_id,
    )  # fmt: skip
    if taken:
        raise AlreadyExists("NAME_TAKEN", f"name: {enterprise.name} is enterprise {taken[0][0]}")


def _check_enterprise(writing: Change, enterprise_id: int) -> None:
    if enterprise_id and not writing.rows(
        "SELECT 1 FROM enterprises WHERE enterprise_id = %s AND NOT deleted", enterprise_id
    ):
        raise InvalidInput(Violation("vehicle.enterprise_id", f"there is no enterprise {enterprise_id}"))


def _vehicle_values(vehicle: Vehicle) -> tuple[object, ...]:
    return (
        vehicle.plate,
        vehicle.plate_colour,
        int(vehicle.kind),
        vehicle.enterprise_id or None,
        vehicle.region_code,
        vehicle.speed_kmh_max,
        vehicle.vin,
    )


def _enterprise(row: TupleRow) -> Enterprise:
    enterprise_id, name, region_code, credit_code, sequence, updated = row
    return Enterprise(enterprise_id, name, region_code, credit_code, str(sequence), milliseconds(updated))


def _noted(terminal: Terminal) -> dict[str, Any]:
    plain = asdict(terminal)
    del plain["auth_code"]  # a secret of the terminal
    return plain
