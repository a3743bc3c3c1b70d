"""Which passages have the ETC price, and what a percent off the whole passage does."""

from __future__ import annotations

import numpy as np
import pytest

from services.etc_billing.domain.money import Policy
from services.etc_billing.domain.products.discounts import discounted, paid_by_etc
from services.etc_billing.domain.products.product import Amounts
from tests.etc_billing.passage_tables import Row, passages, rule


@pytest.mark.parametrize(
    ("media", "fee_class", "has"),
    [(1, 1, True), (1, 2, False), (1, 4, True), (1, 6, True), (1, 11, True), (2, 3, False), (9, 6, False)],
)
def test_a_tag_has_the_etc_price_unless_the_amount_before_discount_is_charged(
    media: int, fee_class: int, has: bool
) -> None:
    assert paid_by_etc(passages(Row(media=media, fee_class=fee_class))).tolist() == [has]


@pytest.mark.parametrize(("named", "charge"), [(None, 6_116), (Policy.R7, 6_080)])
def test_the_rule_names_how_the_exit_is_rounded_or_the_product_does(named: Policy | None, charge: int) -> None:
    before = Amounts(np.array([30, 6_408]), np.array([6_438]))
    asked = rule(2, "etc_truck", percent=95, exit_policy=named)
    after = discounted(before, asked, interval_policy=Policy.R5, exit_policy=Policy.R8).amounts
    assert (after.interval_fees_fen.tolist(), after.charges_fen.tolist()) == ([29, 6_088], [charge])
