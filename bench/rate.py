"""rate: passages of nine intervals each under a usual set of products, traces included, against plain scalar Python."""

from __future__ import annotations

import time

import numpy as np

from bench.rate_plain import Charge, Plain, charge_of, records_of
from bench.results import Result, repeated
from services.etc_billing.domain.passages import NO_FEE_FEN, Intervals, Passages
from services.etc_billing.domain.products.product import RatingRule
from services.etc_billing.domain.rating import Charges, rate, rules_of
from services.etc_billing.domain.tariff import VEHICLE_TYPES, Tariff

PASSAGE_COUNT, COMPARED_COUNT, INTERVALS_A_PASSAGE = 200_000, 20_000, 9
BATCH_SIZE = 10_000  # what one call of the API brings, at most
INTERVAL_COUNT, SECTION_COUNT = 1_140, 40
TARGET_INTERVALS_S = 2_000_000
DAY_MS, START_MS = 86_400_000, 1_790_000_000_000
SECTIONS = tuple(f"G{n:04}430010" for n in range(SECTION_COUNT))
FREE_DAY_MS = (START_MS + DAY_MS, START_MS + 2 * DAY_MS)
RULES = (
    RatingRule(2, "containers", "示例", "containers", percent=67),
    RatingRule(3, "differential", "示例", "night", percent=80, vehicle_types=(13, 16), day_minutes=((1320, 360),)),
    RatingRule(4, "differential", "示例", "sections up", percent=90, sections=SECTIONS[:5], direction=1),
    RatingRule(5, "etc_passenger", "示例", "ETC", percent=95),
    RatingRule(6, "etc_truck", "示例", "ETC of trucks", percent=85),
    RatingRule(7, "whole_yuan", "示例", "whole yuan"),
    RatingRule(8, "green_passage", "示例", "green passage"),
    RatingRule(9, "harvesters", "示例", "harvesters"),
    RatingRule(10, "disaster_relief", "示例", "disaster relief"),
    RatingRule(11, "free_holidays", "示例", "free day", seat_count_max=7, windows_ms=(FREE_DAY_MS,)),
)


def run() -> Result:
    """Intervals rated a second on one core, in batches as they are posted. Amounts and traces are compared."""
    rng = np.random.default_rng(20240117)
    tariff, passages, rules = _tariff(rng), _passages(rng), rules_of(RULES)
    batches = [passages.take(np.arange(start, start + BATCH_SIZE)) for start in range(0, PASSAGE_COUNT, BATCH_SIZE)]
    compared, plain = passages.take(np.arange(COMPARED_COUNT)), Plain.of(tariff, rules)
    records = records_of(compared)
    found = rate(compared, tariff, rules)
    _equal_or_raise(found, [charge_of(record, plain) for record in records])

    def rated() -> float:
        start = time.perf_counter()
        for batch in batches:
            rate(batch, tariff, rules)
        return PASSAGE_COUNT * INTERVALS_A_PASSAGE / (time.perf_counter() - start)

    def plainly() -> float:
        start = time.perf_counter()
        for record in records:
            charge_of(record, plain)
        return COMPARED_COUNT * INTERVALS_A_PASSAGE / (time.perf_counter() - start)

    figure, spread = repeated(rated)
    baseline, _ = repeated(plainly, times=3)
    return Result(
        slug="rate",
        figure=figure,
        unit="intervals/s a core",
        target=f">= {TARGET_INTERVALS_S / 1e6:g} M/s, equal to plain Python",
        met=figure >= TARGET_INTERVALS_S,
        ratio=figure / baseline,
        baseline=f"plain Python, a passage at a time, {baseline:,.0f} intervals/s",
        note=f"{len(RULES)} rules, {len(found.trace.passage_rows) / COMPARED_COUNT:.2f} trace lines a passage,"
        f" batches of {BATCH_SIZE:,} passages; bounded by passes over memory",
        spread=spread,
    )


def _tariff(rng: np.random.Generator) -> Tariff:
    """Two versions; made-up prices."""
    ids = tuple(f"{SECTIONS[n % SECTION_COUNT]}{n // SECTION_COUNT:03}{1 + n % 2}0" for n in range(INTERVAL_COUNT))
    return Tariff(
        interval_ids=ids,
        owners=("示例业主",) * INTERVAL_COUNT,
        lengths_m=rng.integers(3_000, 15_000, INTERVAL_COUNT, np.int32),
        station_ids=tuple(f"{section}001" for section in SECTIONS),
        versions=("4320260101001", "4320260901001"),
        from_ms=np.array([0, START_MS + DAY_MS // 2], np.int64),
        prices_fen=rng.integers(0, 4_000, (2, INTERVAL_COUNT, len(VEHICLE_TYPES)), np.int32),
    )


def _passages(rng: np.random.Generator) -> Passages:
    """Three days; seven cars in ten, as many ETC; one in 50 of a special class."""
    n, m = PASSAGE_COUNT, PASSAGE_COUNT * INTERVALS_A_PASSAGE
    exits_ms = START_MS + rng.integers(0, 3 * DAY_MS, n)
    etc = rng.random(n) < 0.7
    cars, special = rng.random(n) < 0.7, rng.random(n) < 0.02
    passed_ms = np.repeat(exits_ms, INTERVALS_A_PASSAGE) - rng.integers(0, 7_200_000, m)
    return Passages(
        entry_times_ms=exits_ms - 7_200_000,
        exit_times_ms=exits_ms,
        vehicle_types=np.where(cars, 1, rng.choice(VEHICLE_TYPES, n)).astype(np.uint8),
        vehicle_classes=np.where(special, rng.choice([21, 22, 23, 24, 28], n), 0).astype(np.uint8),
        seat_counts=rng.choice([0, 5, 7, 9], n).astype(np.int32),
        media_types=np.where(etc, 1, 2).astype(np.uint8),
        fee_classes=np.where(etc, rng.choice([1, 1, 1, 1, 2, 4, 6], n), 3).astype(np.uint8),
        entry_stations=rng.integers(0, SECTION_COUNT, n, np.int32),
        exit_stations=rng.integers(0, SECTION_COUNT, n, np.int32),
        fees_fen=np.full(n, NO_FEE_FEN, np.int64),
        intervals=Intervals(
            np.arange(0, m + 1, INTERVALS_A_PASSAGE, dtype=np.int64),
            rng.integers(0, INTERVAL_COUNT, m, np.int32),
            passed_ms,
        ),
    )


def _equal_or_raise(found: Charges, expected: list[Charge]) -> None:
    columns = (
        (found.payable_fen, [charge.payable_fen for charge in expected]),
        (found.charge_fen, [charge.charge_fen for charge in expected]),
        (found.interval_fee_fen, [fee for charge in expected for fee in charge.fees_fen]),
        (found.trace.passage_rows, [row for row, charge in enumerate(expected) for _ in charge.lines]),
        (found.trace.rule_codes, [code for charge in expected for code, _, _ in charge.lines]),
        (found.trace.before_fen, [before for charge in expected for _, before, _ in charge.lines]),
        (found.trace.after_fen, [after for charge in expected for _, _, after in charge.lines]),
    )
    if not all(np.array_equal(ours, np.array(theirs)) for ours, theirs in columns):
        raise AssertionError("charges differ from plain Python's")
