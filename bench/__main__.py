"""Runs the benchmarks: `python -m bench` all of them, `python -m bench SLUG` one. Prints a line per promise."""

from __future__ import annotations

import json
import multiprocessing
import os
import platform
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.results import Result, outcomes

BENCHES = (
    "decode",
    "fences",
    "fence-change",
    "engine",
    "transitions",
    "access",
    "path-tcp",
    "path-grpc",
    "console",
    "scaling",
    "rate",
    "post",
    "clear-day",
)
RESULTS = Path(__file__).parent / "results.json"


def main(only: str | None) -> int:
    """The exit code: 0 when every promise that was measured is kept."""
    if only and only not in BENCHES:
        sys.exit(f"no benchmark {only}; there are: {', '.join(BENCHES)}")
    console = Console(width=max(Console().width, 140))
    console.print(f"{_machine()}; load {os.getloadavg()[0]:.1f} before the first measurement")
    results: list[Result] = []
    for slug in [only] if only else BENCHES:
        console.print(f"measuring {slug} …")
        results += measured(slug)
        _write(results)
    console.print(_table(results))
    return 0 if all(result.met for result in results) else 1


def measured(slug: str) -> list[Result]:
    """The results of one benchmark, in a process of its own so that none warms or burdens another."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(outcomes, (slug,))


def _write(results: list[Result]) -> None:
    """Keep earlier results of benchmarks that were not run now."""
    known = {row["slug"]: row for row in json.loads(RESULTS.read_text())} if RESULTS.exists() else {}
    known |= {result.slug: result.as_json() for result in results}
    RESULTS.write_text(json.dumps(list(known.values()), ensure_ascii=False, indent=1) + "\n")


def _table(results: list[Result]) -> Table:
    table = Table(title="promises", title_justify="left")
    for heading in ("promise", "figure", "spread", "target", "kept", "ratio", "baseline", "bounded by"):
        table.add_column(heading, overflow="fold")
    for r in results:
        spread = f"{r.spread[0]:,.4g}–{r.spread[1]:,.4g}" if any(r.spread) else ""
        ratio = f"{r.ratio:,.1f}" if r.ratio is not None else ""
        kept = "yes" if r.met else "[red]no[/]"
        table.add_row(r.slug, f"{r.figure:,.4g} {r.unit}", spread, r.target, kept, ratio, r.baseline, r.note)
    return table


def _machine() -> str:
    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    model = models[0].split(":")[1].strip() if models else platform.processor()
    return f"{os.cpu_count()} x {model}, Python {platform.python_version()}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else None))
