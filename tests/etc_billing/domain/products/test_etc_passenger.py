"""ETC of passenger vehicles."""

from __future__ import annotations

import pytest

from services.etc_billing.domain.money import Policy
from services.etc_billing.domain.products.etc_passenger import ETC_PASSENGER
from services.etc_billing.domain.rating import rate, rules_of
from tests.etc_billing.passage_tables import Row, passages, rule, tariff


def test_passenger_vehicles_with_a_tag_and_a_discount_are_meant() -> None:
    rows = (Row(vehicle_type=4), Row(vehicle_type=11), Row(media=2), Row(fee_class=2), Row(fee_class=6))
    assert ETC_PASSENGER.applies(passages(*rows)).tolist() == [True, False, False, False, True]


@pytest.mark.parametrize(("policy", "charge"), [(None, 8_810), (Policy.R7, 8_810), (Policy.R8, 8_810)])
def test_the_first_arm_decides(policy: Policy | None, charge: int) -> None:
    found = rate(passages(Row()), tariff(9_274), rules_of([rule(2, "etc_passenger", percent=95, exit_policy=policy)]))
    assert found.charge_fen.tolist() == [charge]


@pytest.mark.parametrize(("policy", "charge"), [(None, 6_080), (Policy.R7, 6_080), (Policy.R8, 6_116)])
def test_the_arm_of_whole_yuan_decides_unless_the_rule_does_without(policy: Policy | None, charge: int) -> None:
    found = rate(passages(Row()), tariff(6_438), rules_of([rule(2, "etc_passenger", percent=95, exit_policy=policy)]))
    assert found.charge_fen.tolist() == [charge]
