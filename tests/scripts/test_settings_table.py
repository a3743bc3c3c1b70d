"""The page of settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts import settings_table


def test_the_page_says_what_the_classes_say() -> None:
    assert settings_table.main(["--check"]) == 0


def test_a_page_that_is_out_of_date_is_noticed_and_mended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings_table, "PAGE", settings_table.ROOT / "docs" / "nowhere.md")
    assert settings_table.main(["--check"]) == 1
    monkeypatch.setattr(settings_table, "PAGE", tmp_path / "settings.md")
    assert settings_table.main([]) == 0
    assert "| `XIANGTONG_KAFKA` | str |  | Kafka brokers" in (tmp_path / "settings.md").read_text()


def test_every_setting_stands_there_once_and_is_explained() -> None:
    rows = [line.split(" | ") for line in settings_table.page().splitlines() if line.startswith("| `XIANGTONG_")]
    variables = [row[0] for row in rows]
    assert len(variables) == len(set(variables)) > 20
    assert [row[0] for row in rows if len(row[3].strip(" |")) < 10] == []
