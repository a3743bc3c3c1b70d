"""Tables as CSV and XLSX."""

from __future__ import annotations

from pathlib import Path

import pytest
from openpyxl import Workbook

from common.errors import InvalidInput
from common.infra.table_files import rows_in, table_in

HEADINGS = {"owner": ("owner", "路段业主"), "length_m": ("length_m", "里程（米）")}


def written(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030"])
def test_encodings_headings_and_order_of_columns_do_not_matter(tmp_path: Path, encoding: str) -> None:
    path = written(tmp_path / "a.csv", "里程（米）, 路段业主 \r\n9000,示例甲\r\n\r\n ,示例乙\r\n8000\r\n", encoding)
    rows = [(row.number, dict(row.cells)) for row in rows_in(path, HEADINGS)]
    assert rows == [
        (2, {"owner": "示例甲", "length_m": "9000"}),
        (4, {"owner": "示例乙", "length_m": ""}),
        (5, {"owner": "", "length_m": "8000"}),
    ]


def test_xlsx_numbers_are_read_as_they_are_meant(tmp_path: Path) -> None:
    book = Workbook()
    for line in (["owner", "length_m"], ["示例", 9000.0], [None, None], [43, "8000"]):
        book.worksheets[0].append(line)
    book.save(tmp_path / "a.xlsx")
    rows = [(row.number, *row.cells.values()) for row in rows_in(tmp_path / "a.xlsx", HEADINGS)]
    assert rows == [(2, "示例", "9000"), (4, "43", "8000")]


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("a.csv", b"owner\n", "the first line has no column length_m"),
        ("a.csv", b"", "the first line has no column owner"),
        ("a.csv", b"\xff\xff\xff", "neither utf-8 nor gb18030"),
        ("a.csv", b'owner,length_m\n"' + b"x" * 200_000, "cannot be read as CSV"),
        ("a.xlsx", b"PK", "cannot be read as XLSX"),
    ],
)
def test_a_file_that_is_no_table_is_refused_with_what_to_do(
    tmp_path: Path, name: str, content: bytes, what: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InvalidInput, match=what):
        list(rows_in(tmp_path / name, HEADINGS))


def test_a_file_that_is_too_big_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="split it"):
        list(rows_in(written(tmp_path / "a.csv", "owner,length_m"), HEADINGS, bytes_max=13))


def test_a_column_that_need_not_be_there_is_in_no_row(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", "owner\n示例\n")
    assert [dict(row.cells) for row in rows_in(path, HEADINGS, required=("owner",))] == [{"owner": "示例"}]
    with pytest.raises(InvalidInput, match="no column length_m"):
        list(rows_in(path, HEADINGS, required=("length_m",)))


def test_a_table_is_in_one_file(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"is missing; add prices\.csv or prices\.xlsx"):
        table_in(tmp_path, "prices")
    written(tmp_path / "prices.csv", "")
    assert table_in(tmp_path, "prices") == tmp_path / "prices.csv"
    written(tmp_path / "prices.xlsx", "")
    with pytest.raises(InvalidInput, match="is there twice"):
        table_in(tmp_path, "prices")
