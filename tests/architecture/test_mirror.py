"""Tests mirror the code: what tests a module is in the same place under tests/."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
UNTESTED = {  # with the reason; what is here has nothing to run by itself
    "common/infra/log.py": "the interface; test_log.py of both implementations holds it",
}
PLACES = {"services": "tests", "common": "tests/common", "simulation": "tests/simulation"}
OWN_FILES = {"services": "tests/services"}  # modules directly in services/ belong to no service


def modules() -> list[Path]:
    found = [path for place in PLACES for path in sorted((ROOT / place).rglob("*.py"))]
    return [path for path in found if not path.name.startswith("__")]


def mirrored(module: Path) -> Path:
    place, *inner = module.relative_to(ROOT).parent.parts
    return ROOT / (PLACES[place] if inner or place not in OWN_FILES else OWN_FILES[place]) / Path(*inner)


def named_alike(module: Path, test: Path) -> bool:
    """`test_grpc.py` and `test_grpc_errors.py` both test `grpc_errors.py`."""
    stem = test.stem.removeprefix("test_")
    return stem == module.stem or module.stem.startswith(f"{stem}_") or stem.startswith(f"{module.stem}_")


def imports(test: Path, module: Path) -> bool:
    *package, name = module.relative_to(ROOT).with_suffix("").parts
    text, dotted = test.read_text("utf-8"), re.escape(".".join(package))
    return bool(re.search(rf"(from|import) {dotted}\.{name}\b|from {dotted} import [^\n]*\b{name}\b", text))


@pytest.mark.parametrize("module", modules(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_module_is_tested_by_a_file_of_its_name_or_by_a_neighbour_that_imports_it(module: Path) -> None:
    if module.relative_to(ROOT).as_posix() in UNTESTED:
        return
    folder = mirrored(module)
    tests = list(folder.rglob("test_*.py"))
    assert any(named_alike(module, test) or imports(test, module) for test in tests), (
        f"expected {folder.relative_to(ROOT)}/test_{module.stem}.py"
    )


def test_what_is_said_to_be_untested_is_there() -> None:
    assert [path for path in UNTESTED if not (ROOT / path).exists()] == []
