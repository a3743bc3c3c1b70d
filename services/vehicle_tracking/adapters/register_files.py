"""Register files: CSV (utf-8 with or without mark, gb18030) and XLSX, with Chinese or English headings."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from openpyxl import Workbook

from common.errors import Violation
from common.infra import table_files
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
    for line in table_files.rows_in(path, HEADINGS, required=REQUIRED):
        yield _row(line.number, line.cells)


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


def _row(number: int, values: Mapping[str, str]) -> FileRow:
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
