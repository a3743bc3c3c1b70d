"""Register files in CSV and XLSX."""

from __future__ import annotations

from pathlib import Path

import pytest
from openpyxl import Workbook

from common.errors import InvalidInput
from services.vehicle_tracking.adapters.register_files import rows_in, write_rows
from services.vehicle_tracking.domain.register import RegisterRow

ROW = RegisterRow("湘A12345", 2, 1, "430100", "甲公司", 90, "13900000001", "LSVAA4182E2184847")
CHINESE = "车牌号,车牌颜色,车辆类型,地区,终端手机号\n湘A12345,黄色,班线客车,长沙市,013900000001\n"


@pytest.mark.parametrize("name", ["register.csv", "register.xlsx"])
def test_what_is_written_is_read_back(tmp_path: Path, name: str) -> None:
    assert write_rows(tmp_path / name, [ROW]) == 1
    (found,) = rows_in(tmp_path / name)
    assert (found.number, found.row, found.violations) == (2, ROW, ())


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_chinese_files_are_read_in_every_usual_encoding(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "a.csv").write_text(CHINESE, encoding)
    (found,) = rows_in(tmp_path / "a.csv")
    assert found.row == RegisterRow("湘A12345", 2, 1, "430100", phone="13900000001")


def test_a_phone_that_the_spreadsheet_took_for_a_number_is_kept(tmp_path: Path) -> None:
    book = Workbook()
    book.active.append(["plate", "plate_colour", "kind", "region", "phone"])  # type: ignore[union-attr]
    book.active.append(["湘A12345", 2.0, "taxi", 430100, 13900000001])  # type: ignore[union-attr]
    book.save(tmp_path / "a.xlsx")
    (found,) = rows_in(tmp_path / "a.xlsx")
    assert (found.row.phone, found.row.region_code, found.violations) == ("13900000001", "430100", ())


def test_a_wrong_line_keeps_its_number_and_names_its_columns(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(CHINESE + "\n湘A1,粉,班线客车,长沙,1\n", "utf-8")
    good, wrong = rows_in(tmp_path / "a.csv")
    assert good.violations == ()
    assert (wrong.number, [v.field for v in wrong.violations]) == (4, ["plate", "plate_colour"])


@pytest.mark.parametrize("content", [b"", b"plate,kind\n", b"\xff\xff\xff\xff"])
def test_a_file_without_the_columns_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(InvalidInput):
        list(rows_in(tmp_path / "a.csv"))
