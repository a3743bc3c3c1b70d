"""ETC of trucks."""

from __future__ import annotations

import pytest

from services.etc_billing.domain.money import Policy
from services.etc_billing.domain.products.etc_truck import ETC_TRUCK
from services.etc_billing.domain.rating import rate, rules_of
from tests.etc_billing.passage_tables import Row, passages, rule, tariff


def test_trucks_and_special_vehicles_with_a_tag_are_meant() -> None:
    rows = (Row(vehicle_type=11), Row(vehicle_type=26), Row(vehicle_type=4), Row(vehicle_type=13, media=2))
    assert ETC_TRUCK.applies(passages(*rows)).tolist() == [True, True, False, False]


@pytest.mark.parametrize(("policy", "charge"), [(None, 21_712), (Policy.R8, 21_712), (Policy.R7, 21_675)])
def test_the_arm_of_whole_yuan_is_for_rules_that_ask_for_it(policy: Policy | None, charge: int) -> None:
    rules = rules_of([rule(2, "etc_truck", percent=85, exit_policy=policy)])
    assert rate(passages(Row(vehicle_type=13)), tariff(25_544), rules).charge_fen.tolist() == [charge]


def test_each_interval_is_rounded_half_up() -> None:
    rules = rules_of([rule(2, "etc_truck", percent=85)])
    found = rate(passages(Row((0, 1, 2), vehicle_type=13)), tariff(10, 30, 1_438), rules)
    assert found.interval_fee_fen.tolist() == [9, 26, 1_222]


def test_types_may_have_percents_of_their_own() -> None:
    trucks = rule(2, "etc_truck", percent=85, vehicle_types=tuple(range(11, 17)))
    special = rule(3, "etc_truck", percent=95, vehicle_types=tuple(range(21, 27)))
    rows = (Row(vehicle_type=13), Row(vehicle_type=21))
    assert rate(passages(*rows), tariff(1_000), rules_of([trucks, special])).charge_fen.tolist() == [850, 950]
