"""Differential pricing and container classes."""

from __future__ import annotations

from typing import Any

import pytest

from services.etc_billing.domain.products.containers import CONTAINERS
from services.etc_billing.domain.products.differential import DIFFERENTIAL
from services.etc_billing.domain.products.reductions import reduced
from services.etc_billing.domain.rating import Charges, rate, rules_of
from tests.etc_billing.passage_tables import SECTIONS, STATIONS, USUAL, Row, passages, rule, tariff

TARIFF = tariff(1_000, 333, 500)  # intervals 0 and 2 in the first section; 2 leads down


def rated(
    row: Row, *, percent: int = 50, product: str = "differential", usual: bool = False, **values: object
) -> Charges:
    rules = rules_of([rule(9, product, percent=percent, **values), *(USUAL if usual else ())])
    return rate(passages(row), TARIFF, rules)


@pytest.mark.parametrize(
    ("values", "fees"),
    [
        ({}, [500, 167, 250]),
        ({"sections": (SECTIONS[0],)}, [500, 333, 250]),
        ({"direction": 2}, [1_000, 333, 250]),
        ({"sections": (SECTIONS[0],), "direction": 1}, [500, 333, 500]),
        ({"day_minutes": ((0, 540),)}, [1_000, 333, 500]),
        ({"day_minutes": ((540, 541),)}, [500, 167, 250]),
        ({"vehicle_types": (11,)}, [1_000, 333, 500]),
        ({"station_pairs": ((STATIONS[0], STATIONS[1]),)}, [500, 167, 250]),
        ({"station_pairs": ((STATIONS[1], STATIONS[0]),)}, [1_000, 333, 500]),
    ],
)
def test_only_intervals_under_the_rule_are_reduced(values: dict[str, Any], fees: list[int]) -> None:
    found = rated(Row((0, 1, 2)), **values)
    assert found.interval_fee_fen.tolist() == fees
    assert found.charge_fen.tolist() == [sum(fees)]


def test_a_passage_without_such_intervals_has_no_line() -> None:
    assert [code for code, _, _ in rated(Row((1,)), sections=(SECTIONS[0],)).trace.lines_of(0)] == [1]


def test_the_etc_discount_is_of_what_the_reduction_left() -> None:
    found = rated(Row((0, 1, 2)), sections=(SECTIONS[0],), usual=True)
    assert found.trace.lines_of(0) == [(1, 0, 1_833), (9, 1_833, 1_083), (2, 1_083, 1_029)]


def test_a_reduction_after_the_exit_takes_off_what_the_intervals_lose() -> None:
    found = rated(Row((0, 1, 2)), order=1, usual=True)
    assert found.interval_fee_fen.tolist() == [475, 158, 238]
    assert found.trace.lines_of(0)[1:] == [(2, 1_833, 1_710), (9, 1_710, 1_710 - (475 + 158 + 237))]


def test_a_reduction_to_nothing_is_never_less_than_nothing() -> None:
    assert rated(Row((1, 1, 1, 1)), percent=0, order=1, usual=True).charge_fen.tolist() == [0]


@pytest.mark.parametrize(("vehicle_class", "charge"), [(24, 670), (28, 670), (0, 1_000), (25, 1_000)])
def test_containers_have_a_percent_of_their_own(vehicle_class: int, charge: int) -> None:
    row = Row(vehicle_type=16, vehicle_class=vehicle_class)
    assert rated(row, percent=67, product="containers").charge_fen.tolist() == [charge]


def test_a_rule_may_be_about_one_of_the_container_classes() -> None:
    row = Row(vehicle_type=16, vehicle_class=28)
    assert rated(row, percent=67, product="containers", vehicle_classes=(24,)).charge_fen.tolist() == [1_000]


def test_both_products_reduce_alike() -> None:
    assert DIFFERENTIAL.effect is CONTAINERS.effect is reduced
