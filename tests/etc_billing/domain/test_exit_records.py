"""What is wrong with an exit record is told by one reason, and a record as bytes says all that was sent."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from services.etc_billing.domain.exit_records import REASONS, bodies, business_days, difference, record_of, refusals
from tests.etc_billing.exit_world import DAY_MS, INTERVALS, records

BAD: list[tuple[str, dict[str, Any]]] = [
    ("EXIT_ID_MALFORMED", {"exit_ids": "G0004"}),
    ("EXIT_ID_MALFORMED", {"exit_ids": "G00044300100010001010" + "20261325100000" + "01"}),
    ("EXIT_ID_MALFORMED", {"exit_ids": "G0004430010001000101; DROP TABLE passages"[:37]}),
    ("PASS_ID_MALFORMED", {"pass_ids": "01"}),
    ("CARD_ID_MALFORMED", {"card_ids": "4301"}),
    ("CARD_ID_MALFORMED", {"card_ids": "4301" + "X" * 16}),
    ("ISSUER_ID_MALFORMED", {"issuer_ids": "43"}),
    ("STATION_ID_MALFORMED", {"entry_station_ids": "G0004"}),
    ("PLATE_MALFORMED", {"plates": ""}),
    ("PLATE_MALFORMED", {"plates": "湘" * 9}),
    ("TIME_OUT_OF_RANGE", {"entry_times_ms": DAY_MS + 11 * 3_600_000}),
    ("TIME_OUT_OF_RANGE", {"entry_times_ms": 1}),
    ("VEHICLE_TYPE_UNKNOWN", {"vehicle_types": 5}),
    ("FEE_CLASS_UNKNOWN", {"fee_classes": 7}),
    ("FEE_OUT_OF_RANGE", {"fees_fen": -2}),
    ("FEE_OUT_OF_RANGE", {"fees_fen": 10**12}),
    ("TOO_MANY_INTERVALS", {"intervals": (0,) * 513}),
    ("NUMBER_OUT_OF_RANGE", {"axle_counts": 256}),
    ("PAYER_UNKNOWN", {"issuer_ids": ""}),
]


@pytest.mark.parametrize(("reason", "row"), BAD)
def test_a_bad_record_has_one_reason_and_its_neighbours_none(reason: str, row: dict[str, Any]) -> None:
    assert [REASONS[n] for n in refusals(records({}, row, {})).tolist()] == ["", reason, ""]


def test_every_reason_is_met() -> None:
    assert {reason for reason, _ in BAD} == set(REASONS) - {""}


def test_bytes_of_a_record_say_what_was_sent() -> None:
    [_, body] = bodies(records({}, {"plates": "湘B12345", "intervals": (2, 0)}))
    record, intervals = record_of(body)
    assert record["plate"].decode() == "湘B12345"
    assert [name.decode() for name in intervals["interval_id"].tolist()] == [INTERVALS[2], INTERVALS[0]]


@pytest.mark.parametrize(
    ("row", "field"),
    [({"seat_counts": 7}, "seat_count"), ({"plates": "湘B1"}, "plate"), ({"intervals": (1,)}, "intervals"), ({}, "")],
)
def test_the_first_field_that_differs_is_named(row: dict[str, Any], field: str) -> None:
    assert difference(bodies(records({}))[0], bodies(records(row))[0]) == field


def test_a_business_day_begins_at_midnight_in_shanghai() -> None:
    times = np.array([DAY_MS - 1, DAY_MS])
    assert np.diff(business_days(times)).tolist() == [1]
