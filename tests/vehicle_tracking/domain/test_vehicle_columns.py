"""Vehicles as columns by partition and row."""

from __future__ import annotations

from dataclasses import replace

from services.vehicle_tracking.domain.vehicle_columns import VehicleColumns, vehicle_rows
from services.vehicle_tracking.domain.vehicles import Vehicle, VehicleKind

BUS, OTHER = int(VehicleKind.BUS), int(VehicleKind.OTHER)


def test_a_vehicle_is_found_in_its_partition_and_row() -> None:
    columns = VehicleColumns(4)
    columns.change(
        [Vehicle(9, "湘A00009", 2, VehicleKind.BUS, speed_kmh_max=50), Vehicle(2, "湘A2", 1, VehicleKind.TAXI)]
    )
    kinds, limits = columns.of(1, 4)
    assert (kinds[:4].tolist(), limits[:4].tolist()) == ([OTHER, OTHER, BUS, OTHER], [0, 0, 50, 0])
    assert columns.of(2, 1)[0][0] == VehicleKind.TAXI


def test_changes_replace_and_removal_forgets() -> None:
    columns = VehicleColumns(1)
    columns.change([Vehicle(1, "湘A1", 2, VehicleKind.BUS, speed_kmh_max=50)])
    columns.change([Vehicle(1, "湘A1", 2, VehicleKind.COACH)])
    assert [int(column[1]) for column in columns.of(0, 2)] == [VehicleKind.COACH, 0]
    columns.change([], [1, 5000])
    assert [int(column[1]) for column in columns.of(0, 2)] == [OTHER, 0]


def test_who_is_in_the_register_is_known_until_the_vehicle_is_removed() -> None:
    columns = VehicleColumns(2)
    columns.change([Vehicle(n, f"湘A{n}", 2, VehicleKind.BUS) for n in (1, 3)])
    assert columns.registered(1, 3)[:3].tolist() == [True, True, False]
    columns.change([], [3])
    assert columns.registered(1, 3)[:3].tolist() == [True, False, False]
    assert not columns.registered(0, 5000).any()


def test_rows_beyond_the_register_are_of_no_kind() -> None:
    kinds, limits = VehicleColumns(8).of(3, 10_000)
    assert len(kinds) >= 10_000 <= len(limits)
    assert (set(kinds.tolist()), set(limits.tolist())) == ({OTHER}, {0})


def test_of_several_rows_of_a_vehicle_the_last_counts() -> None:
    columns, bus = VehicleColumns(1), Vehicle(1, "湘A1", 2, VehicleKind.BUS, region_code="430100")
    columns.take(vehicle_rows([bus, replace(bus, kind=VehicleKind.TAXI)], [2]))
    assert columns.of(0, 3)[0][1:3].tolist() == [VehicleKind.TAXI, OTHER]
