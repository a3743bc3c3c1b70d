"""The register in PostgreSQL as the other roles use it: what changed since a sequence number; terminals that log in.

Each `load_…` returns what changed after `since_sequence` (0 for everything) and the number to ask from next time.
"""

# ruff: noqa: S608 – only column lists of this package are spliced into queries; values travel as parameters

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from psycopg.rows import TupleRow

from common.clock import milliseconds
from services.vehicle_tracking.adapters.changes import Change, Pool, change, connected, read
from services.vehicle_tracking.domain.register import Terminal
from services.vehicle_tracking.domain.vehicle_columns import VehicleRows
from services.vehicle_tracking.domain.vehicles import Vehicle, VehicleKind

VEHICLE_COLUMNS = (
    "vehicle_id, plate, plate_colour, kind, coalesce(enterprise_id, 0), region_code, speed_kmh_max, vin,"
    " change_sequence, update_time"
)
TERMINAL_COLUMNS = (
    "phone, vehicle_id, auth_code, protocol_year, terminal_number, maker, model, change_sequence, update_time"
)


# Each column as one run of big-endian numbers: a row takes all aggregates in turn, so their order is the same. The
# second condition is judged once: without statistics, as after an import, millions would else be read for nothing.
_PACKED_VEHICLES = """
SELECT string_agg(int8send(vehicle_id), ''), string_agg(int4send(kind), ''), string_agg(int4send(speed_kmh_max), ''),
    string_agg(int4send(region_code::int), ''), string_agg(int8send(coalesce(enterprise_id, 0)), ''),
    string_agg(boolsend(deleted), ''), max(change_sequence)
FROM vehicles WHERE change_sequence > %s AND (SELECT max(change_sequence) FROM vehicles) > %s
"""


class VehicleChanges(NamedTuple):
    """Vehicles added, changed or removed, and the sequence number to ask from next."""

    rows: VehicleRows
    sequence: int


class TerminalChanges(NamedTuple):
    """Terminals added or changed (with their auth codes), phones removed, and the number to ask from next."""

    terminals: list[Terminal]
    deleted_phones: list[str]
    sequence: int


def load_vehicles(pool: Pool, since_sequence: int = 0) -> VehicleChanges:
    """What changed among the vehicles after `since_sequence`."""
    with connected(pool) as connection, connection.cursor(binary=True) as cursor:
        row = cursor.execute(_PACKED_VEHICLES, (since_sequence, since_sequence)).fetchone()
    assert row is not None, "an aggregate returns a row"
    ids, kinds, limits, regions, enterprises, deleted, sequence = row
    rows = VehicleRows(
        _numbers(ids, ">i8").astype(np.int64),
        _numbers(kinds, ">i4").astype(np.uint8),
        _numbers(limits, ">i4").astype(np.int32),
        _numbers(regions, ">i4").astype(np.int32),
        _numbers(enterprises, ">i8").astype(np.int64),
        _numbers(deleted, "?"),
    )
    return VehicleChanges(rows, since_sequence if sequence is None else int(sequence))


def load_terminals(pool: Pool, since_sequence: int = 0) -> TerminalChanges:
    """What changed among the terminals after `since_sequence`."""
    rows = read(pool, f"SELECT {TERMINAL_COLUMNS}, deleted FROM terminals WHERE change_sequence > %s", since_sequence)
    terminals = [terminal_of(row) for row in rows if not row[-1]]
    deleted = [str(row[0]) for row in rows if row[-1]]
    return TerminalChanges(terminals, deleted, max((row[7] for row in rows), default=since_sequence))


def find_terminal(pool: Pool, phone: str) -> Terminal | None:
    """The terminal of that phone."""
    rows = read(pool, f"SELECT {TERMINAL_COLUMNS} FROM terminals WHERE phone = %s AND NOT deleted", phone)
    return terminal_of(rows[0]) if rows else None


