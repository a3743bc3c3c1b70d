"""The commands refuse what cannot work and say what to do."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from simulation.commands import replay, simulate

app = typer.Typer()
app.command("simulate")(simulate)
app.command("replay")(replay)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["simulate", "--access", "nowhere"], "is not HOST:PORT"),
        (["simulate", "--speed-up", "5"], "needs --minutes"),
        (["replay", "missing.csv"], "does not exist"),
    ],
)
def test_a_bad_option_is_refused_with_what_is_expected(words: list[str], complaint: str) -> None:
    answer = CliRunner().invoke(app, words, env={"COLUMNS": "200", "TERM": "dumb"})
    assert answer.exit_code == 2
    assert complaint in answer.output


def test_a_file_without_the_columns_says_which_are_expected(tmp_path: Path) -> None:
    file = tmp_path / "track.csv"
    file.write_text("a,b\n1,2\n")
    answer = CliRunner().invoke(app, ["replay", str(file)], env={"COLUMNS": "300"})
    assert answer.exit_code == 2
    assert "no column for name: expected one of plate" in answer.output
