"""`xiangtong billing verify` says how many blocks there are, and fails when one was altered."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner

from common.clock import ManualClock
from common.infra.migrations import migrate
from common.infra.postgres import open_pool
from services.command_line import app
from services.etc_billing.adapters.ledger_store import LedgerStore
from services.etc_billing.flows.posting import posted
from tests.etc_billing.exit_world import rated, records

pytestmark = [pytest.mark.enable_socket, pytest.mark.services("postgres")]
MIGRATIONS = Path(__file__).resolve().parents[2] / "services" / "etc_billing" / "migrations"


def test_what_was_altered_is_named_and_the_command_fails(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XIANGTONG_POSTGRES", postgres_url)
    migrate(postgres_url, MIGRATIONS)
    with open_pool(postgres_url) as pool:
        posted(records({}, {}), ledger=LedgerStore(pool, 3), rating=rated, clock=ManualClock(1))
    runner = CliRunner()
    sound = runner.invoke(app, ["billing", "verify"])
    assert (sound.exit_code, sound.output) == (0, "1 blocks, 0 faults\n")
    with psycopg.connect(postgres_url) as connection:
        connection.execute(b"ALTER TABLE billing.passages DISABLE TRIGGER append_only")
        connection.execute(b"UPDATE billing.passages SET charge_fen = 0 WHERE row_number = 1")
    altered = runner.invoke(app, ["billing", "verify"])
    assert altered.exit_code == 1
    assert "block 1 of chain 3: its passages" in altered.output
