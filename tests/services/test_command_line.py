"""The command line names every tool, prints every setting, and refuses what it does not know."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from services.command_line import app

WIDE = {"COLUMNS": "300", "TERM": "dumb"}


def test_help_lists_every_tool_with_a_line_each() -> None:
    answer = CliRunner().invoke(app, ["--help"], env=WIDE)
    assert answer.exit_code == 0
    for tool in ("run", "all", "prepare", "settings", "simulate", "replay", "register", "fences", "jt808", "tracking"):
        assert f" {tool} " in answer.output


@pytest.mark.parametrize("tool", ["run", "simulate", "replay", "register", "fences", "jt808", "tracking"])
def test_every_tool_explains_itself(tool: str) -> None:
    answer = CliRunner().invoke(app, [tool, "--help"], env=WIDE)
    assert answer.exit_code == 0
    assert "Usage" in answer.output


def test_settings_prints_each_variable_once_with_its_meaning() -> None:
    answer = CliRunner().invoke(app, ["settings"], env=WIDE)
    assert answer.exit_code == 0
    for variable in ("XIANGTONG_KAFKA", "XIANGTONG_ACCESS_PORT", "XIANGTONG_GATEWAY_PORT", "XIANGTONG_NIGHT_FACTOR"):
        assert answer.output.count(f" {variable} ") == 1


def test_an_unknown_command_is_refused_by_name() -> None:
    answer = CliRunner().invoke(app, ["fly"], env=WIDE)
    assert answer.exit_code == 2
    assert "fly" in answer.output
