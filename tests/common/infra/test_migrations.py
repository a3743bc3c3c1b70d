"""Each migration is applied once, whole or not at all, whoever else migrates at the same moment."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from common.errors import Unavailable
from common.infra.migrations import migrate

pytestmark = [pytest.mark.enable_socket, pytest.mark.services("postgres")]


def folder(root: Path, service: str, **files: str) -> Path:
    place = root / service / "migrations"
    place.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (place / f"{name.removeprefix('_')}.sql").write_text(text, "utf-8")
    return place


def count(url: str, table: str) -> int:
    with psycopg.connect(url) as connection:
        return int(connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()[0])  # type: ignore[index]


def test_files_are_applied_in_order_and_once_when_several_processes_migrate(postgres_url: str, tmp_path: Path) -> None:
    place = folder(
        tmp_path, "a", _0002="INSERT INTO once VALUES (1); -- 湖南 100 %", _0001="CREATE TABLE once (number int);"
    )
    with ThreadPoolExecutor(4) as processes:
        list(processes.map(lambda _: migrate(postgres_url, place), range(4)))
    assert count(postgres_url, "once") == 1


def test_a_later_file_is_applied_to_what_is_there(postgres_url: str, tmp_path: Path) -> None:
    migrate(postgres_url, folder(tmp_path, "b", _0001="CREATE TABLE grown (number int)"))
    migrate(postgres_url, folder(tmp_path, "b", _0002="INSERT INTO grown VALUES (1), (2)"))
    assert count(postgres_url, "grown") == 2


def test_two_services_may_have_files_of_the_same_name(postgres_url: str, tmp_path: Path) -> None:
    migrate(postgres_url, folder(tmp_path, "c", _0001="CREATE TABLE of_c ()"))
    migrate(postgres_url, folder(tmp_path, "d", _0001="CREATE TABLE of_d ()"))
    assert count(postgres_url, "of_c") == count(postgres_url, "of_d") == 0


def test_a_file_that_fails_leaves_nothing_behind_and_is_applied_when_it_is_right(
    postgres_url: str, tmp_path: Path
) -> None:
    wrong = folder(tmp_path, "e", _0001="CREATE TABLE half (number int); INSERT INTO nowhere VALUES (1);")
    with pytest.raises(psycopg.Error, match="nowhere"):
        migrate(postgres_url, wrong)
    migrate(postgres_url, folder(tmp_path, "e", _0001="CREATE TABLE half (number int); INSERT INTO half VALUES (1);"))
    assert count(postgres_url, "half") == 1


def test_a_file_may_ask_to_run_outside_of_a_transaction(postgres_url: str, tmp_path: Path) -> None:
    place = folder(
        tmp_path,
        "g",
        _0001="CREATE TABLE big (number int)",
        _0002="-- transactional: false\nCREATE INDEX CONCURRENTLY IF NOT EXISTS big_number ON big (number)",
    )
    migrate(postgres_url, place)
    migrate(postgres_url, place)
    assert count(postgres_url, "pg_indexes WHERE indexname = 'big_number'") == 1


def test_a_folder_that_does_not_exist_is_no_error(postgres_url: str, tmp_path: Path) -> None:
    migrate(postgres_url, tmp_path / "nobody" / "migrations")


def test_a_database_that_is_away_is_unavailable(tmp_path: Path) -> None:
    place = folder(tmp_path, "f", _0001="CREATE TABLE x ()")
    with pytest.raises(Unavailable):
        migrate(f"postgresql://postgres@/x?host={tmp_path}", place)
