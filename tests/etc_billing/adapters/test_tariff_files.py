"""Tariffs from folders, whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook

from services.etc_billing.adapters.tariff_files import tariff_in
from services.etc_billing.domain.tariff import NO_PRICE_FEN, VEHICLE_TYPES
from tests.etc_billing.passage_tables import STATIONS, interval_id, ms
from tests.etc_billing.tariff_folders import TABLES, VERSION, tariff_folder

PRICES = TABLES["prices.csv"]


def errors(folder: Path, **changed: Any) -> list[str]:
    found = tariff_in(tariff_folder(folder, **changed))
    assert (found.tariff, found.rules) == (None, None)
    return [str(error) for error in found.errors]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk"])
def test_a_folder_is_a_tariff_with_its_rules(tmp_path: Path, encoding: str) -> None:
    found = tariff_in(tariff_folder(tmp_path, encoding=encoding))
    assert found.errors == ()
    assert found.tariff is not None
    assert found.tariff.interval_ids == tuple(interval_id(k) for k in range(3))
    assert found.tariff.owners == ("示例业主",) * 3
    assert found.tariff.lengths_m.tolist() == [9000] * 3
    assert found.tariff.station_ids == STATIONS
    assert (found.tariff.versions, found.tariff.from_ms.tolist()) == ((VERSION,), [ms("2026-01-01T00:00")])
    assert found.tariff.prices_fen[0, :, VEHICLE_TYPES.index(13)].tolist() == [465 * 13, 530 * 13, 25 * 13]
    assert found.tariff.prices_fen[0, 0, VEHICLE_TYPES.index(2)] == NO_PRICE_FEN
    assert found.missing_price_count == 42
    assert found.rules is not None
    assert [rule.product for rule in found.rules.rules] == ["etc_passenger", "etc_truck", "whole_yuan"]


def test_versions_are_put_in_the_order_of_time(tmp_path: Path) -> None:
    later = ["version,effective_from", f"4320260601001,2026-06-01T00:00,,{VERSION}", f"{VERSION},2026-01-01"]
    found = tariff_in(tariff_folder(tmp_path, versions=later))
    assert found.tariff is not None
    assert found.tariff.versions == (VERSION, "4320260601001")
    assert found.tariff.from_ms.tolist() == [ms("2026-01-01T00:00"), ms("2026-06-01T00:00")]
    assert found.tariff.prices_fen[1].max() == NO_PRICE_FEN


def test_prices_may_be_a_spreadsheet(tmp_path: Path) -> None:
    book = Workbook()
    for line in PRICES:
        book.worksheets[0].append([int(cell) if cell.isdigit() and len(cell) < 8 else cell for cell in line.split(",")])
    folder = tariff_folder(tmp_path, prices=None)
    book.save(folder / "prices.xlsx")
    found = tariff_in(folder)
    assert found.tariff is not None
    assert found.tariff.prices_fen[0, 1, 0] == 530


@pytest.mark.parametrize(
    ("line", "field", "what"),
    [
        (f"{VERSION},{interval_id(0)},1,4.65", "price_fen", "'4.65' is no whole number from 0 to 1000000 of fen"),
        (f"{VERSION},{interval_id(0)},1,-5", "price_fen", "'-5' is no whole number"),
        (f"{VERSION},{interval_id(0)},1,", "price_fen", "'' is no whole number"),
        (f"{VERSION},{interval_id(0)},1,9999999", "price_fen", "'9999999' is no whole number"),
        (f"{VERSION},{interval_id(0)},1,４６５", "price_fen", "is no whole number"),
        (f"{VERSION},{interval_id(0)},7,465", "vehicle_type", "7 is none of JT/T 489-2019"),
        (f"{VERSION},{interval_id(0)},客1,465", "vehicle_type", "'客1' is no whole number"),
        (f"{VERSION},{interval_id(9)},1,465", "interval_id", "is not among the intervals; correct it or add it there"),
        (f"0000000000000,{interval_id(0)},1,465", "version", "is not among the versions"),
        (f"{VERSION},{interval_id(0)},13,465", "price_fen", "is a second price"),
    ],
)
def test_a_wrong_price_is_told_with_its_line_and_field(tmp_path: Path, line: str, field: str, what: str) -> None:
    (error,) = errors(tmp_path, prices=[*PRICES, line])
    assert error.startswith(f"prices.csv line {len(PRICES) + 1} {field}: ")
    assert what in error


@pytest.mark.parametrize(
    ("table", "line", "what"),
    [
        ("versions", "43,2026-01-01", "line 3 version: '43' is not 13 digits"),
        ("versions", "4320260601001,soon", "line 3 effective_from: 'soon' is no time; write it as"),
        ("versions", f"{VERSION},2026-06-01", f"line 3 version: {VERSION} stands twice"),
        ("intervals", f"{interval_id(0)},示例,1", "line 5 interval_id: G0004430010000"),
        ("intervals", "g000443001000010,示例,1", "is not 16 characters"),
        ("intervals", f"{interval_id(5)},,1", "line 5 owner: is empty"),
        ("intervals", f"{interval_id(5)},示例,1.5", "line 5 length_m: '1.5' is no whole number"),
        ("stations", "G0004", "line 6 station_id: 'G0004' is not 14 characters"),
    ],
)
def test_a_wrong_line_of_the_network_is_told(tmp_path: Path, table: str, line: str, what: str) -> None:
    (error,) = errors(tmp_path, **{table: [*TABLES[f"{table}.csv"], line]})
    assert what in error


def test_versions_of_one_time_are_refused(tmp_path: Path) -> None:
    (error,) = errors(tmp_path, versions=[*TABLES["versions.csv"], "4320260601001,2026-01-01T00:00+08:00"])
    assert "takes effect when 4320260101001 does" in error


def test_every_error_of_every_file_is_told_at_once(tmp_path: Path) -> None:
    found = errors(tmp_path, stations=None, prices=[*PRICES, "a,b,c,d", "e,f,g,h"], rules="{")
    assert [error.split(":")[0] for error in found] == [
        "stations ",
        "prices.csv line 8 version",
        "prices.csv line 9 version",
        "rules.json ",
    ]


def test_an_empty_table_and_missing_rules_are_told(tmp_path: Path) -> None:
    assert "intervals.csv : has no lines below its headings; add some" in errors(
        tmp_path, intervals=TABLES["intervals.csv"][:1]
    )
    (tariff_folder(tmp_path) / "rules.json").unlink()
    assert "rules.json : is missing" in str(tariff_in(tmp_path).errors[0])
