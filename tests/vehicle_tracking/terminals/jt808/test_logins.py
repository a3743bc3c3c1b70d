"""Registrations and authentications of all editions, and bodies that cannot be read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.vehicle_tracking.terminals.jt808.logins import Authentication, Registration, authentication, registration
from simulation import frames
from simulation.frames import Identity


@pytest.mark.parametrize("edition", [2011, 2013, 2019])
def test_a_registration_is_read_in_every_edition(edition: int) -> None:
    body = frames.register_body(Identity("13900001111", "湘A12345", 2, edition, "433100"))
    expected = Registration(edition, "433100", "XTSIM", "SIM-1", "0001111", 2, "湘A12345", "")
    assert registration(body, is_2019=edition == 2019) == expected


def test_padding_on_either_side_and_of_either_kind_goes() -> None:
    body = (
        b"\0\x2b\0\1" + b"  MK " + b"\0\0MODEL" + b" " * 13 + b"\0\0\0\0ID1" + b"\1" + "京A00001".encode("gbk") + b"\0"
    )
    said = registration(body, is_2019=False)
    assert said is not None
    assert (said.maker, said.model, said.terminal_number, said.plate) == ("MK", "MODEL", "ID1", "京A00001")


def test_junk_behind_a_nul_is_no_text() -> None:
    body = (
        bytes(4)
        + b"MKR\0\xff"
        + b"M\0D".ljust(20, b"\0")
        + b"ID\0\xfe\xff\0\0"
        + b"\1"
        + "京A00001".encode("gbk")
        + b"\0\xff"
    )
    said = registration(body, is_2019=False)
    assert said is not None
    assert (said.maker, said.model, said.terminal_number, said.plate) == ("MKR", "M", "ID", "京A00001")


def test_without_a_plate_the_text_is_the_vin() -> None:
    body = frames.register_body(Identity("13900001111", "LSVAU2180N2183294", 0))
    said = registration(body, is_2019=False)
    assert said is not None
    assert (said.plate, said.vin) == ("", "LSVAU2180N2183294")


@pytest.mark.parametrize(
    ("province", "city", "code"), [(43, 100, "430100"), (0, 0, ""), (100, 1, ""), (43, 10_000, "")]
)
def test_a_region_that_is_no_code_is_left_to_the_platform(province: int, city: int, code: str) -> None:
    body = province.to_bytes(2, "big") + city.to_bytes(2, "big") + bytes(32) + b"\1" + b"A"
    said = registration(body, is_2019=False)
    assert said is not None
    assert said.region_code == code


@pytest.mark.parametrize(("body", "is_2019"), [(b"", False), (bytes(24), False), (bytes(75), True)])
def test_a_registration_that_is_too_short_is_none(body: bytes, is_2019: bool) -> None:
    assert registration(body, is_2019=is_2019) is None


def test_text_that_is_not_gbk_is_none() -> None:
    assert registration(bytes(36) + b"\1\xff\xff", is_2019=False) is None
    assert authentication(b"\xff\xff", is_2019=False) is None


@pytest.mark.parametrize("code", [b"CODE", b"CODE\0"])
def test_before_2019_the_whole_body_is_the_code(code: bytes) -> None:
    assert authentication(code, is_2019=False) == Authentication("CODE")


def test_in_2019_the_code_comes_with_imei_and_version() -> None:
    body = b"\4CODE" + b"860000000000001" + b"V1.2.3".ljust(20, b"\0")
    assert authentication(body, is_2019=True) == Authentication("CODE", "860000000000001", "V1.2.3")


@pytest.mark.parametrize("body", [b"", b"\5CODE"])
def test_a_2019_authentication_without_its_code_is_none(body: bytes) -> None:
    assert authentication(body, is_2019=True) is None


def test_terminals_of_2019_that_leave_imei_and_version_out_are_let_in() -> None:
    assert authentication(b"\4CODE", is_2019=True) == Authentication("CODE")


@given(st.binary(max_size=200), st.booleans())
def test_no_body_is_a_crash(body: bytes, is_2019: bool) -> None:
    said, shown = registration(body, is_2019=is_2019), authentication(body, is_2019=is_2019)
    assert said is None or said.edition in (2011, 2013, 2019)
    assert shown is None or len(shown.code) <= len(body)
