"""Exit records are rated by the names that they carry: intervals and stations get the tariff's numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from services.etc_billing.domain.products.product import RatingRule
from services.etc_billing.domain.rating import rules_of
from services.etc_billing.domain.tariff import VEHICLE_TYPES, Tariff
from services.etc_billing.flows.rated_records import TariffRating
from tests.etc_billing.exit_world import DAY_MS, INTERVALS, STATION, records

RULES = rules_of([RatingRule(2, "etc_passenger", "示例", "ETC", percent=95)])


def rating(*interval_ids: str) -> TariffRating:
    """A tariff of 10 yuan for the first interval, 20 for the second and so on, in force since yesterday."""
    steps = 1000 * np.arange(1, len(interval_ids) + 1, dtype=np.int32)
    tariff = Tariff(
        interval_ids=interval_ids,
        owners=("甲",) * len(interval_ids),
        lengths_m=np.full(len(interval_ids), 1000, np.int32),
        station_ids=(STATION,),
        versions=("1",),
        from_ms=np.array([DAY_MS - 86_400_000]),
        prices_fen=np.tile(steps[None, :, None], (1, 1, len(VEHICLE_TYPES))),
    )
    return TariffRating(tariff, RULES)


def test_an_interval_costs_what_its_name_costs_wherever_it_stands_in_the_tariff() -> None:
    some = records({"intervals": (0,)}, {"intervals": (0, 2)})
    for names in (INTERVALS, INTERVALS[::-1]):
        found = rating(*names)(some)
        first = 1000 * (names.index(INTERVALS[0]) + 1)
        both = first + 1000 * (names.index(INTERVALS[2]) + 1)
        assert found.payables_fen.tolist() == [first, both]
        assert found.charges_fen.tolist() == [first * 95 // 100, both * 95 // 100]
        assert found.reasons.tolist() == ["", ""]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"intervals": (2,)}, "UNKNOWN_INTERVAL"),
        ({"intervals": ()}, "NO_INTERVALS"),
        ({"exit_times_ms": DAY_MS - 2 * 86_400_000}, "NO_TARIFF_IN_FORCE"),
    ],
)
def test_what_cannot_be_rated_has_its_reason(row: dict[str, Any], reason: str) -> None:
    assert rating(*INTERVALS[:2])(records({}, row)).reasons.tolist() == ["", reason]


def test_a_tariff_of_nothing_knows_no_interval() -> None:
    assert rating()(records({})).reasons.tolist() == ["UNKNOWN_INTERVAL"]
