"""Who may report, by the register in PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from common.infra.migrations import migrate
from common.infra.postgres import open_pool
from services.vehicle_tracking.adapters import registry
from services.vehicle_tracking.adapters.access_registrar import Applicant, StoredRegistrar, applicant, violations
from services.vehicle_tracking.adapters.changes import Pool
from services.vehicle_tracking.adapters.fence_changes import Register
from services.vehicle_tracking.domain.register import Terminal
from services.vehicle_tracking.terminals.jt808.logins import Registration

pytestmark = [pytest.mark.enable_socket, pytest.mark.services("postgres")]


def said(plate: str = "湘A12345", region_code: str = "430200", colour: int = 2) -> Registration:
    return Registration(2013, region_code, "MAKER", "MODEL", "1234567", colour, plate, "")


def form(phone: int, plate: str = "湘A12345") -> Applicant:
    return applicant(phone, said(plate))


def test_a_registration_becomes_an_applicant_of_our_province() -> None:
    one = applicant(13900000001, said(region_code="110000"))
    assert one.region_code == "430000"
    assert one.terminal.phone == "13900000001" and one.terminal.protocol_year == 2013
    assert applicant(13900000001, said()).region_code == "430200"


def test_text_that_postgres_cannot_keep_is_made_plain() -> None:
    assert applicant(1, said()._replace(maker="A\0B")).terminal.maker == "A B"


@pytest.mark.parametrize("one", [applicant(0, said()), applicant(1, said("XYZ")), applicant(1, said(colour=0))])
def test_an_applicant_without_phone_or_plate_is_not_added(one: Applicant) -> None:
    assert violations(one)


@pytest.fixture(scope="module")
def pool(postgres_url: str) -> Iterator[Pool]:
    import services.vehicle_tracking as service

    migrate(postgres_url, Path(service.__file__).parent / "migrations")
    pool = open_pool(postgres_url)
    yield pool
    pool.close()


def registrar(pool: Pool, *, registry_open: bool) -> StoredRegistrar:
    register = Register(pool)
    register.look()
    return StoredRegistrar(pool, register, registry_open=registry_open)


async def test_an_open_registry_adds_terminal_and_vehicle_and_keeps_the_code(pool: Pool) -> None:
    one = registrar(pool, registry_open=True)
    terminal, result = await one.registered(form(13900000010))
    assert result == 0 and terminal is not None and terminal.auth_code
    again, _ = await one.registered(form(13900000010))
    assert again is not None and again.auth_code == terminal.auth_code
    assert one.known("13900000010", terminal.auth_code) is not None
    stored = registry.find_terminal(pool, "13900000010")
    assert stored is not None and stored.vehicle_id == terminal.vehicle_id and stored.auth_code == terminal.auth_code
    one.close()


async def test_two_terminals_on_one_plate_are_on_one_vehicle(pool: Pool) -> None:
    one = registrar(pool, registry_open=True)
    (first, _), (second, _) = await one.registered(form(11, "湘A00011")), await one.registered(form(12, "湘A00011"))
    assert first is not None and second is not None and first.vehicle_id == second.vehicle_id
    assert first.auth_code != second.auth_code
    one.close()


async def test_an_open_registry_refuses_a_plate_that_is_none(pool: Pool) -> None:
    one = registrar(pool, registry_open=True)
    assert await one.registered(form(13900000013, "XYZ")) == (None, 2)
    one.close()


async def test_a_closed_registry_gives_codes_to_known_terminals_only(pool: Pool) -> None:
    one = registrar(pool, registry_open=False)
    assert await one.registered(form(13900000014)) == (None, 4)
    known, _ = await registrar(pool, registry_open=True).registered(form(13900000015, "湘A00015"))
    assert known is not None
    registry.store_auth_code(pool, phone=known.phone, auth_code="", protocol_year=0)
    terminal, result = await one.registered(form(13900000015, "湘A99999"))
    assert result == 0 and terminal is not None
    assert terminal.auth_code and terminal.vehicle_id == known.vehicle_id and terminal.protocol_year == 2013
    one.close()


async def test_a_code_that_another_process_bound_is_found(pool: Pool) -> None:
    here, there = registrar(pool, registry_open=True), registrar(pool, registry_open=True)
    terminal, _ = await there.registered(form(13900000016, "湘A00016"))
    assert terminal is not None
    assert here.known(terminal.phone, terminal.auth_code) is None
    assert await here.admitted(terminal.phone, "wrong") is None
    found = await here.admitted(terminal.phone, terminal.auth_code)
    assert found is not None and found.vehicle_id == terminal.vehicle_id
    assert await here.admitted("13900009999", terminal.auth_code) is None
    here.close()
    there.close()


async def test_after_a_log_out_the_code_is_worth_nothing(pool: Pool) -> None:
    one = registrar(pool, registry_open=True)
    terminal, _ = await one.registered(form(13900000017, "湘A00017"))
    assert terminal is not None
    await one.log_out(terminal.phone)
    assert one.known(terminal.phone, terminal.auth_code) is None
    assert await one.admitted(terminal.phone, terminal.auth_code) is None
    assert await one.admitted(terminal.phone, "") is None
    one.close()


def test_a_terminal_without_a_code_has_no_code(pool: Pool) -> None:
    register = Register(pool)
    register.note(Terminal("1", 1))
    assert StoredRegistrar(pool, register, registry_open=False).known("1", "") is None
