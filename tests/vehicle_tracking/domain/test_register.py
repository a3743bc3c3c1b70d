"""Checks of register rows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.vehicle_tracking.domain.register import (
    Enterprise,
    RegisterRow,
    Terminal,
    enterprise_violations,
    find_kind,
    find_plate_colour,
    find_region_code,
    normal_phone,
    row_violations,
    terminal_violations,
)
from services.vehicle_tracking.domain.vehicles import VehicleKind

GOOD = RegisterRow("湘A12345", 2, 1, "430100", "甲公司", 90, "13900000001", "LSVAA4182E2184847")


@pytest.mark.parametrize(
    ("plate", "colour"),
    [("湘A12345", 1), ("湘U1234挂", 2), ("粤Z1234港", 3), ("湘AD12345", 94), ("湘A12345D", 93), ("湘AS1234", 93)],
)
def test_plates_of_every_make_are_taken(plate: str, colour: int) -> None:
    assert row_violations(replace(GOOD, plate=plate, plate_colour=colour)) == []


@pytest.mark.parametrize(
    "plate", ["", "湘A1234", "湘A1234I", "湘A1O345", "XA12345", "湘112345", "湘A123456", "湘a12345"]
)
def test_what_is_no_plate_is_refused(plate: str) -> None:
    assert [v.field for v in row_violations(replace(GOOD, plate=plate))] == ["plate"]


def test_eight_characters_are_new_energy() -> None:
    assert [v.field for v in row_violations(replace(GOOD, plate="湘AD12345"))] == ["plate_colour"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("plate_colour", 7),
        ("kind", 0),
        ("kind", 9),
        ("region_code", "440100"),
        ("speed_kmh_max", -1),
        ("speed_kmh_max", 201),
        ("phone", "1390000x"),
        ("phone", "1" * 21),
        ("vin", "LSVAA4182E218484O"),
        ("enterprise_name", "公" * 101),
    ],
)
def test_a_wrong_field_is_named_alone(field: str, value: object) -> None:
    assert row_violations(GOOD) == []
    assert [v.field for v in row_violations(replace(GOOD, **{field: value}))] == [field]  # type: ignore[arg-type]


def test_words_of_both_languages_and_numbers_mean_the_same() -> None:
    assert {find_kind(word) for word in ("hazmat", "危货", "4", " HAZMAT ")} == {VehicleKind.HAZMAT}
    assert find_kind("tour_coach") is VehicleKind.TOUR_COACH
    assert {find_plate_colour(word) for word in ("yellow", "黄", "黄色", "2")} == {2}
    assert {find_region_code(word) for word in ("长沙", "长沙市", "changsha", "430100")} == {"430100"}
    assert (find_kind("飞机"), find_plate_colour("粉"), find_region_code("上海")) == (None, None, None)


def test_a_phone_loses_the_zeros_that_pad_it() -> None:
    assert (normal_phone("013900000001"), normal_phone("00000"), normal_phone("10")) == ("13900000001", "", "10")


def test_terminals_and_enterprises_are_checked() -> None:
    assert terminal_violations(Terminal("13900000001", 1)) == []
    assert [v.field for v in terminal_violations(Terminal("", 0, maker="x" * 51))] == ["phone", "vehicle_id", "maker"]
    assert enterprise_violations(Enterprise(0, "甲", "430100", "91430100MA00000000")) == []
    wrong = Enterprise(0, " ", "1", "91")
    assert [v.field for v in enterprise_violations(wrong)] == ["name", "credit_code", "region_code"]
