"""Rating as plain Python would do it, a passage at a time, from the words of the rules; to compare with."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from services.etc_billing.domain.passages import Passages
from services.etc_billing.domain.products.product import RatingRule
from services.etc_billing.domain.rating import TARIFF_CODE, RatingRules
from services.etc_billing.domain.tariff import VEHICLE_TYPES, Tariff

_FREE_CLASSES = {"green_passage": 21, "harvesters": 22, "disaster_relief": 23}
Lines = list[tuple[int, int, int]]


class Record(NamedTuple):
    """One passage; `numbers` and `minutes` (of the day in Shanghai) of its intervals."""

    exit_ms: int
    vehicle_type: int
    vehicle_class: int
    seat_count: int
    etc: bool
    numbers: list[int]
    minutes: list[int]


class Charge(NamedTuple):
    """What a passage costs, and the trace."""

    payable_fen: int
    charge_fen: int
    fees_fen: list[int]
    lines: Lines


@dataclass(frozen=True)
class Plain:
    """The tariff and its rules as dictionaries and lists."""

    from_ms: list[int]
    prices_fen: dict[tuple[int, int, int], int]
    sections: list[str]
    directions: list[int]
    rules: tuple[RatingRule, ...]

    @classmethod
    def of(cls, tariff: Tariff, rules: RatingRules) -> Plain:
        """As the arrays say."""
        prices = {
            (version, number, vehicle_type): fen
            for version, table in enumerate(tariff.prices_fen.tolist())
            for number, row in enumerate(table)
            for vehicle_type, fen in zip(VEHICLE_TYPES, row, strict=True)
        }
        lists = (tariff.sections.tolist(), tariff.directions.tolist())
        return cls(tariff.from_ms.tolist(), prices, *lists, rules.rules)


def records_of(passages: Passages) -> list[Record]:
    """The columns as rows."""
    intervals = passages.intervals
    minutes = ((intervals.pass_times_ms // 60_000 + 480) % 1440).tolist()
    numbers, starts = intervals.numbers.tolist(), intervals.starts.tolist()
    columns = (
        passages.exit_times_ms.tolist(),
        passages.vehicle_types.tolist(),
        passages.vehicle_classes.tolist(),
        passages.seat_counts.tolist(),
        ((passages.media_types == 1) & (passages.fee_classes != 2)).tolist(),
    )
    rows = zip(zip(*columns, strict=True), pairwise(starts), strict=True)
    return [Record(*values, numbers[first:last], minutes[first:last]) for values, (first, last) in rows]


def charge_of(record: Record, plain: Plain) -> Charge:
    """Rate one passage."""
    version = bisect_right(plain.from_ms, record.exit_ms) - 1
    fees = [plain.prices_fen[version, number, record.vehicle_type] for number in record.numbers]
    payable = charge = sum(fees)
    lines: Lines = [(TARIFF_CODE, 0, payable)]
    for rule in plain.rules:
        after = _after(rule, record, plain, fees, charge)
        if after is not None:
            fees, due = after
            lines.append((rule.code, charge, due))
            charge = due
    return Charge(payable, charge, fees, lines)


def _after(
    rule: RatingRule, record: Record, plain: Plain, fees: list[int], charge: int
) -> tuple[list[int], int] | None:
    """The fees and the charge after a rule; None where it does not apply."""
    passenger = record.vehicle_type <= 4
    if rule.vehicle_types and record.vehicle_type not in rule.vehicle_types:
        return None
    if rule.product == "whole_yuan" and not record.etc:
        return fees, (charge + 50) // 100 * 100
    if rule.product == "etc_passenger" and record.etc and passenger:
        total = min((charge * rule.percent + 50) // 100, (charge + 50) // 100 * rule.percent)
        return [(fee * rule.percent + 50) // 100 for fee in fees], total
    if rule.product == "etc_truck" and record.etc and not passenger:
        return [(fee * rule.percent + 50) // 100 for fee in fees], (charge * rule.percent + 50) // 100
    if rule.product in _FREE_CLASSES and record.vehicle_class == _FREE_CLASSES[rule.product]:
        return [0] * len(fees), 0
    if rule.product == "free_holidays" and passenger and 0 < record.seat_count <= rule.seat_count_max:
        free = any(start <= record.exit_ms < end for start, end in rule.windows_ms)
        return ([0] * len(fees), 0) if free else None
    if rule.product == "differential" or (rule.product == "containers" and record.vehicle_class in (24, 28)):
        return _reduced(rule, record, plain, fees, charge)
    return None


def _reduced(
    rule: RatingRule, record: Record, plain: Plain, fees: list[int], charge: int
) -> tuple[list[int], int] | None:
    reduced, any_under = [], False
    for number, minute, fee in zip(record.numbers, record.minutes, fees, strict=True):
        under = (
            (not rule.sections or plain.sections[number] in rule.sections)
            and (not rule.direction or plain.directions[number] == rule.direction)
            and (not rule.day_minutes or any(_within(minute, *period) for period in rule.day_minutes))
        )
        any_under |= under
        reduced.append((fee * rule.percent + 50) // 100 if under else fee)
    return (reduced, max(charge - sum(fees) + sum(reduced), 0)) if any_under else None


def _within(minute: int, start: int, end: int) -> bool:
    return start <= minute < end if start < end else minute >= start or minute < end
