"""The ratchet of sizes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scripts import check_sizes

SHORT = '"""A module."""\n\n\ndef one() -> int:\n    """One."""\n    return 1\n'
LONG = '"""A module."""\n\n\ndef long() -> None:\n    """Long."""\n' + "    print()\n" * 70


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for folder in (*check_sizes.CODE, "tests"):
        (tmp_path / folder).mkdir()
    (tmp_path / "common" / "short.py").write_text(SHORT)
    (tmp_path / "tests" / "test_short.py").write_text(SHORT * 20)
    monkeypatch.setattr(check_sizes, "ROOT", tmp_path)
    monkeypatch.setattr(check_sizes, "RATCHET", tmp_path / "sizes.json")
    return tmp_path


def test_what_is_within_its_targets_passes(tree: Path) -> None:
    assert check_sizes.main([]) == 0


def test_a_function_over_its_limit_is_named(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tree / "common" / "long.py").write_text(LONG)
    assert check_sizes.main([]) == 1
    assert "common/long.py::long: 72, was within its target" in capsys.readouterr().out


def test_what_is_in_the_ratchet_passes_may_shrink_and_may_not_grow(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tree / "services" / "long.py"
    path.write_text(LONG)
    (tree / "sizes.json").write_text(json.dumps(dict.fromkeys(["services/long.py::long", "function p90"], 72)))
    (tree / "tests" / "test_short.py").write_text(SHORT * 40)
    check_sizes.main([])
    capsys.readouterr()
    path.write_text(LONG + "    print()\n")
    assert check_sizes.main(["--update"]) == 1
    assert "services/long.py::long: 73, was 72" in capsys.readouterr().out
    path.write_text(LONG.replace("    print()\n", "", 1))
    assert check_sizes.main([]) == 1
    assert "services/long.py::long: 71 now, so lower it" in capsys.readouterr().out
    path.write_text(SHORT)
    assert check_sizes.main(["--update"]) == 0
    assert json.loads((tree / "sizes.json").read_text()) == {}


def test_a_module_and_a_public_function_of_common_need_a_docstring(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tree / "common" / "bare.py").write_text("def bare() -> None: ...\n\n\ndef _private() -> None: ...\n")
    (tree / "services" / "bare.py").write_text('"""A module."""\n\n\ndef bare() -> None: ...\n')
    assert check_sizes.main([]) == 1
    lacking = [line for line in capsys.readouterr().out.splitlines() if line.startswith("no docstring")]
    assert lacking == ["no docstring: common/bare.py", "no docstring: common/bare.py::bare"]


def test_more_code_than_tests_is_over(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tree / "tests" / "test_short.py").write_text('"""Half."""\n' * 3)
    assert check_sizes.main([]) == 1
    assert "code lines a test line: 2" in capsys.readouterr().out


def test_percentiles_are_values_that_occur() -> None:
    assert check_sizes.percentile([5, 1, 3, 2, 4], 0.9) == 5
    assert check_sizes.percentile([7], 0.9) == 7
    assert check_sizes.percentile(list(range(1, 101)), 0.9) == 90
