"""Classes that travel free, and free holidays."""

from __future__ import annotations

import pytest

from services.etc_billing.domain.products.disaster_relief import DISASTER_RELIEF
from services.etc_billing.domain.products.free_holidays import FREE_HOLIDAYS
from services.etc_billing.domain.products.free_passages import freed
from services.etc_billing.domain.products.green_passage import GREEN_PASSAGE
from services.etc_billing.domain.products.harvesters import HARVESTERS
from services.etc_billing.domain.products.product import Product
from services.etc_billing.domain.rating import rate, rules_of
from tests.etc_billing.passage_tables import USUAL, Row, passages, tariff

TARIFF, RULES = tariff(7_600, 500), rules_of(USUAL)


def charge(row: Row) -> int:
    return int(rate(passages(row), TARIFF, RULES).charge_fen[0])


@pytest.mark.parametrize(("vehicle_class", "product"), [(21, GREEN_PASSAGE), (22, HARVESTERS), (23, DISASTER_RELIEF)])
def test_a_free_class_pays_nothing_and_what_was_payable_is_kept(vehicle_class: int, product: Product) -> None:
    row = Row((0, 1), vehicle_type=13, vehicle_class=vehicle_class)
    found = rate(passages(row), TARIFF, RULES)
    assert product.effect is freed
    assert (found.payable_fen.tolist(), found.charge_fen.tolist()) == ([8_100], [0])
    assert (found.interval_pay_fen.tolist(), found.interval_fee_fen.tolist()) == ([7_600, 500], [0, 0])
    assert product.applies(passages(row, Row(vehicle_class=24), Row())).tolist() == [True, False, False]


@pytest.mark.parametrize(
    ("leave", "free"),
    [("2026-09-30T23:59", False), ("2026-10-01T00:00", True), ("2026-10-07T23:59", True), ("2026-10-08T00:00", False)],
)
def test_the_exit_lane_decides_whether_it_is_a_holiday(leave: str, free: bool) -> None:
    assert (charge(Row(leave=leave)) == 0) is free


@pytest.mark.parametrize(("seats", "free"), [(7, True), (8, False), (9, False), (0, False)])
def test_a_holiday_frees_up_to_7_seats_although_type_1_has_9(seats: int, free: bool) -> None:
    assert (charge(Row(leave="2026-10-03T12:00", seats=seats)) == 0) is free


@pytest.mark.parametrize("media", [1, 2, 9])
def test_a_holiday_frees_whatever_the_medium(media: int) -> None:
    assert charge(Row(leave="2026-10-03T12:00", media=media)) == 0


def test_a_holiday_frees_no_truck() -> None:
    assert FREE_HOLIDAYS.applies(passages(Row(), Row(vehicle_type=11))).tolist() == [True, False]
    assert charge(Row(leave="2026-10-03T12:00", vehicle_type=11, seats=3)) > 0
