"""`xiangtong billing rate` over small files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import typer
from typer.testing import CliRunner

from services.etc_billing.commands_rate import rate_file
from tests.etc_billing.tariff_folders import exit_file, exit_record, tariff_folder

app = typer.Typer()
app.command()(rate_file)


def run(
    folder: Path, *records: dict[str, Any] | str, options: tuple[str, ...] = (), colour: str = "", **tables: Any
) -> tuple[int, str, str]:
    tariff = tariff_folder(folder / "tariff", **tables)
    file = exit_file(folder / "exits.jsonl", *records)
    result = CliRunner().invoke(
        app, [str(file), "--tariff", str(tariff), *options], env={"COLUMNS": "200", "FORCE_COLOR": colour}
    )
    return result.exit_code, result.stdout, result.stderr


def test_charges_are_printed_with_their_explanation(tmp_path: Path) -> None:
    code, out, told = run(tmp_path, exit_record(0, 1, 2), exit_record(0, media_type=2, fee_class=3))
    assert code == 0, told
    assert out.splitlines()[1:4] == [
        "    费率表：3 个收费单元合计 10.20 元",
        "    示例 ETC 九五折：10.20 → 9.50 元",
        "    应交 9.50 元",
    ]
    assert out.splitlines()[-2:] == ["    取整到元：4.65 → 5.00 元", "    应交 5.00 元"]
    assert "2 passages: 14.85 yuan by the tariff, 14.50 yuan due" in told


def test_the_bar_leaves_what_is_printed_alone(tmp_path: Path) -> None:
    _, out, told = run(tmp_path, exit_record(0), options=("--json",), colour="1")  # as if stderr were a terminal
    assert [json.loads(line)["charge_fen"] for line in out.splitlines()] == [442]
    assert "exit records" in told


def test_explanations_are_english_when_asked(tmp_path: Path) -> None:
    _, out, _ = run(tmp_path, exit_record(0, vehicle_type=13), options=("--language", "en"))
    assert "    truck discount: 60.45 → 51.38 yuan\n    due: 51.38 yuan\n" in out


def test_what_the_lane_charged_otherwise_is_told(tmp_path: Path) -> None:
    records = (exit_record(0, 1, 2, fee_fen=950), exit_record(0, 1, 2, fee_fen=969))
    _, out, told = run(tmp_path, *records, options=("--language", "en"))
    assert out.count("the lane has charged") == 1
    assert "the lane has charged 9.69 yuan" in out
    assert "the lane charged otherwise: 1;" in told


def test_what_cannot_be_charged_is_told_with_its_line(tmp_path: Path) -> None:
    records = ("{", exit_record(0, vehicle_type=2), exit_record(0, issuer_id="x"), exit_record(0))
    code, out, told = run(tmp_path, *records, options=("--json",))
    rows = {row["line"]: row for row in map(json.loads, out.splitlines())}
    assert code == 0
    assert [rows[line]["reason"] for line in (1, 2, 3, 4)] == [
        "LINE_UNREADABLE",
        "NO_PRICE",
        "ISSUER_ID_MALFORMED",
        "",
    ]
    assert (rows[2]["charge_fen"], rows[4]["charge_fen"]) == (None, 442)
    assert "refused: ISSUER_ID_MALFORMED 1, LINE_UNREADABLE 1, NO_PRICE 1" in told
    assert "42 of 48 prices are missing" in told


def test_a_tariff_with_errors_is_refused_with_each_of_them(tmp_path: Path) -> None:
    lines = ["version,interval_id,vehicle_type,price_fen", *["4320260101001,nowhere,1,4.65"] * 30]
    code, out, told = run(tmp_path, exit_record(0), prices=lines)
    assert (code, out) == (1, "")
    assert "prices.csv line 2 interval_id: 'nowhere' is not among the intervals; correct it or add it there" in told
    assert "… and 10 more" in told
