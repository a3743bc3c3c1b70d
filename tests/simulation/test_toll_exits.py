"""Exit records: names in their layouts, and lines that say what the trips were."""

from __future__ import annotations

import json
import re
from datetime import datetime

import numpy as np

from simulation.toll_evasion import Evasion
from simulation.toll_exits import exit_lines, exit_names
from simulation.toll_truth import charged
from simulation.toll_vehicles import OBU
from tests.simulation.toll_world import COUNT, world

NETWORK, _, TARIFF, TRIPS = world()
NAMES = exit_names(TRIPS, NETWORK)
FEES_FEN = charged(TRIPS, TARIFF).charges_fen
LINES = [line for chunk in exit_lines(TRIPS, NETWORK, NAMES, FEES_FEN) for line in chunk]
RECORDS = [json.loads(line) for line in LINES]
LAYOUTS = {
    "exit_id": r"[GS]\d{4}43\d{3}0\d{3}0100\d\d0\d{14}\d\d",
    "pass_id": r"0[123]\d{4}\d{16}\d{14}",
    "card_id": r"(\d{20})?",
    "issuer_id": r"(\d{6})?",
    "entry_station_id": r"[GS]\d{4}43\d{3}0\d{3}",
    "plate": "湘[A-Z]{2}[0-9A-Z]{4}",
}


def test_every_text_fits_its_layout() -> None:
    for record in RECORDS:
        for name, layout in LAYOUTS.items():
            assert re.fullmatch(layout, record[name]), (name, record[name])


def test_exit_ids_are_unique_and_pass_ids_but_for_double_exits() -> None:
    assert len(set(NAMES.exit_ids.tolist())) == COUNT
    assert COUNT - len(set(NAMES.pass_ids.tolist())) == (TRIPS.kinds == Evasion.DOUBLE_EXIT).sum()


def test_a_card_belongs_to_the_network_of_its_issuer_and_pays_for_tags_only() -> None:
    for record in RECORDS:
        assert (record["media_type"] == OBU) == bool(record["card_id"]) == bool(record["issuer_id"])
        assert record["card_id"][:4] == record["issuer_id"][:4]
        assert record["media_type"] != OBU or record["pass_id"][2:22] == record["card_id"]


def test_a_line_says_what_the_trip_was() -> None:
    assert len(RECORDS) == COUNT
    for row in range(0, COUNT, 37):
        record, places = RECORDS[row], slice(TRIPS.starts[row], TRIPS.starts[row + 1])
        recorded = TRIPS.numbers[places][TRIPS.seen[places]].tolist()
        assert [one["interval_id"] for one in record["intervals"]] == [
            NETWORK.intervals[n].interval_id for n in recorded
        ]
        assert record["fee_fen"] == FEES_FEN[row]
        assert record["vehicle_type"] == TRIPS.vehicles.charged_types[row]
        exit_time = datetime.fromisoformat(record["exit_time"])
        assert exit_time.timestamp() * 1000 == TRIPS.exit_times_ms[row]
        assert record["exit_id"][21:35] == f"{exit_time:%Y%m%d%H%M%S}"
        assert record["pass_id"][-14:] == f"{datetime.fromisoformat(record['entry_time']):%Y%m%d%H%M%S}"


def test_the_lines_are_the_same_every_time() -> None:
    again = [line for chunk in exit_lines(TRIPS, NETWORK, exit_names(TRIPS, NETWORK), FEES_FEN) for line in chunk]
    assert again == LINES
    assert np.unique(NAMES.plates).size < COUNT
