"""Register files: CSV (utf-8 with or without mark, gb18030) and XLSX, with Chinese or English headings."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openpyxl import Workbook, load_workbook

from common.errors import InvalidInput, Violation
from services.vehicle_tracking.domain.register import (
    PLATE_COLOURS,
    RegisterRow,
    find_kind,
    find_plate_colour,
    find_region_code,
    normal_phone,
    row_violations,
)
from services.vehicle_tracking.domain.vehicles import VehicleKind

FILE_BYTES_MAX = 512 * 1024 * 1024
HEADINGS = {
    "plate": ("plate", "车牌号", "车牌", "车牌号码"),
    "plate_colour": ("plate_colour", "plate colour", "plate_color", "车牌颜色"),
    "kind": ("kind", "vehicle_kind", "车辆类型", "车辆用途", "类型"),
    "enterprise_name": ("enterprise_name", "enterprise", "业户名称", "企业名称", "所属企业"),
    "region_code": ("region_code", "region", "行政区划", "地区", "地区代码"),
    "speed_kmh_max": ("speed_kmh_max", "speed limit", "限速", "最高限速"),
    "phone": ("phone", "sim", "终端手机号", "手机号", "sim卡号"),
    "vin": ("vin", "车架号", "车辆识别代号"),
}
REQUIRED = ("plate", "plate_colour", "kind", "region_code")


@dataclass(frozen=True, slots=True)
class FileRow:
    """One line of a file. `number`: as a spreadsheet shows it; `violations`: fields that no row can hold."""

    number: int
    row: RegisterRow
    violations: tuple[Violation, ...]


def rows_in(path: Path) -> Iterator[FileRow]:
    """Every line with content, in order. Raises InvalidInput when the file as a whole cannot be read."""
    if path.stat().st_size > FILE_BYTES_MAX:
        raise InvalidInput(Violation("file", f"is over {FILE_BYTES_MAX >> 20} MiB; split it"))
    cells = _xlsx(path) if path.suffix.lower() == ".xlsx" else _csv(path)
    lines = enumerate(cells, 1)
    _, heading = next(lines, (0, []))
    columns = _columns(heading)
    for number, line in lines:
        if any(line):
            values = {name: line[at] if at < len(line) else "" for name, at in columns.items()}
            yield _row(number, values)


def write_rows(path: Path, rows: Iterable[RegisterRow]) -> int:
    """Write rows under English headings; how many."""
    lines = [_words(row) for row in rows]
    if path.suffix.lower() == ".xlsx":
        book = Workbook(write_only=True)
        sheet = book.create_sheet("register")
        for line in (list(HEADINGS), *lines):
            sheet.append(line)
        book.save(path)
    else:
        with path.open("w", encoding="utf-8-sig", newline="") as file:  # the mark tells spreadsheets that it is utf-8
            csv.writer(file).writerows([list(HEADINGS), *lines])
    return len(lines)


def _words(row: RegisterRow) -> list[str | int]:
    """The cells of a row, in the order of HEADINGS."""
    colour, kind = PLATE_COLOURS[row.plate_colour][0], VehicleKind(row.kind).name.lower()
    return [row.plate, colour, kind, row.enterprise_name, row.region_code, row.speed_kmh_max, row.phone, row.vin]


def _csv(path: Path) -> Iterator[list[str]]:
    raw = path.read_bytes()
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            text = raw.decode(encoding)
            break
        except UnicodeDecodeError:
            continue
    else:
        raise InvalidInput(Violation("file", "is neither utf-8 nor gb18030; save it as one of them"))
    for line in csv.reader(io.StringIO(text, newline="")):
        yield [cell.strip() for cell in line]


def _xlsx(path: Path) -> Iterator[list[str]]:
    try:
        book = load_workbook(path, read_only=True, data_only=True)
    except Exception as error:  # openpyxl raises of many kinds, all of them about the file
        raise InvalidInput(Violation("file", f"cannot be read as XLSX: {error}")) from error
    try:
        for line in book.worksheets[0].iter_rows(values_only=True):
            yield [_text(cell) for cell in line]
    finally:
        book.close()


def _text(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))  # a phone that the spreadsheet took for a number
    return str(cell).strip()


def _columns(heading: list[str]) -> dict[str, int]:
    plain = [cell.lower() for cell in heading]
    found = {name: plain.index(word) for name, words in HEADINGS.items() for word in reversed(words) if word in plain}
    missing = [name for name in REQUIRED if name not in found]
    if missing:
        expected = ", ".join(f"{name} ({HEADINGS[name][1]})" for name in missing)
        raise InvalidInput(Violation("file", f"the first line has no column {expected}"))
    return found


def _row(number: int, values: dict[str, str]) -> FileRow:
    violations = []
    colour, kind = find_plate_colour(values["plate_colour"]), find_kind(values["kind"])
    region_code = find_region_code(values["region_code"])
    speed = values.get("speed_kmh_max", "") or "0"
    if not (speed.isascii() and speed.isdigit()):
        violations.append(Violation("speed_kmh_max", f"{speed!r} is no whole number of km/h"))
        speed = "0"
    row = RegisterRow(
        plate=values["plate"].upper().replace("·", ""),
        plate_colour=colour or 0,
        kind=int(kind or 0),
        region_code=region_code or values["region_code"],
        enterprise_name=values.get("enterprise_name", ""),
        speed_kmh_max=int(speed),
        phone=normal_phone(values.get("phone", "")),
        vin=values.get("vin", "").upper(),
    )
    return FileRow(number, row, (*violations, *row_violations(row)))
