"""`xiangtong simulate-tolls` writes a whole day, the same for the same seed."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from simulation.toll_commands import toll_day

APP = typer.Typer()
APP.command()(toll_day)
SMALL = ["--passages", "400", "--intervals", "160", "--stations", "62"]


def written(out: Path, *options: str) -> dict[str, bytes]:
    result = CliRunner().invoke(APP, [str(out), *SMALL, *options])
    assert result.exit_code == 0, result.output
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def test_a_day_is_written_with_its_truth(tmp_path: Path) -> None:
    files = written(tmp_path / "day")
    exits = [json.loads(line) for line in files["exits.jsonl"].decode().splitlines()]
    truth = {row["exit_id"]: row for row in csv.DictReader(files["truth.csv"].decode().splitlines())}
    assert [record["exit_id"] for record in exits] == list(truth)
    assert all(record["fee_fen"] == int(truth[record["exit_id"]]["charge_fen"]) for record in exits)
    got = dict.fromkeys(truth, 0)
    for row in csv.DictReader(files["split.csv"].decode().splitlines()):
        got[row["exit_id"]] += int(row["amount_fen"])
    assert got == {exit_id: int(row["charge_fen"]) for exit_id, row in truth.items()}
    assert "tariff/rules.json" in files
    assert len(files["gantries.jsonl"].splitlines()) > 2 * len(exits)


def test_the_same_seed_writes_the_same_bytes_and_another_does_not(tmp_path: Path) -> None:
    one, same, other = (written(tmp_path / name, "--seed", seed) for name, seed in (("a", "3"), ("b", "3"), ("c", "4")))
    assert one == same
    assert one["exits.jsonl"] != other["exits.jsonl"]


def test_gantries_can_be_left_out_and_nothing_else_changes(tmp_path: Path) -> None:
    whole, without = written(tmp_path / "a"), written(tmp_path / "b", "--no-gantries")
    assert {name: text for name, text in whole.items() if name != "gantries.jsonl"} == without


def test_two_passages_are_a_day_too(tmp_path: Path) -> None:
    assert len(written(tmp_path / "day", "--passages", "2")["exits.jsonl"].splitlines()) == 2


@pytest.mark.parametrize(
    "options", [["--day", "tomorrow"], ["--day", "2019-12-31"], ["--intervals", "10"], ["--stations", "5000"]]
)
def test_what_cannot_be_made_is_refused_with_words(tmp_path: Path, options: list[str]) -> None:
    result = CliRunner().invoke(APP, [str(tmp_path / "day"), *SMALL, *options])
    assert result.exit_code == 2
    assert not (tmp_path / "day").exists()