def store_auth_code(pool: Pool, *, phone: str, auth_code: str, protocol_year: int) -> bool:
    """Bind an auth code to a known terminal and note the edition it speaks. False when there is no such terminal."""
    with change(pool, caller="access") as writing:
        found = writing.rows(
            "SELECT auth_code, protocol_year FROM terminals WHERE phone = %s AND NOT deleted FOR UPDATE", phone
        )
        if found and found[0] != (auth_code, protocol_year):
            writing.rows(
                "UPDATE terminals SET auth_code = %s, protocol_year = %s, change_sequence = %s,"
                " update_time = clock_timestamp() WHERE phone = %s",
                auth_code, protocol_year, writing.sequence(), phone,
            )  # fmt: skip
            writing.audit("bind" if auth_code else "log_out", "terminal", phone)  # the code itself is a secret
    return bool(found)


def register_terminal(pool: Pool, terminal: Terminal, *, plate: str, plate_colour: int, region_code: str) -> Terminal:
    """The terminal as stored, after a registration in open mode: its vehicle is taken by plate and colour, or added as
    OTHER; `terminal.vehicle_id` is ignored. Registering again changes what differs."""
    with change(pool, caller="access") as writing:
        vehicle_id = _vehicle_id(writing, plate, plate_colour, region_code)
        row = writing.rows(
            "INSERT INTO terminals (phone, vehicle_id, terminal_number, maker, model, auth_code, protocol_year,"
            " change_sequence) VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (phone) DO UPDATE SET"
            " vehicle_id = excluded.vehicle_id, terminal_number = excluded.terminal_number, maker = excluded.maker,"
            " model = excluded.model, auth_code = excluded.auth_code, protocol_year = excluded.protocol_year,"
            " change_sequence = excluded.change_sequence, deleted = false, update_time = clock_timestamp()"
            f" RETURNING {TERMINAL_COLUMNS}",
            terminal.phone, vehicle_id, terminal.terminal_number, terminal.maker, terminal.model,
            terminal.auth_code, terminal.protocol_year, writing.sequence(),
        )[0]  # fmt: skip
        writing.audit("register", "terminal", terminal.phone, after={"vehicle_id": vehicle_id, "plate": plate})
        return terminal_of(row)


def vehicle_of(row: TupleRow) -> Vehicle:
    """The vehicle in a row of VEHICLE_COLUMNS."""
    vehicle_id, plate, plate_colour, kind, enterprise_id, region_code, speed_kmh_max, vin, sequence, updated = row[:10]
    return Vehicle(
        vehicle_id=vehicle_id,
        plate=plate,
        plate_colour=plate_colour,
        kind=VehicleKind(kind),
        enterprise_id=enterprise_id,
        region_code=region_code,
        speed_kmh_max=speed_kmh_max,
        vin=vin,
        etag=str(sequence),
        update_time_ms=milliseconds(updated),
    )


def terminal_of(row: TupleRow) -> Terminal:
    """The terminal in a row of TERMINAL_COLUMNS."""
    phone, vehicle_id, auth_code, protocol_year, terminal_number, maker, model, sequence, updated = row[:9]
    return Terminal(
        phone=phone,
        vehicle_id=vehicle_id,
        auth_code=auth_code,
        protocol_year=protocol_year,
        terminal_number=terminal_number,
        maker=maker,
        model=model,
        etag=str(sequence),
        update_time_ms=milliseconds(updated),
    )


def _numbers(packed: bytes | None, kind: str) -> NDArray[Any]:
    return np.frombuffer(packed or b"", kind)


def _vehicle_id(writing: Change, plate: str, plate_colour: int, region_code: str) -> int:
    known = writing.rows(
        "SELECT vehicle_id FROM vehicles WHERE plate = %s AND plate_colour = %s AND NOT deleted", plate, plate_colour
    )
    if known:
        return int(known[0][0])
    [(vehicle_id,)] = writing.rows(
        "INSERT INTO vehicles (vehicle_id, plate, plate_colour, kind, region_code, change_sequence)"
        " VALUES (nextval('vehicle_id_sequence'), %s, %s, %s, %s, %s) RETURNING vehicle_id",
        plate, plate_colour, int(VehicleKind.OTHER), region_code, writing.sequence(),
    )  # fmt: skip
    writing.audit("create", "vehicle", vehicle_id, after={"plate": plate, "plate_colour": plate_colour})
    return int(vehicle_id)
