"""Tariffs from a folder: versions, intervals, stations and prices as CSV or XLSX, and rules.json.

A tariff is read whole or not at all: one wrong line could be somebody's toll.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

import numpy as np

from common.clock import SHANGHAI, milliseconds
from common.errors import InvalidInput
from common.infra.table_files import TableRow, rows_in, table_in, text_in
from services.etc_billing.adapters.rule_files import rules_in
from services.etc_billing.domain.rating import RatingRules
from services.etc_billing.domain.tariff import (
    INTERVAL_ID_LENGTH,
    NO_PRICE_FEN,
    STATION_ID_LENGTH,
    TYPE_SLOTS,
    VEHICLE_TYPES,
    Tariff,
)

PRICE_FEN_MAX = 1_000_000  # ten thousand yuan for one interval is a slip of the pen
LENGTH_M_MAX = 1_000_000
VERSION_LENGTH = 13
FILES = {
    "versions": {"version": ("version", "版本"), "effective_from": ("effective_from", "生效时间")},
    "intervals": {
        "interval_id": ("interval_id", "收费单元编号"),
        "owner": ("owner", "路段业主"),
        "length_m": ("length_m", "里程（米）"),
    },
    "stations": {"station_id": ("station_id", "收费站编号")},
    "prices": {
        "version": ("version", "版本"),
        "interval_id": ("interval_id", "收费单元编号"),
        "vehicle_type": ("vehicle_type", "车型"),
        "price_fen": ("price_fen", "价格（分）"),
    },
}
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class FileError:
    """One thing that is wrong. `place`: the line or rule; `message`: what is wrong and what to do."""

    file: str
    place: str
    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.file} {self.place} {self.field}: {self.message}".replace("  ", " ")


@dataclass(frozen=True, slots=True)
class TariffImport:
    """What a folder holds. `tariff`, `rules`: None unless there are no errors. `missing_price_count`: of no price."""

    tariff: Tariff | None
    rules: RatingRules | None
    errors: tuple[FileError, ...] = ()
    missing_price_count: int = 0


def tariff_in(folder: Path) -> TariffImport:
    """Read a tariff with its rules; every error of every file is told at once."""
    errors: list[FileError] = []
    versions = _keyed(folder, "versions", errors, "version", _version, _effective_from)
    intervals = _keyed(folder, "intervals", errors, "interval_id", _interval_id, _interval)
    stations = _keyed(folder, "stations", errors, "station_id", _station_id, lambda _line: None)
    ordered = sorted(versions, key=lambda version: versions[version])
    for before, after in pairwise(ordered):
        if versions[before] == versions[after]:
            message = f"takes effect when {before} does; give each version a time of its own"
            errors.append(FileError("versions", "", after, message))
    prices = _prices(folder, ordered, list(intervals), errors)
    rules = _rules(folder, errors)
    if errors:
        return TariffImport(None, None, tuple(errors))
    tariff = Tariff(
        interval_ids=tuple(intervals),
        owners=tuple(owner for owner, _ in intervals.values()),
        lengths_m=np.array([length_m for _, length_m in intervals.values()], np.int32),
        station_ids=tuple(stations),
        versions=tuple(ordered),
        from_ms=np.array([versions[version] for version in ordered], np.int64),
        prices_fen=prices,
    )
    return TariffImport(tariff, rules, (), int(np.count_nonzero(prices == NO_PRICE_FEN)))


class _Wrong(Exception):
    """A field of a line that cannot be used."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name
        self.message = message


@dataclass(slots=True)
class _Lines:
    """The lines of one table; what is wrong with the file as a whole is among the errors."""

    folder: Path
    name: str
    errors: list[FileError]
    file: str = field(init=False, default="")

    def __iter__(self) -> Iterator[TableRow]:
        self.file = self.name
        try:
            path = table_in(self.folder, self.name)
            self.file = path.name
            yield from rows_in(path, FILES[self.name])
        except InvalidInput as error:
            self.errors += [FileError(self.file, "", "", violation.message) for violation in error.violations]

    def wrong(self, line: TableRow, name: str, message: str) -> None:
        """Tell what is wrong with a field of a line."""
        self.errors.append(FileError(self.file, f"line {line.number}", name, message))


