"""Compiled functions of other sources are never used."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from services.compiled_code import KEPT, VARIABLE, digest, keep_apart


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv(VARIABLE, raising=False)
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "kernel.py").write_text("CELL = 1\n")
    return tmp_path


def test_a_change_anywhere_leads_to_another_folder(sources: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep_apart(sources)
    first = os.environ[VARIABLE]
    assert Path(first).is_dir()
    monkeypatch.delenv(VARIABLE)
    keep_apart(sources)
    assert os.environ[VARIABLE] == first
    monkeypatch.delenv(VARIABLE)
    (sources / "inner" / "kernel.py").write_text("CELL = 2\n")
    keep_apart(sources)
    assert os.environ[VARIABLE] != first


def test_a_folder_that_somebody_named_stays(sources: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "elsewhere")
    keep_apart(sources)
    assert os.environ[VARIABLE] == "elsewhere"


def test_old_folders_are_forgotten(sources: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(KEPT + 3):
        monkeypatch.delenv(VARIABLE, raising=False)
        (sources / "inner" / "kernel.py").write_text(f"CELL = {number}\n")
        keep_apart(sources)
    assert len(list((sources / "__pycache__").glob("numba-*"))) == KEPT


def test_a_renamed_file_changes_the_digest(sources: Path) -> None:
    before = digest(sources)
    (sources / "inner" / "kernel.py").rename(sources / "inner" / "other.py")
    assert digest(sources) != before
