"""Which vehicles somebody wants to see."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Filter:
    """Every given part must match. `box_e7`: west, south, east, north in 1e-7 degree."""

    region_codes: frozenset[str] = frozenset()
    enterprise_ids: frozenset[int] = frozenset()
    kinds: frozenset[int] = frozenset()
    box_e7: tuple[int, int, int, int] | None = None
