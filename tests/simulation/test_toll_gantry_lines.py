"""Gantry records as lines: layouts, groups that add up, and intervals that are those of the exit records."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from datetime import date

import numpy as np

from simulation.toll_evasion import Evasion
from simulation.toll_exits import exit_lines, exit_names
from simulation.toll_gantries import gantry_records
from simulation.toll_gantry_lines import PLATE_UNREAD, gantry_lines
from simulation.toll_truth import charged
from simulation.toll_vehicles import NO_MEDIUM, OBU
from tests.simulation.toll_world import World, world

LAYOUTS = {
    "trade_id": r"[GS]\d{4}43\d{3}0\d{3}[12]0010\d{10}\d{6}",
    "gantry_id": r"[GS]\d{4}43\d{3}0\d{3}[12]0010",
    "gantry_hex": "[0-9A-F]{6}",
    "hour_batch_no": r"\d{10}",
    "pass_id": r"(\d{36})?",
    "cpu_card_id": r"(\d{20})?",
    "obu_sn": r"(\d{16})?",
    "en_station_hex": "([0-9A-F]{8})?",
    "tac": "[0-9A-F]{8}",
    "terminal_no": "[0-9A-F]{12}",
    "terminal_trans_no": "[0-9A-F]{8}",
}
GROUPS = ("toll_interval_id", "pay_fee_group", "discount_fee_group", "fee_group", "toll_interval_sign")
Json = dict[str, object]


def lines(made: World) -> list[str]:
    names = exit_names(made.trips, made.network)
    records = gantry_records(made.trips, 1)
    return [line for chunk in gantry_lines(made.trips, made.network, made.tariff, names, records) for line in chunk]


LINES = lines(world())
RECORDS = [json.loads(line) for line in LINES]


def groups(record: Json) -> list[list[str]]:
    return [str(record[name]).split("|") for name in GROUPS]


def test_every_text_fits_its_layout() -> None:
    for record in RECORDS:
        for name, layout in LAYOUTS.items():
            assert re.fullmatch(layout, record[name]), (name, record[name])
        assert record["trade_id"].startswith(record["gantry_id"] + record["hour_batch_no"])


def test_a_trade_id_comes_again_only_as_the_same_line() -> None:
    by_id: dict[str, set[str]] = defaultdict(set)
    for record, line in zip(RECORDS, LINES, strict=True):
        by_id[record["trade_id"]].add(line)
    assert all(len(found) == 1 for found in by_id.values())
    assert max(Counter(LINES).values()) == 2


def test_groups_are_of_one_length_and_add_up_to_the_totals() -> None:
    for record in RECORDS:
        ids, pays, discounts, fees, signs = groups(record)
        assert len(ids) == len(pays) == len(discounts) == len(fees) == len(signs) == record["rate_fit_count"] + 1
        assert ids[-1] + "010" == record["gantry_id"]
        assert signs == ["5"] * (len(ids) - 1) + ["1"]
        assert [int(pay) - int(discount) for pay, discount in zip(pays, discounts, strict=True)] == [
            int(f) for f in fees
        ]
        assert sum(map(int, pays)) == record["pay_fee"]
        assert sum(map(int, fees)) == record["fee"] == record["pay_fee"] - record["discount_fee"]


def test_a_failed_trade_says_so_and_has_a_zero_tac() -> None:
    failed = [record for record in RECORDS if record["trade_result"]]
    assert failed and all(record["tac"] == "00000000" == record["terminal_trans_no"] for record in failed)
    good = [record for record in RECORDS if not record["trade_result"] and record["media_type"] == OBU]
    assert all(record["tac"] != "00000000" != record["terminal_trans_no"] and record["trans_no"] for record in good)


def test_the_records_of_a_passage_hold_the_intervals_of_its_exit_record() -> None:
    network, _, tariff, trips = world()
    fees_fen = charged(trips, tariff).charges_fen
    sent = exit_lines(trips, network, exit_names(trips, network), fees_fen)
    exits = {record["pass_id"]: record for chunk in sent for record in map(json.loads, chunk)}
    passed: dict[str, set[str]] = defaultdict(set)
    for record in RECORDS:
        passed[str(record["pass_id"])] |= set(groups(record)[0])
    for pass_id, record in exits.items():
        if record["media_type"] != NO_MEDIUM:
            assert passed[pass_id] == {one["interval_id"] for one in record["intervals"]}


def test_a_picture_knows_the_plate_and_not_the_passage() -> None:
    pictures = [record for record in RECORDS if record["media_type"] == NO_MEDIUM]
    assert pictures and all(not record["pass_id"] and not record["cpu_card_id"] for record in pictures)
    shielded = np.flatnonzero(world().trips.kinds == Evasion.SHIELDED_OBU)
    plates = set(exit_names(world().trips, world().network).plates[shielded].tolist())
    assert plates <= {record["plate"] for record in pictures}
    assert 0.005 < np.mean([record["plate"] == PLATE_UNREAD for record in RECORDS]) < 0.015


def test_the_camera_sees_the_type_that_the_tag_does_not_say() -> None:
    differ = [r for r in RECORDS if r["media_type"] == OBU and r["identified_type"] != r["vehicle_type"]]
    small = world().trips.kinds == Evasion.BIG_VEHICLE_SMALL_TAG
    names = exit_names(world().trips, world().network)
    assert {record["pass_id"] for record in differ} == set(names.pass_ids[small].astype(str).tolist())


def test_the_gantry_before_is_that_of_the_interval_before() -> None:
    network = world().network
    ends = {f"{0x430000 + number:06X}": interval.end for number, interval in enumerate(network.intervals)}
    starts = {interval.interval_id: interval.start for interval in network.intervals}
    gaps = 0
    for record in RECORDS:
        if record["last_gantry_hex"] != "000000":
            gaps += ends[record["last_gantry_hex"]] != starts[groups(record)[0][0]]
    assert gaps <= 1.1 * (world().trips.kinds == Evasion.PATH_GAP).sum()


def test_on_a_holiday_the_total_is_nothing_and_the_groups_keep_the_tariff() -> None:
    records = [json.loads(line) for line in lines(world(day=date(2026, 10, 2)))]
    free = [record for record in records if record["holiday_state"]]
    assert len(free) > len(records) / 2
    assert all(record["fee"] == record["pay_fee"] == 0 < int(groups(record)[1][0]) for record in free)
