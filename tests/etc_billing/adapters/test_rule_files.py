"""rules.json, field by field."""

from __future__ import annotations

import json
from typing import Any

import pytest

from common.errors import InvalidInput
from services.etc_billing.adapters.rule_files import rules_in
from services.etc_billing.domain.money import Policy
from services.etc_billing.domain.products.products import PRODUCTS
from tests.etc_billing.passage_tables import SECTIONS, STATIONS, ms

NAMES = {"name_zh": "示例", "name_en": "example"}
NEEDED = {"percent": 90, "seat_count_max": 7, "free_dates": [["2026-10-01", "2026-10-07"]]}


def rule(product: Any, **fields: Any) -> dict[str, Any]:
    return {"code": 2, "product": product, **NAMES, **fields}


def read(*rules: Any) -> tuple[Any, list[str]]:
    found, complaints = rules_in(json.dumps({"rules": list(rules)}))
    return found.rules, [": ".join(complaint[1:]) for complaint in complaints]


@pytest.mark.parametrize("product", PRODUCTS, ids=lambda product: product.name)
def test_every_product_can_be_written(product: Any) -> None:
    written = {"windows_ms": "free_dates"}
    needed = {name: NEEDED[name] for name in (written.get(n, n) for n in product.parameters) if name in NEEDED}
    (found,), complaints = read(rule(product.name, **needed))
    assert (found.product, complaints) == (product.name, [])


def test_days_are_of_shanghai_and_the_last_free_day_is_free_to_its_end() -> None:
    dates = [["2026-10-01", "2026-10-07"], ["2026-05-01", "2026-05-01"]]
    written = rule("free_holidays", seat_count_max=7, free_dates=dates, **{"from": "2026-01-01", "until": "2027-01-01"})
    (found,), complaints = read(written)
    assert complaints == []
    assert (found.from_ms, found.until_ms) == (ms("2026-01-01T00:00"), ms("2027-01-01T00:00"))
    assert found.windows_ms == (
        (ms("2026-10-01T00:00"), ms("2026-10-08T00:00")),
        (ms("2026-05-01T00:00"), ms("2026-05-02T00:00")),
    )


def test_every_condition_of_differential_pricing_is_read() -> None:
    written = rule(
        "differential",
        percent=80,
        order=-3,
        sections=[SECTIONS[0]],
        direction=2,
        day_periods=[["22:00", "06:00"], ["12:00", "24:00"]],
        station_pairs=[[STATIONS[0], STATIONS[1]]],
        vehicle_types=[13, 14],
        vehicle_classes=[0],
        media_types=[1],
        fee_classes=[1, 4],
    )
    (found,), complaints = read(written)
    assert complaints == []
    assert (found.percent, found.order, found.direction, found.sections) == (80, -3, 2, (SECTIONS[0],))
    assert found.day_minutes == ((1320, 360), (720, 1440))
    assert found.station_pairs == ((STATIONS[0], STATIONS[1]),)
    assert (found.vehicle_types, found.vehicle_classes, found.media_types) == ((13, 14), (0,), (1,))
    assert found.fee_classes == (1, 4)


def test_a_rule_may_name_how_the_exit_is_rounded() -> None:
    (found,), _ = read(rule("etc_truck", percent=85, exit_policy="R7"))
    assert found.exit_policy is Policy.R7


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        ("x", "product: is none; there are containers, differential"),
        (rule("bridges"), "product: is none"),
        (rule([]), "product: is none"),
        (rule("etc_truck"), "percent: is missing; add it"),
        (rule("free_holidays", seat_count_max=7), "free_dates: is missing; add it"),
        (rule("free_holidays", free_dates=NEEDED["free_dates"]), "seat_count_max: is missing; add it"),
        (rule("whole_yuan", percent=50), "percent: is no field of whole_yuan; remove it"),
        (rule("etc_truck", percent=0.85), "percent: 0.85 is not a whole number from 0 to 100"),
        (rule("etc_truck", percent=101), "percent: 101 is not a whole number from 0 to 100"),
        (rule("etc_truck", percent=True), "percent: True is not a whole number"),
        (rule("etc_truck", percent=85, exit_policy="R6"), "exit_policy: is not one of R8, R7"),
        (rule("etc_truck", percent=85, exit_policy="R9"), "exit_policy: 'R9' is not one of R1"),
        (rule("etc_truck", percent=85, vehicle_types=[]), "vehicle_types: [] is not a list of numbers"),
        (rule("etc_truck", percent=85, vehicle_types=[300]), "vehicle_types: [300] is not a list of numbers"),
        (rule("harvesters") | {"code": 1}, "code: 1 is not a whole number from 2"),
        (rule("harvesters") | {"name_zh": ""}, "name_zh: '' is not a name"),
        (rule("harvesters", **{"from": "soon"}), "from: 'soon' is not a date"),
        (rule("harvesters", **{"from": "2026-01-01", "until": "2026-01-01"}), "until: is not after from"),
        (rule("differential", percent=1, sections=["G4"]), "sections: ['G4'] is not a list of section ids"),
        (rule("differential", percent=1, sections=[4]), "sections: [4] is not a list of section ids"),
        (rule("differential", percent=1, direction=3), "direction: 3 is not 1 (up) or 2 (down)"),
        (rule("differential", percent=1, day_periods=[["25:00", "06:00"]]), "is not a list of periods"),
        (rule("differential", percent=1, day_periods=[["06:00", "06:00"]]), "is not a list of periods"),
        (rule("differential", percent=1, station_pairs=[[STATIONS[0]]]), "is not a list of [entry, exit]"),
        (rule("free_holidays", seat_count_max=7, free_dates=[["2026-10-07", "2026-10-01"]]), "is not a list of [first"),
    ],
)
def test_a_wrong_field_is_told_with_what_it_should_be(written: Any, complaint: str) -> None:
    rules, complaints = read(written)
    assert rules == ()
    assert len(complaints) == 1
    assert complaint in complaints[0]


def test_a_code_stands_once() -> None:
    _, complaints = read(rule("harvesters"), rule("green_passage"))
    assert complaints == ["code: 2 stands twice; a code names one rule"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"rules": {}}', "[" * 100_000, '{"rules": [' + "0," * 1000 + "0]}"])
def test_what_is_no_list_of_rules_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"is no JSON of the form"):
        rules_in(text)
