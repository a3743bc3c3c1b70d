"""Rules of the style guide that linters do not know."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CODE = [
    path
    for place in ("services", "common", "simulation", "bench", "scripts")
    for path in sorted((ROOT / place).rglob("*.py"))
]
TESTS = sorted((ROOT / "tests").rglob("*.py"))
PURE = [path for path in CODE if {"domain", "terminals"} & set(path.parts)]
CLOCK_CALLS = {"time.time", "time.time_ns", "datetime.now", "datetime.utcnow", "datetime.today", "date.today"}
CLOCK_READERS = {"common/clock.py"}  # bench and scripts measure and report, so they may look at the clock
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "misc", "base", "manager", "common_utils"}


def label(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def calls(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func).removeprefix("datetime.datetime.").removeprefix("dt.")


def test_only_the_clock_asks_what_time_it_is() -> None:
    readers = {
        label(path)
        for path in CODE
        if not label(path).startswith(("bench/", "scripts/"))
        and any(call in CLOCK_CALLS or call.endswith(".datetime.now") for call in calls(path))
    }
    assert readers - CLOCK_READERS == set()


def test_pure_code_draws_no_chance_and_opens_no_files() -> None:
    forbidden = ("random.", "secrets.", "uuid.uuid", "open", "print", "np.random.rand", "np.random.seed", "os.")
    found = [
        f"{label(path)}: {call}"
        for path in PURE
        for call in calls(path)
        if call.startswith(tuple(word for word in forbidden if word.endswith("."))) or call in forbidden
    ]
    assert found == []


def test_no_file_has_a_name_that_says_nothing() -> None:
    assert [label(path) for path in CODE if path.stem in VAGUE_NAMES] == []


@pytest.mark.parametrize("pattern", [r"\bTODO\b(?!\(#\d+\))", r"\bFIXME\b", r"\bXXX\b"])
def test_nothing_is_left_for_later_without_an_issue(pattern: str) -> None:
    found = [label(path) for path in CODE if re.search(pattern, path.read_text("utf-8"))]
    assert found == []


def test_a_suppression_names_its_rule_and_its_reason() -> None:
    bare = re.compile(r"#\s*(noqa(?!: [A-Z]+\d+[^\n]*[–—-]\s*\w)|type: ignore(?!\[[a-z-]+(, ?[a-z-]+)*\]))")
    found = [
        f"{label(path)}:{number}"
        for path in [*CODE, *(path for path in TESTS if path != Path(__file__))]
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if bare.search(line) and "ruff: noqa" not in line
    ]
    assert found == []


def test_money_is_never_a_float() -> None:
    found = []
    for path in CODE:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.AnnAssign | ast.arg) and node.annotation is not None:
                name = node.arg if isinstance(node, ast.arg) else ast.unparse(node.target)
                if "fen" in name.split("_") and "float" in ast.unparse(node.annotation):
                    found.append(f"{label(path)}: {name}")
    assert found == []


def test_the_environment_is_read_in_settings_only() -> None:
    readers = {
        label(path)
        for path in CODE
        if label(path).startswith(("services/", "common/", "simulation/"))
        and re.search(r"os\.(environ\.get|getenv|environ\[)\(?[\"']XIANGTONG_", path.read_text("utf-8"))
    }
    assert readers == set()


def test_no_test_folder_is_a_package_and_no_test_is_skipped_without_a_reason() -> None:
    assert [label(path) for path in TESTS if path.name == "__init__.py"] == []
    bare = re.compile(r"@pytest\.mark\.(skip|xfail)\s*(\n|\(\))|pytest\.skip\(\)")
    assert [label(path) for path in TESTS if path != Path(__file__) and bare.search(path.read_text("utf-8"))] == []


def test_every_language_of_the_glossary_is_there() -> None:
    rows = [
        line.split("|")[1:-1]
        for line in (ROOT / "docs" / "glossary.md").read_text("utf-8").splitlines()
        if line.startswith("|")
    ]
    terms = [row for row in rows if len(row) == 3 and not set(row[0]) <= set("- ") and row[0].strip() != "Term"]
    assert len(terms) > 30
    assert [row[0].strip() for row in terms if not re.search("[一-鿿]", row[1]) or len(row[2]) < 10] == []
