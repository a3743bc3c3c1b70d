"""clear-day: a province-day of exit records cleared, from the ledger to owner files in a folder and the closed day."""

from __future__ import annotations

import os
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from bench.results import Result
from common.clock import ManualClock
from common.infra.archive import FolderArchive
from common.infra.migrations import migrate
from common.infra.postgres import Pool, open_pool
from common.infra.servers_postgres import EmbeddedPostgres
from services.etc_billing.adapters.clearing_store import ClearingStore
from services.etc_billing.adapters.ledger_store import LedgerStore
from services.etc_billing.adapters.tariff_files import tariff_in
from services.etc_billing.convert.exit_records import exit_records_of
from services.etc_billing.domain.rating import RatingRules
from services.etc_billing.domain.tariff import Tariff
from services.etc_billing.flows.clearing import EPOCH, clear
from services.etc_billing.flows.posting import posted
from services.etc_billing.flows.rated_records import TariffRating
from simulation.province import province
from simulation.toll_exits import exit_names
from simulation.toll_messages import NO_FEE_FEN, exit_messages
from simulation.toll_network import toll_network, ways
from simulation.toll_tariff import synthetic_tariff, write_tariff
from simulation.toll_trips import toll_trips

MIGRATIONS = Path(__file__).resolve().parent.parent / "services" / "etc_billing" / "migrations"
SEED, DAY = 43, date(2026, 3, 2)
WHOLE_DAY = 1_200_000
PASSAGES = WHOLE_DAY if os.environ.get("FULL") == "1" else WHOLE_DAY // 10
CALL_RECORDS = 10_000
AFTERWARDS = ManualClock(int((DAY - EPOCH + timedelta(days=5)).total_seconds()) * 1000)
TARGET_MINUTES, TARGET_GB = 10, 4


def run() -> Result:
    """Minutes for a whole day (a tenth is scaled), and the most memory that clearing took."""
    with tempfile.TemporaryDirectory(prefix="xiangtong-clear-") as name:
        folder = Path(name)
        server = EmbeddedPostgres(folder / "data")
        server.start()
        try:
            migrate(server.url, MIGRATIONS)
            with open_pool(server.url) as pool:
                tariff = _posted(folder, pool)
                return _cleared(folder, pool, server.url, tariff)
        finally:
            server.stop()


def _posted(folder: Path, pool: Pool) -> Tariff:
    """Post a day's exits straight through the ledger store. Returns the tariff, which is synthetic."""
    network = toll_network(province(SEED), SEED)
    write_tariff(folder / "tariff", network, synthetic_tariff(network, SEED))
    found = tariff_in(folder / "tariff")
    assert found.tariff is not None, found.errors
    trips = toll_trips(network, ways(network), seed=SEED, count=PASSAGES, day=DAY)
    names, fees_fen = exit_names(trips, network), np.full(PASSAGES, NO_FEE_FEN)
    ledger, rating = LedgerStore(pool, 1), TariffRating(found.tariff, found.rules or RatingRules())
    for message in exit_messages(trips, network, names, fees_fen, size=CALL_RECORDS):
        posted(exit_records_of(message), ledger=ledger, rating=rating, clock=AFTERWARDS)
    return found.tariff


def _cleared(folder: Path, pool: Pool, url: str, tariff: Tariff) -> Result:
    # Trips of a day may leave the network after midnight: a day later all of them are due.
    day = (DAY - EPOCH).days + 1
    store, archive = ClearingStore(pool, url), FolderArchive(folder / "archive")
    _forget_peak()
    start_s = time.perf_counter()
    outcome = clear(day, tariff=tariff, clearings=store, files=archive, clock=AFTERWARDS)
    spent_s, peak_gb = time.perf_counter() - start_s, _peak_gb()
    passages, lines = outcome.closed.passage_count, sum(sheet.line_count for sheet in outcome.sheets)
    if passages != PASSAGES or sum(sheet.total_fen for sheet in outcome.sheets) != outcome.closed.total_fen:
        raise AssertionError(f"{passages} passages of {PASSAGES} were cleared, or owners get another sum")
    minutes = spent_s / 60 * WHOLE_DAY / PASSAGES
    scaled = "" if PASSAGES == WHOLE_DAY else f"scaled from {PASSAGES:,} exits in {spent_s:.1f} s; "
    return Result(
        slug="clear-day",
        figure=minutes,
        unit="min a province-day",
        target=f"<= {TARGET_MINUTES} min, <= {TARGET_GB} GB",
        met=minutes <= TARGET_MINUTES and peak_gb <= TARGET_GB,
        note=f"{scaled}{lines:,} lines of {len(outcome.sheets)} owners, {peak_gb:.2f} GB at most in the clearing"
        " process; one core; from exit records alone, gantry records take no part yet",
        spread=(minutes, minutes),
    )


def _forget_peak() -> None:
    """Linux begins to count the most memory anew."""
    Path("/proc/self/clear_refs").write_text("5")


def _peak_gb() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    [peak] = [line for line in lines if line.startswith("VmHWM:")]
    return int(peak.split()[1]) / 1024**2