def _keyed(
    folder: Path,
    name: str,
    errors: list[FileError],
    key: str,
    key_of: Callable[[TableRow], str],
    value_of: Callable[[TableRow], _T],
) -> dict[str, _T]:
    """The lines of a table by their key, which stands once."""
    found: dict[str, _T] = {}
    lines = _Lines(folder, name, errors)
    for line in lines:
        try:
            identity, value = key_of(line), value_of(line)
        except _Wrong as wrong:
            lines.wrong(line, wrong.name, wrong.message)
            continue
        if identity in found:
            lines.wrong(line, key, f"{identity} stands twice; keep one line")
        found[identity] = value
    if not found and not errors:
        errors.append(FileError(lines.file, "", "", "has no lines below its headings; add some"))
    return found


def _prices(folder: Path, versions: list[str], interval_ids: list[str], errors: list[FileError]) -> np.ndarray:
    prices = np.full((len(versions), len(interval_ids), len(VEHICLE_TYPES)), NO_PRICE_FEN, np.int32)
    version_rows = {version: row for row, version in enumerate(versions)}
    numbers = {interval_id: number for number, interval_id in enumerate(interval_ids)}
    lines = _Lines(folder, "prices", errors)
    for line in lines:
        try:
            place = (
                _known(line, "version", version_rows, "versions"),
                _known(line, "interval_id", numbers, "intervals"),
                _slot(line),
            )
            price_fen = _whole(line, "price_fen", PRICE_FEN_MAX, "fen, such as 465 for 4.65 yuan")
        except _Wrong as wrong:
            lines.wrong(line, wrong.name, wrong.message)
            continue
        if prices[place] != NO_PRICE_FEN:
            lines.wrong(line, "price_fen", "is a second price of the same version, interval and type; keep one line")
        prices[place] = price_fen
    return prices


def _rules(folder: Path, errors: list[FileError]) -> RatingRules | None:
    path = folder / "rules.json"
    if not path.is_file():
        errors.append(FileError(path.name, "", "", f'is missing; add it to {folder.name}, {{"rules": []}} for none'))
        return None
    try:
        rules, complaints = rules_in(text_in(path))
    except InvalidInput as error:
        errors += [FileError(path.name, "", "", violation.message) for violation in error.violations]
        return None
    errors += [FileError(path.name, place, name, message) for place, name, message in complaints]
    return rules


def _version(line: TableRow) -> str:
    return _matching(line, "version", rf"\d{{{VERSION_LENGTH}}}", f"{VERSION_LENGTH} digits")


def _interval_id(line: TableRow) -> str:
    return _matching(line, "interval_id", rf"[0-9A-Z]{{{INTERVAL_ID_LENGTH}}}", f"{INTERVAL_ID_LENGTH} characters")


def _station_id(line: TableRow) -> str:
    return _matching(line, "station_id", rf"[0-9A-Z]{{{STATION_ID_LENGTH}}}", f"{STATION_ID_LENGTH} characters")


def _interval(line: TableRow) -> tuple[str, int]:
    if not line.cells["owner"]:
        raise _Wrong("owner", "is empty; say who is owed for this interval")
    return line.cells["owner"], _whole(line, "length_m", LENGTH_M_MAX, "metres")


def _effective_from(line: TableRow) -> int:
    written = line.cells["effective_from"]
    try:
        instant = datetime.fromisoformat(written)
    except ValueError:
        raise _Wrong("effective_from", f"{written!r} is no time; write it as 2026-01-01T00:00+08:00") from None
    return milliseconds(instant if instant.tzinfo else instant.replace(tzinfo=SHANGHAI))


def _matching(line: TableRow, name: str, pattern: str, what: str) -> str:
    written = line.cells[name]
    if not re.fullmatch(pattern, written, re.ASCII):
        raise _Wrong(name, f"{written!r} is not {what}, digits and capital letters; correct it")
    return written


def _known(line: TableRow, name: str, known: dict[str, int], table: str) -> int:
    written = line.cells[name]
    if written not in known:
        raise _Wrong(name, f"{written!r} is not among the {table}; correct it or add it there")
    return known[written]


def _slot(line: TableRow) -> int:
    vehicle_type = _whole(line, "vehicle_type", 255, "vehicle type")
    if vehicle_type not in VEHICLE_TYPES:
        raise _Wrong("vehicle_type", f"{vehicle_type} is none of JT/T 489-2019: 1–4, 11–16, 21–26")
    return int(TYPE_SLOTS[vehicle_type])


def _whole(line: TableRow, name: str, most: int, unit: str) -> int:
    written = line.cells[name]
    if not (written.isascii() and written.isdigit()) or len(written) > 12 or int(written) > most:
        raise _Wrong(name, f"{written!r} is no whole number from 0 to {most} of {unit}")
    return int(written)
