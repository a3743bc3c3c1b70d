"""What every product promises."""

from __future__ import annotations

from dataclasses import fields, replace
from itertools import product as pairs_of

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.etc_billing.domain.passages import Passages
from services.etc_billing.domain.products.product import CONDITIONS, Product, RatingRule
from services.etc_billing.domain.products.products import PRODUCTS
from services.etc_billing.domain.rating import rate, rules_of
from tests.etc_billing.passage_tables import Row, ms, passages, rule, tariff

EVERY = tuple(
    Row((0, 1, 2, 1), vehicle_type=vehicle_type, vehicle_class=vehicle_class, media=media, fee_class=fee_class)
    for vehicle_type, vehicle_class, (media, fee_class) in pairs_of(
        (1, 4, 11, 16, 21), (0, 21, 22, 23, 24, 28), ((1, 1), (1, 2), (2, 3), (9, 6))
    )
)
TARIFF = tariff(465, 530, 25)
every_product = pytest.mark.parametrize("product", PRODUCTS, ids=lambda product: product.name)


def usual(product: Product, **values: object) -> RatingRule:
    percents = {"percent": 67} if "percent" in product.parameters else {}
    return rule(2, product.name, **(percents | values))


def charges(of: Passages, *rules: RatingRule) -> list[int]:
    found: list[int] = rate(of, TARIFF, rules_of(rules)).charge_fen.tolist()
    return found


def test_products_have_names_of_their_own() -> None:
    assert len({product.name for product in PRODUCTS}) == len(PRODUCTS)


@every_product
def test_parameters_are_fields_of_a_rule(product: Product) -> None:
    assert set(product.parameters) <= {field.name for field in fields(RatingRule)}
    assert not set(product.parameters) & set(CONDITIONS)


@every_product
def test_a_product_changes_some_passages_and_not_all_of_them_are_its_own(product: Product) -> None:
    before, after = charges(passages(*EVERY)), charges(passages(*EVERY), usual(product))
    assert before != after
    assert product.name == "differential" or any(one == other for one, other in zip(before, after, strict=True))


@every_product
def test_what_does_not_apply_leaves_no_line(product: Product) -> None:
    found = rate(passages(*EVERY), TARIFF, rules_of([usual(product)]))
    applied = set(found.trace.passage_rows[found.trace.rule_codes == 2].tolist())
    assert applied == set(np.flatnonzero(product.applies(passages(*EVERY))).tolist())


@every_product
def test_a_product_is_off_outside_of_its_time(product: Product) -> None:
    over = usual(product, until_ms=ms("2026-03-02T10:00"))
    begins = usual(product, from_ms=ms("2026-03-02T10:00") + 1)
    assert charges(passages(*EVERY), over) == charges(passages(*EVERY), begins) == charges(passages(*EVERY))


@every_product
@pytest.mark.parametrize("condition", CONDITIONS)
def test_every_product_takes_every_condition(product: Product, condition: str) -> None:
    nobody = replace(usual(product), **{condition: (200,)})  # type: ignore[arg-type] # by name
    assert charges(passages(*EVERY), nobody) == charges(passages(*EVERY))


@every_product
@given(listed=st.lists(st.sampled_from(EVERY), max_size=6), percent=st.integers(0, 100))
def test_amounts_are_never_negative_and_fees_never_rise(product: Product, listed: list[Row], percent: int) -> None:
    found = rate(passages(*listed), TARIFF, rules_of([usual(product, percent=percent)]))
    assert np.all(found.charge_fen >= 0)
    assert np.all((found.interval_fee_fen >= 0) & (found.interval_fee_fen <= found.interval_pay_fen))
