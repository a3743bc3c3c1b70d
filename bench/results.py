"""What a benchmark reports."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Result:
    """One promise: the figure reached, the target, and the ratio to a named baseline measured in the same run.

    `spread`: smallest and largest repeat. `met`: whether the figure keeps the promise. `note`: what bounds it now.
    """

    slug: str
    figure: float
    unit: str
    target: str
    met: bool
    ratio: float | None = None
    baseline: str = ""
    note: str = ""
    spread: tuple[float, float] = (0.0, 0.0)

    def as_json(self) -> dict[str, object]:
        """The object of bench/results.json."""
        return asdict(self)


def repeated(measure: Callable[[], float], *, times: int = 5) -> tuple[float, tuple[float, float]]:
    """The median of `times` calls of `measure`, and the smallest and largest."""
    values = sorted(measure() for _ in range(times))
    return median(values), (values[0], values[-1])


def outcomes(slug: str) -> list[Result]:
    """Run one benchmark. Here, because a new process does not find what stands in the module that was started."""
    outcome = importlib.import_module(f"bench.{slug.replace('-', '_')}").run()
    return outcome if isinstance(outcome, list) else [outcome]
