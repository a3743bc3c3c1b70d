"""The synthetic tariff: one price for each interval, type and time, and files that say that they are synthetic."""

from __future__ import annotations

import csv
import json
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from simulation.toll_tariff import FREE_CLASSES, RATES_FEN_KM, VERSIONS, Passed, synthetic_tariff, write_tariff
from tests.simulation.toll_world import world

FILES = {"versions.csv", "intervals.csv", "stations.csv", "owners.csv", "prices.csv", "rules.json"}


def instant_ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_the_price_is_that_of_the_version_in_force() -> None:
    _, _, tariff, _ = world()
    times_ms = np.array([instant_ms("2026-06-30T23:59:59+08:00"), instant_ms("2026-07-01T00:00:00+08:00")])
    before, after = tariff.prices_at(times_ms, np.array([5, 5], np.int32), np.array([16, 16], np.uint8)).tolist()
    place = list(RATES_FEN_KM).index(16)
    assert (before, after) == (tariff.prices_fen[0, 5, place], tariff.prices_fen[1, 5, place])
    assert 0 < before < after


def test_larger_vehicles_pay_more_and_no_price_is_absurd() -> None:
    network, _, tariff, _ = world()
    assert (np.diff(tariff.prices_fen[0][:, 4:10], axis=1) > 0).all()
    fen_km = tariff.prices_fen[0][:, 0] * 1000 / network.lengths_m
    assert fen_km.min() > 35 and fen_km.max() < 60


def test_a_holiday_is_free_from_its_first_midnight_to_its_last() -> None:
    tariff = world().tariff
    texts = (
        "2026-09-30T23:59:59+08:00",
        "2026-10-01T00:00:00+08:00",
        "2026-10-07T23:59:59+08:00",
        "2026-10-08T00:00:00+08:00",
    )
    assert tariff.holidays_at(np.array([instant_ms(text) for text in texts])).tolist() == [False, True, True, False]


def test_the_files_hold_the_tariff_and_are_labelled_synthetic(tmp_path: Path) -> None:
    network, _, tariff, _ = world()
    write_tariff(tmp_path / "tariff", network, tariff)
    folder = tmp_path / "tariff"
    assert {path.name for path in folder.iterdir()} == FILES
    assert [row["interval_id"] for row in table(folder / "intervals.csv")] == [i.interval_id for i in network.intervals]
    assert [row["version"] for row in table(folder / "versions.csv")] == list(VERSIONS)
    prices = [int(row["price_fen"]) for row in table(folder / "prices.csv")]
    assert prices == tariff.prices_fen.ravel().tolist()
    rules = json.loads((folder / "rules.json").read_text("utf-8"))
    assert "synthetic" in rules["note"] and all("示例" in rule["name_zh"] for rule in rules["rules"])
    free = [
        rule["product"] for rule in rules["rules"] if set(rule) == {"code", "product", "name_zh", "name_en", "order"}
    ]
    assert len(free) == len(FREE_CLASSES) + 1  # and whole yuan


def test_the_same_seed_writes_the_same_bytes(tmp_path: Path) -> None:
    network = world().network
    for name, seed in (("one", 1), ("same", 1), ("other", 2)):
        write_tariff(tmp_path / name, network, synthetic_tariff(network, seed))
    one, same, other = ((tmp_path / name / "prices.csv").read_bytes() for name in ("one", "same", "other"))
    assert one == same
    assert one != other


@pytest.mark.parametrize(
    ("hour", "vehicle_type", "klass", "due"),
    [
        (21, 16, 0, 1_005),
        (22, 16, 0, 905),  # 904.5
        (5, 11, 0, 905),
        (6, 11, 0, 1_005),
        (23, 1, 0, 1_005),
        (12, 16, 28, 704),  # 703.5
        (12, 16, 24, 1_005),
        (23, 16, 28, 634),  # 633.6 of 704
    ],
)
def test_containers_and_trucks_at_night_pay_less(hour: int, vehicle_type: int, klass: int, due: int) -> None:
    network, _, tariff, _ = world()
    number = next(n for n, interval in enumerate(network.intervals) if interval.section.startswith("G0004"))
    passed = Passed(np.array([number], np.int32), np.array([instant_ms(f"2026-03-10T{hour:02d}:00:00+08:00")]))
    dues = tariff.reduced(np.array([1_005]), passed, np.array([vehicle_type], np.uint8), np.array([klass], np.uint8))
    assert dues.tolist() == [due]
