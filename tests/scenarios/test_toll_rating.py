"""A simulated day of tolls, rated from its files: every charge is the one that the simulation knows."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from services.etc_billing.commands_rate import rate_file
from simulation.toll_commands import toll_day

PASSAGES = 1_500
billing, simulated = typer.Typer(), typer.Typer()
billing.command()(rate_file)
simulated.command()(toll_day)


@pytest.mark.parametrize("day", ["2026-03-10", "2026-10-01"], ids=["an ordinary day", "a free holiday"])
def test_every_charge_of_a_day_is_the_simulated_truth(tmp_path: Path, day: str) -> None:
    made = CliRunner().invoke(simulated, [str(tmp_path), "--passages", str(PASSAGES), "--day", day])
    assert made.exit_code == 0, made.output
    files = [str(tmp_path / "exits.jsonl"), "--tariff", str(tmp_path / "tariff"), "--json"]
    rated = CliRunner().invoke(billing, files)
    assert rated.exit_code == 0, rated.stderr
    charges = {row["exit_id"]: row["charge_fen"] for row in map(json.loads, rated.stdout.splitlines())}
    with (tmp_path / "truth.csv").open(encoding="utf-8", newline="") as file:
        truth = {row["exit_id"]: int(row["charge_fen"]) for row in csv.DictReader(file)}
    assert len(truth) == PASSAGES
    assert charges == truth
    assert "otherwise: 0; refused: none" in " ".join(rated.stderr.split())
