"""Tables in files: CSV (utf-8 with or without mark, gb18030) and XLSX, with Chinese or English headings."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openpyxl import load_workbook

from common.errors import InvalidInput, Violation

FILE_BYTES_MAX = 512 * 1024 * 1024  # a register of millions, and ten times a province's prices in ten versions


@dataclass(frozen=True, slots=True)
class TableRow:
    """One line with content. `number`: as a spreadsheet shows it; `cells`: by the name of each column that is there."""

    number: int
    cells: Mapping[str, str]


def table_in(folder: Path, name: str) -> Path:
    """The file of a table: `name`.csv or `name`.xlsx. Raises InvalidInput when there is none or there are both."""
    found = [path for suffix in (".csv", ".xlsx") if (path := folder / f"{name}{suffix}").is_file()]
    if len(found) != 1:
        what = "is missing; add" if not found else "is there twice; keep one of"
        raise InvalidInput(Violation(name, f"{what} {name}.csv or {name}.xlsx in {folder.name}"))
    return found[0]


def rows_in(
    path: Path,
    headings: Mapping[str, Sequence[str]],
    *,
    required: Collection[str] | None = None,
    bytes_max: int = FILE_BYTES_MAX,
) -> Iterator[TableRow]:
    """Every line with content below the headings, in order. `headings`: the words for each column; `required`: those
    that must be there, all when not said.

    Raises InvalidInput when the file as a whole cannot be read.
    """
    if path.stat().st_size > bytes_max:
        raise InvalidInput(Violation(path.name, f"is over {bytes_max >> 20} MiB; split it"))
    lines = enumerate(_xlsx(path) if path.suffix.lower() == ".xlsx" else _csv(path), 1)
    _, heading = next(lines, (0, []))
    columns = _columns(heading, headings)
    _check(path.name, columns, headings, headings if required is None else required)
    for number, line in lines:
        if any(line):
            yield TableRow(number, {name: line[at] if at < len(line) else "" for name, at in columns.items()})


def text_in(path: Path) -> str:
    """The text of a file in utf-8 or gb18030. Raises InvalidInput when it is neither."""
    raw = path.read_bytes()
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise InvalidInput(Violation(path.name, "is neither utf-8 nor gb18030; save it as one of them"))


def _csv(path: Path) -> Iterator[list[str]]:
    try:
        for line in csv.reader(io.StringIO(text_in(path), newline="")):
            yield [cell.strip() for cell in line]
    except csv.Error as error:
        raise InvalidInput(Violation(path.name, f"cannot be read as CSV: {error}; save it anew as CSV")) from error


def _xlsx(path: Path) -> Iterator[list[str]]:
    try:
        book = load_workbook(path, read_only=True, data_only=True)
    except Exception as error:  # openpyxl raises of many kinds, all of them about the file
        raise InvalidInput(Violation(path.name, f"cannot be read as XLSX: {error}; save it anew as XLSX")) from error
    try:
        for line in book.worksheets[0].iter_rows(values_only=True):
            yield [_text(cell) for cell in line]
    finally:
        book.close()


def _text(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))  # a number that the spreadsheet keeps as a float
    return str(cell).strip()


def _columns(heading: list[str], headings: Mapping[str, Sequence[str]]) -> dict[str, int]:
    plain = [cell.lower() for cell in heading]
    return {name: plain.index(word) for name, words in headings.items() for word in reversed(words) if word in plain}


def _check(
    file: str, columns: Mapping[str, int], headings: Mapping[str, Sequence[str]], required: Collection[str]
) -> None:
    missing = [name for name in required if name not in columns]
    if missing:
        expected = ", ".join(f"{name} ({headings[name][-1]})" for name in missing)
        raise InvalidInput(Violation(file, f"the first line has no column {expected}; add it"))
