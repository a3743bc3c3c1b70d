"""What owners get of a day: every charge split exactly, sheets that never depend on the order, lines with proofs."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.etc_billing.domain.clearing import (
    COLUMNS,
    Due,
    Sheet,
    file_name,
    groups_of,
    in_order,
    lines_of,
    proofs_of,
    proved,
    set_digest,
    sheet_of,
    weights_fen,
)
from services.etc_billing.domain.identifiers import record_keys
from services.etc_billing.domain.tariff import NO_PRICE_FEN, Tariff
from tests.etc_billing.passage_tables import STATIONS, interval_id, ms, tariff

DAY = "2026-03-02"
PRICES = tariff(465, 530, 25, 0, 1000)  # owners 0 1 2 0 1; even intervals are in the first section

Row = tuple[int, tuple[int, ...]]  # charge, intervals


def exit_id(number: int) -> str:
    return f"{STATIONS[0]}00010102026030210{number:04d}01"


def due(*rows: Row, first: int = 0) -> Due:
    ids = np.array([exit_id(first + n).encode() for n in range(len(rows))], "S40")
    counts = [len(intervals) for _, intervals in rows]
    return Due(
        keys=record_keys(ids),
        exit_ids=ids,
        charges_fen=np.array([charge for charge, _ in rows], np.int64),
        exit_times_ms=np.full(len(rows), ms("2026-03-02T10:00"), np.int64),
        vehicle_types=np.ones(len(rows), np.uint8),
        starts=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        interval_numbers=np.array([number for _, intervals in rows for number in intervals], np.int32),
    )


def shuffled(some: Due, order: list[int]) -> Due:
    counts = np.diff(some.starts)[order]
    places = [np.arange(some.starts[row], some.starts[row + 1]) for row in order]
    columns = {name: getattr(some, name)[order] for name in Due.__dataclass_fields__ if "s" in name}
    columns["starts"] = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    columns["interval_numbers"] = some.interval_numbers[np.concatenate([*places, []]).astype(np.int64)]
    return Due(**columns)


def sheets(some: Due, prices: Tariff = PRICES) -> list[Sheet]:
    lines = lines_of(some, weights_fen(some, prices), prices)
    return [sheet_of(lines, n, day=DAY, due=some, tariff=prices) for n in range(len(lines.owners))]


def test_a_charge_is_split_by_what_the_tariff_asks_and_each_owner_has_its_lines() -> None:
    found = sheets(due((1000, (0, 1, 4)), (25, (2,)), (0, (0,))))
    assert [(sheet.owner, sheet.line_count, sheet.passage_count, sheet.total_fen) for sheet in found] == [
        ("示例业主0", 2, 2, 233),
        ("示例业主1", 2, 1, 767),
        ("示例业主2", 1, 1, 25),
    ]
    assert found[0].content.split(COLUMNS)[1].decode().splitlines() == [
        f"{exit_id(0)},{interval_id(0)},233",
        f"{exit_id(2)},{interval_id(0)},0",
    ]


def test_a_sheet_begins_with_its_totals_root_and_digest() -> None:
    [sheet, *_] = sheets(due((1000, (0, 1, 4))))
    table = sheet.content[sheet.content.index(COLUMNS) :]
    assert sheet.content.decode().splitlines()[:7] == [
        f"day,{DAY}",
        "owner,示例业主0",
        "passages,1",
        "lines,1",
        "total_fen,233",
        f"root,{sheet.root.hex()}",
        f"sha256,{hashlib.sha256(table).hexdigest()}",
    ]
    assert sheet.digest == hashlib.sha256(sheet.content).digest()


def test_an_interval_that_was_passed_twice_has_one_line_with_both_shares() -> None:
    found = sheets(due((930, (0, 0))))
    assert found[0].content.decode().splitlines()[-1] == f"{exit_id(0)},{interval_id(0)},930"


def test_groups_are_by_owner_and_section_and_leave_out_what_is_nothing() -> None:
    some = due((465, (0,)), (530, (1,)), (1000, (4,)), (0, (2,)))
    groups = groups_of(lines_of(some, weights_fen(some, PRICES), PRICES), PRICES)
    assert [tuple(group) for group in groups] == [
        ("示例业主0", "G0004430010", 465),
        ("示例业主1", "G0004430010", 1000),
        ("示例业主1", "S0021430020", 530),
    ]


def test_a_day_without_passages_has_no_lines() -> None:
    empty = due()
    lines = lines_of(empty, weights_fen(empty, PRICES), PRICES)
    assert len(lines.rows) == 0
    assert groups_of(lines, PRICES) == []


def test_weights_are_of_the_version_in_force_at_the_exit_and_say_where_there_is_none() -> None:
    two = tariff(100, NO_PRICE_FEN, later=(200, 300))
    some = due((1, (0, 1)), (1, (0, 1)))
    some = replace(some, exit_times_ms=np.array([ms("2026-03-02T10:00"), ms("2026-06-02T10:00")]))
    assert weights_fen(some, two).tolist() == [100, NO_PRICE_FEN, 200, 300]


ROWS = st.lists(
    st.tuples(st.integers(0, 100_000), st.lists(st.integers(0, 4), min_size=1, max_size=9).map(tuple)), max_size=30
)


@given(ROWS)
def test_nothing_is_lost_and_nothing_is_made(rows: list[Row]) -> None:
    some = due(*rows)
    lines = lines_of(some, weights_fen(some, PRICES), PRICES)
    by_passage = Counter[int]()
    for row, fee_fen in zip(lines.rows.tolist(), lines.fees_fen.tolist(), strict=True):
        by_passage[row] += fee_fen
    assert [by_passage[row] for row in range(len(rows))] == [charge for charge, _ in rows]
    total = sum(charge for charge, _ in rows)
    assert sum(group.amount_fen for group in groups_of(lines, PRICES)) == total
    assert sum(sheet.total_fen for sheet in sheets(some)) == total


@given(ROWS, st.randoms(use_true_random=False))
def test_the_order_of_arrival_leaves_no_trace(rows: list[Row], random: Random) -> None:
    some, order = due(*rows), list(range(len(rows)))
    random.shuffle(order)
    other = shuffled(some, order)
    assert sheets(other) == sheets(some)
    assert set_digest(other.keys) == set_digest(some.keys)


def test_batches_joined_are_the_whole() -> None:
    rows: list[Row] = [(1000, (0, 1, 4)), (25, (2,)), (995, (0, 1))]
    joined = Due.joined([due(), due(*rows[:1]), due(*rows[1:], first=1)])
    assert sheets(joined) == sheets(due(*rows))
    assert len(joined) == 3


def test_a_set_has_another_digest_when_a_passage_more_is_in_it() -> None:
    keys = due((1, (0,)), (1, (0,)), (1, (0,))).keys
    assert set_digest(keys[:2]) != set_digest(keys)
    assert [key.tobytes() for key in in_order(keys)] == sorted(key.tobytes() for key in keys)


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_each_line_of_a_passage_is_proved_by_the_sheet_alone(count: int) -> None:
    sheet = sheets(due(*[(1000, (1, 4))] * count))[1]
    root, found = proofs_of(sheet.content, exit_id(count - 1), day=DAY, owner=sheet.owner)
    assert root == sheet.root
    assert len(found) == 2
    assert all(proved(line, root, day=DAY, owner=sheet.owner) for line in found)


def test_a_proof_holds_for_no_other_line_owner_or_day() -> None:
    sheet = sheets(due((1000, (1, 4)), (465, (1,))))[1]
    _, [line, _] = proofs_of(sheet.content, exit_id(0), day=DAY, owner=sheet.owner)
    assert not proved(line._replace(line=line.line + "0"), sheet.root, day=DAY, owner=sheet.owner)
    assert not proved(line, sheet.root, day="2026-03-03", owner=sheet.owner)
    assert not proved(line, sheet.root, day=DAY, owner="示例业主0")


def test_a_passage_that_an_owner_has_not_is_in_no_proof() -> None:
    sheet = sheets(due((465, (0,))))[0]
    assert proofs_of(sheet.content, exit_id(1), day=DAY, owner=sheet.owner)[1] == []


def test_owners_with_any_name_have_files_of_their_own() -> None:
    names = [file_name(owner) for owner in ("甲", "../乙", "a/b", "a,b")]
    assert len(set(names)) == 4
    assert all(name.removesuffix(".csv").isalnum() for name in names)
