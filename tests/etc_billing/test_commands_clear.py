"""`xiangtong billing clear`, `prove` and `check-proof` from the outside."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from common.clock import ManualClock
from common.infra.migrations import migrate
from common.infra.postgres import open_pool
from services.command_line import app
from services.etc_billing.adapters.ledger_store import LedgerStore
from services.etc_billing.flows.posting import posted
from tests.etc_billing.exit_world import DAY_MS, INTERVALS, exit_id, rated, records
from tests.etc_billing.tariff_folders import VERSION, tariff_folder

pytestmark = [pytest.mark.enable_socket, pytest.mark.services("postgres")]
MIGRATIONS = Path(__file__).resolve().parents[2] / "services" / "etc_billing" / "migrations"
BEFORE_MS = 30 * 86_400_000  # a day that is over


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["billing", *arguments], env={"COLUMNS": "200"})


@pytest.fixture
def tariff(tmp_path: Path) -> str:
    folder = tariff_folder(
        tmp_path / "tariff",
        intervals=["interval_id,owner,length_m", *(f"{name},示例业主,9000" for name in INTERVALS)],
        prices=["version,interval_id,vehicle_type,price_fen", *(f"{VERSION},{name},1,500" for name in INTERVALS)],
    )
    return str(folder)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One archive, for there is one database."""
    return tmp_path_factory.mktemp("archive")


@pytest.fixture
def prepared(postgres_url: str, archive: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XIANGTONG_POSTGRES", postgres_url)
    monkeypatch.setenv("XIANGTONG_ARCHIVE", str(archive))
    migrate(postgres_url, MIGRATIONS)
    row = {"exit_times_ms": DAY_MS - BEFORE_MS + 36_000_000, "entry_times_ms": DAY_MS - BEFORE_MS + 32_400_000}
    with open_pool(postgres_url) as pool:
        posted(records(row, row), ledger=LedgerStore(pool, 1), rating=rated, clock=ManualClock(1))
    return archive


def test_a_day_is_closed_proved_and_checked_without_a_database(
    prepared: Path, tmp_path: Path, tariff: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run("clear", "2026-10-26", "--tariff", tariff)
    assert first.exit_code == 0, first.output
    assert "2026-10-26 is closed: 2 passages, 38.00 yuan" in first.output
    assert "示例业主: 4 lines, 38.00 yuan" in first.output
    proof = run("prove", exit_id(1), "--owner", "示例业主")
    file = tmp_path / "proof.json"
    file.write_text(proof.output, "utf-8")
    monkeypatch.setenv("XIANGTONG_POSTGRES", "postgresql://nobody@127.0.0.1:1/nothing")
    checked = run("check-proof", str(file), "--root", json.loads(proof.output)["root"])
    assert checked.exit_code == 0, checked.output
    assert "示例业主 2026-10-26: proved under the root" in checked.output
    assert run("check-proof", str(file), "--root", "00").exit_code == 1
    file.write_text(proof.output.replace(",950", ",951"), "utf-8")
    forged = run("check-proof", str(file))
    assert (forged.exit_code, "not proved" in forged.output) == (1, True)
    file.write_text("[]", "utf-8")
    assert "is no proof" in run("check-proof", str(file)).output


def test_a_closed_day_is_told_and_altered_sheets_are_named(prepared: Path, tariff: str) -> None:
    run("clear", "2026-10-26", "--tariff", tariff)
    again = run("clear", "2026-10-26", "--tariff", tariff)
    assert again.exit_code == 0, again.output
    assert "is closed already; nothing was changed" in again.output
    for sheet in (prepared / "clearing" / "2026-10-26").glob("*.csv"):
        sheet.write_bytes(b"other")
    altered = run("clear", "2026-10-26", "--tariff", tariff)
    assert (altered.exit_code, "not the sheets that were made: 示例业主" in altered.output) == (1, True)


def test_what_cannot_be_done_is_said(prepared: Path, tariff: str, tmp_path: Path) -> None:
    assert "is not over" in run("clear", "2999-01-01", "--tariff", tariff).output
    assert "--tariff or XIANGTONG_BILLING_TARIFF" in run("clear", "2026-10-26").output
    assert "no clearing" in run("prove", exit_id(77), "--owner", "示例业主").output
    (tmp_path / "empty").mkdir()
    assert run("clear", "2026-10-26", "--tariff", str(tmp_path / "empty")).exit_code == 1
