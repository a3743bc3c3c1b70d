"""Messages of the register and back."""

from __future__ import annotations

from dataclasses import replace

from xiangtong.tracking.v1 import registry_service_pb2 as pb

from services.vehicle_tracking.convert import registry as convert
from services.vehicle_tracking.domain.register import Enterprise, RegisterRow, Terminal
from services.vehicle_tracking.domain.vehicles import Vehicle, VehicleKind


def test_every_attribute_survives_the_wire() -> None:
    vehicle = Vehicle(1, "湘A12345", 2, VehicleKind.BUS, 3, "430100", 60, "LSVAA4182E2184847", "e", 1500)
    assert convert.vehicle_from(convert.vehicle_message(vehicle)) == replace(vehicle, update_time_ms=0)
    assert convert.instant_ms(convert.vehicle_message(vehicle).update_time) == 1500
    terminal = Terminal("13900000001", 1, "", 2019, "n", "m", "o", "e")
    assert convert.terminal_from(convert.terminal_message(terminal)) == replace(terminal, protocol_year=0)
    enterprise = Enterprise(1, "甲", "430100", "c", "e")
    assert convert.enterprise_from(convert.enterprise_message(enterprise)) == enterprise
    row = RegisterRow("湘A12345", 2, 1, "430100", "甲", 60, "13900000001", "v")
    assert convert.row_from(convert.row_message(row)) == row


def test_an_auth_code_stays_here() -> None:
    assert b"secret" not in convert.terminal_message(Terminal("1", 1, "secret")).SerializeToString()


def test_an_unknown_kind_is_left_for_the_check_to_find() -> None:
    assert convert.vehicle_from(pb.Vehicle(kind=77)).kind == 77  # type: ignore[arg-type]
