"""A simulated day of tolls, whose truth is known, through the billing's files, rating and split: no fen differs."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from services.etc_billing.adapters.passage_files import exits_in
from services.etc_billing.adapters.tariff_files import tariff_in
from services.etc_billing.domain.exit_records import refusals
from services.etc_billing.domain.rating import rate
from services.etc_billing.domain.split import allocated_fen, id_ranks
from simulation.province import province
from simulation.toll_exits import exit_lines, exit_names
from simulation.toll_network import toll_network, ways
from simulation.toll_tariff import synthetic_tariff, write_tariff
from simulation.toll_trips import toll_trips
from simulation.toll_truth import charged, split

SEED, COUNT = 20_251_125, 20_000
DAYS = (date(2026, 3, 10), date(2026, 10, 1))  # an ordinary day; a free holiday, in the second version of the tariff


@pytest.mark.parametrize("day", DAYS, ids=str)
def test_the_billing_charges_and_splits_as_the_truth_does(day: date, tmp_path: Path) -> None:
    network = toll_network(province(SEED), SEED, intervals=400, stations=150)
    synthetic = synthetic_tariff(network, SEED)
    trips = toll_trips(network, ways(network), seed=SEED, count=COUNT, day=day)
    truth = charged(trips, synthetic)
    lanes_fen = np.full(COUNT, -1)  # the lanes have charged nothing: nothing is told
    write_tariff(tmp_path / "tariff", network, synthetic)
    with (tmp_path / "exits.jsonl").open("w", encoding="utf-8") as stream:
        for lines in exit_lines(trips, network, exit_names(trips, network), lanes_fen):
            stream.writelines(f"{line}\n" for line in lines)

    imported = tariff_in(tmp_path / "tariff")
    assert imported.errors == ()
    assert imported.tariff is not None and imported.rules is not None
    charges_fen, shares_fen = [], []
    for chunk in exits_in(tmp_path / "exits.jsonl", imported.tariff):
        assert chunk.rejections == () and not refusals(chunk.records).any()
        passages = chunk.records.passages
        charges = rate(passages, imported.tariff, imported.rules)
        charges_fen.append(charges.charge_fen)
        ranks, starts = id_ranks(chunk.records.interval_ids), passages.intervals.starts
        shares_fen.append(allocated_fen(charges.charge_fen, charges.interval_fee_fen, starts, ranks))
    assert np.concatenate(charges_fen).tolist() == truth.charges_fen.tolist(), f"seed {SEED}"
    assert np.concatenate(shares_fen).tolist() == split(trips, truth)[trips.seen].tolist(), f"seed {SEED}"
