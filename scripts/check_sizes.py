"""Sizes of files and functions against their targets, with a ratchet: what is over may only shrink.

`scripts/sizes.json` lists what is over and by how much. `--update` writes it anew, and refuses where anything grew.
"""

from __future__ import annotations

import ast
import json
import math
import statistics
import sys
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RATCHET = ROOT / "scripts" / "sizes.json"
CODE = ("services", "common", "simulation", "bench", "scripts")
FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
TARGETS = {"file median": 120, "function median": 8, "function p90": 25}
COMMENT_SHARE = (0.05, 0.08)

Function = ast.FunctionDef | ast.AsyncFunctionDef
Documented = Function | ast.ClassDef


@dataclass(frozen=True)
class Source:
    """A Python file: its lines, functions by name with their lengths, comment lines, and where a docstring lacks."""

    path: str
    line_count: int
    function_lengths: dict[str, int]
    comment_count: int
    undocumented: list[str]


def main(arguments: list[str]) -> int:
    """0 when every size is within its target or its ratchet."""
    code = [measured(path) for folder in CODE for path in python_files(ROOT / folder)]
    tests = [measured(path) for path in python_files(ROOT / "tests")]
    sizes = over_sizes(code, tests)
    allowed: dict[str, float] = json.loads(RATCHET.read_text()) if RATCHET.exists() else {}
    grown = [
        f"{name}: {size:g}, was {allowed.get(name, 'within its target')}"
        for name, size in sizes.items()
        if size > allowed.get(name, 0)
    ]
    if "--update" in arguments and (not grown or not RATCHET.exists()):
        RATCHET.write_text(json.dumps(sizes, indent=2, ensure_ascii=False) + "\n")
        print(f"{RATCHET.relative_to(ROOT)}: {len(sizes)} sizes over their target")
        return 0
    complaints = grown + [f"no docstring: {place}" for source in [*code, *tests] for place in source.undocumented]
    complaints += [
        f"{name}: {sizes.get(name, 0):g} now, so lower it in scripts/sizes.json with --update"
        for name, size in allowed.items()
        if "/" in name
        and sizes.get(name, 0) < size  # medians and shares move with every change: they may only not grow
    ]
    print(summary(code, tests))
    for complaint in complaints:
        print(complaint)
    return 1 if complaints else 0


def python_files(folder: Path) -> list[Path]:
    """The Python files below `folder`, without what is built."""
    return sorted(path for path in folder.rglob("*.py") if "node_modules" not in path.parts)


def measured(path: Path) -> Source:
    """The sizes of one file."""
    text = path.read_text("utf-8")
    tree = ast.parse(text)
    name = path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else path.name
    public = "common" in path.parts or "domain" in path.parts
    return Source(
        path=name,
        line_count=text.count("\n"),
        function_lengths={f"{name}::{label}": _length(function) for label, function in _functions(tree)},
        comment_count=_comment_lines(path),
        undocumented=[name] * (bool(text.strip()) and not ast.get_docstring(tree))
        + [f"{name}::{label}" for label in (_undocumented(tree) if public and "tests" not in path.parts else [])],
    )


def over_sizes(code: list[Source], tests: list[Source]) -> dict[str, float]:
    """Every size that is over its target, by what it measures."""
    lengths = [length for source in code for length in source.function_lengths.values()]
    sizes: dict[str, float] = {
        "file median": statistics.median(source.line_count for source in code),
        "function median": statistics.median(lengths),
        "function p90": percentile(lengths, 0.9),
    }
    over = {name: size for name, size in sizes.items() if size > TARGETS[name]}
    for source in [*code, *tests]:
        if source.line_count > FILE_LINES_MAX:
            over[source.path] = source.line_count
        over |= {name: length for name, length in source.function_lengths.items() if length > FUNCTION_LINES_MAX}
    test_share = round(sum(s.line_count for s in tests) / sum(s.line_count for s in code), 2)
    return over | ({"code lines a test line": round(1 / test_share, 2)} if 0 < test_share < 1 else {})


def percentile(values: list[int], share: float) -> int:
    """The smallest value that at least `share` of the values do not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def summary(code: list[Source], tests: list[Source]) -> str:
    """One line with the figures that the targets speak of."""
    lengths = [length for source in code for length in source.function_lengths.values()]
    lines = sum(source.line_count for source in code)
    comments = sum(source.comment_count for source in code) / lines
    low, high = COMMENT_SHARE
    return (
        f"sizes: {len(code)} files of median {statistics.median(s.line_count for s in code):g} lines, "
        f"{len(lengths)} functions of median {statistics.median(lengths):g} and p90 {percentile(lengths, 0.9)}, "
        f"comments {comments:.1%} (aim {low:.0%}-{high:.0%}), tests {sum(s.line_count for s in tests)} to {lines} lines"
    )


def _functions(tree: ast.AST, prefix: str = "") -> Iterator[tuple[str, Function]]:
    for node in ast.iter_child_nodes(tree):
        label = f"{prefix}{getattr(node, 'name', '')}"
        if isinstance(node, Function):
            yield label, node
        named = isinstance(node, Documented)
        yield from _functions(node, f"{label}." if named else prefix)


def _length(function: Function) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1


def _comment_lines(path: Path) -> int:
    with path.open("rb") as stream:
        return sum(token.type == tokenize.COMMENT for token in tokenize.tokenize(stream.readline))


def _undocumented(tree: ast.Module | ast.ClassDef, prefix: str = "") -> Iterator[str]:
    for node in tree.body:
        if not isinstance(node, Documented) or node.name.startswith("_"):
            continue
        if not ast.get_docstring(node):
            yield f"{prefix}{node.name}"
        if isinstance(node, ast.ClassDef):
            yield from _undocumented(node, f"{node.name}.")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
