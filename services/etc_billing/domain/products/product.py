"""What every toll product is: a pure function from the amounts of passages to their amounts after it.

To add a product: write `applies` and `effect` in one file, join them in a `Product`, and list it in PRODUCTS.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from services.etc_billing.domain.money import Policy
from services.etc_billing.domain.passages import Int64s, Intervals, Passages
from services.etc_billing.domain.tariff import Tariff

Flags: TypeAlias = NDArray[np.bool_]

FOREVER_MS = 1 << 62
CONDITIONS = ("vehicle_types", "vehicle_classes", "media_types", "fee_classes")  # any product takes these


@dataclass(frozen=True, slots=True)
class RatingRule:
    """One agreement in force: a product and its numbers. What is empty or 0 restricts nothing.

    `code`: stands in traces, unique and never used again; `order`: of application, equal ones in the order of the list.
    `from_ms`, `until_ms`: the exit times it is in force for, the end excluded. `percent`: what is still to be paid.
    `exit_policy`: how the total is rounded at the exit. `sections`, `direction`, `day_minutes` (start, end; Shanghai;
    an end before its start is on the next day): of the intervals it reduces. `station_pairs`: (entry, exit) ids.
    `seat_count_max`: passages with more seats, or unknown seats, get nothing. `windows_ms`: (start, end excluded) of
    the exit time.
    """

    code: int
    product: str
    name_zh: str
    name_en: str
    order: int = 0
    from_ms: int = 0
    until_ms: int = FOREVER_MS
    percent: int = 100
    exit_policy: Policy | None = None
    vehicle_types: tuple[int, ...] = ()
    vehicle_classes: tuple[int, ...] = ()
    media_types: tuple[int, ...] = ()
    fee_classes: tuple[int, ...] = ()
    sections: tuple[str, ...] = ()
    direction: int = 0
    day_minutes: tuple[tuple[int, int], ...] = ()
    station_pairs: tuple[tuple[str, str], ...] = ()
    seat_count_max: int = 0
    windows_ms: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Amounts:
    """What is due so far of some passages. `interval_fees_fen`: (m,), `charges_fen`: (n,); all >= 0."""

    interval_fees_fen: Int64s
    charges_fen: Int64s


@dataclass(frozen=True, slots=True)
class Effect:
    """The amounts after a product. `applied`: which passages it is about after all, (n,); None for all."""

    amounts: Amounts
    applied: Flags | None = None


@dataclass(frozen=True, slots=True)
class Product:
    """A product. `parameters`: fields of RatingRule that it reads beside CONDITIONS.

    `applies`: which passages are of its kind, (n,). `effect`: the amounts of passages under a rule before it, and their
    intervals, to the amounts after it. `policies`: the ways of rounding at the exit that a rule may name; the first is
    the usual one.
    """

    name: str
    applies: Callable[[Passages], Flags]
    effect: Callable[[Amounts, Intervals, RatingRule, Tariff], Effect]
    parameters: tuple[str, ...] = ()
    policies: tuple[Policy, ...] = ()
