"""The register in PostgreSQL as other roles read it."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from services.vehicle_tracking.adapters import register_rows
from services.vehicle_tracking.adapters.changes import Pool, change, read
from services.vehicle_tracking.adapters.registry import (
    find_terminal,
    load_terminals,
    load_vehicles,
    register_terminal,
    store_auth_code,
)
from services.vehicle_tracking.domain.register import Enterprise, Terminal
from services.vehicle_tracking.domain.vehicles import Vehicle, VehicleKind
from tests.vehicle_tracking.server.api_serving import migrated_pool

pytestmark = [pytest.mark.enable_socket, pytest.mark.services("postgres")]


@pytest.fixture
def pool(postgres_url: str) -> Iterator[Pool]:
    with migrated_pool(postgres_url) as opened:
        yield opened


def add(pool: Pool, plate: str) -> Vehicle:
    with change(pool, "test") as writing:
        return register_rows.add_vehicle(writing, Vehicle(0, plate, 2, VehicleKind.TAXI, region_code="430100"))


def test_a_reader_skips_no_change_while_two_writers_race(pool: Pool) -> None:
    first_holds, go_on = threading.Event(), threading.Event()

    def slow_writer() -> None:
        with change(pool, "slow") as writing:
            vehicle = Vehicle(0, "湘A60001", 2, VehicleKind.TAXI, region_code="430100")
            register_rows.add_vehicle(writing, vehicle)  # has its number, is not committed
            first_holds.set()
            go_on.wait(10)

    slow = threading.Thread(target=slow_writer)
    fast = threading.Thread(target=add, args=(pool, "湘A60002"))
    before = load_vehicles(pool)
    slow.start()
    first_holds.wait(10)
    fast.start()
    fast.join(0.3)
    seen = load_vehicles(pool, before.sequence)
    go_on.set()
    slow.join(10)
    fast.join(10)
    rest = load_vehicles(pool, seen.sequence)
    assert len(seen.rows) + len(rest.rows) == 2


def test_nothing_changed_gives_nothing_and_the_same_number(pool: Pool) -> None:
    add(pool, "湘A60003")
    sequence = load_vehicles(pool, 0).sequence
    rest = load_vehicles(pool, sequence)
    assert (len(rest.rows), rest.sequence) == (0, sequence)


def test_every_column_of_a_vehicle_is_loaded_and_its_removal(pool: Pool) -> None:
    before = load_vehicles(pool)
    with change(pool, "test") as writing:
        bus = Vehicle(0, "湘A61004", 2, VehicleKind.BUS, region_code="430200", speed_kmh_max=70)
        bus = register_rows.add_vehicle(writing, bus)
        enterprise_id = register_rows.add_enterprise(writing, Enterprise(0, "公交", "430200")).enterprise_id
        taxi = Vehicle(0, "湘A61005", 2, VehicleKind.TAXI, enterprise_id=enterprise_id, region_code="430100")
        taxi = register_rows.add_vehicle(writing, taxi)
        register_rows.remove_vehicle(writing, bus.vehicle_id, etag="")
    rows = load_vehicles(pool, before.sequence).rows
    found = zip(rows.vehicle_ids, rows.kinds, rows.speeds_kmh_max, rows.region_codes, rows.enterprise_ids, strict=True)
    assert dict(zip([tuple(map(int, row)) for row in found], rows.deleted.tolist(), strict=True)) == {
        (bus.vehicle_id, VehicleKind.BUS, 70, 430200, 0): True,
        (taxi.vehicle_id, VehicleKind.TAXI, 0, 430100, enterprise_id): False,
    }


def test_vehicle_ids_are_dense_even_after_refused_writes(pool: Pool) -> None:
    first = add(pool, "湘A60004").vehicle_id
    with pytest.raises(Exception, match="湘A60004"):
        add(pool, "湘A60004")
    assert add(pool, "湘A60005").vehicle_id == first + 1


def test_a_terminal_registers_itself_with_its_vehicle_in_open_mode(pool: Pool) -> None:
    since = load_terminals(pool, 0).sequence
    asked = Terminal("13900000011", 0, auth_code="secret", protocol_year=2019)
    stored = register_terminal(pool, asked, plate="湘A60006", plate_colour=2, region_code="430100")
    again = register_terminal(pool, asked, plate="湘A60006", plate_colour=2, region_code="430100")
    assert again.vehicle_id == stored.vehicle_id
    assert [(t.phone, t.auth_code) for t in load_terminals(pool, since).terminals] == [("13900000011", "secret")]


def test_an_auth_code_is_bound_and_told_once(pool: Pool) -> None:
    register_terminal(pool, Terminal("13900000012", 0), plate="湘A60007", plate_colour=2, region_code="430100")
    assert store_auth_code(pool, phone="13900000012", auth_code="code", protocol_year=2013)
    since = load_terminals(pool, 0).sequence
    assert store_auth_code(pool, phone="13900000012", auth_code="code", protocol_year=2013)
    assert load_terminals(pool, since).sequence == since
    found = find_terminal(pool, "13900000012")
    assert found is not None
    assert (found.auth_code, found.protocol_year) == ("code", 2013)
    assert not store_auth_code(pool, phone="13900000099", auth_code="code", protocol_year=2013)


def test_what_access_adds_and_binds_is_in_the_audit_log_without_codes(pool: Pool) -> None:
    terminal = register_terminal(
        pool, Terminal("13900000021", 0, auth_code="secret-1"), plate="湘A60021", plate_colour=2, region_code="430100"
    )
    store_auth_code(pool, phone=terminal.phone, auth_code="secret-2", protocol_year=2013)
    store_auth_code(pool, phone=terminal.phone, auth_code="", protocol_year=2013)
    rows = read(
        pool,
        "SELECT action, subject, before::text, after::text FROM audit_log WHERE caller = 'access'"
        " AND subject_id IN (%s, %s) ORDER BY audit_id",
        terminal.phone, str(terminal.vehicle_id),
    )  # fmt: skip
    assert [row[:2] for row in rows] == [
        ("create", "vehicle"),
        ("register", "terminal"),
        ("bind", "terminal"),
        ("log_out", "terminal"),
    ]
    assert not any("secret" in str(row) for row in rows)
