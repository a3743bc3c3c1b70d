"""Closing a day: once, whatever happens on the way, and with the same bytes for the same passages."""

from __future__ import annotations

import json
import random
from hashlib import sha256
from typing import Any

import pytest

from common.clock import ManualClock
from common.errors import InvalidInput, NotAllowedNow, NotFound
from services.etc_billing.domain.clearing import LineProof, proved
from services.etc_billing.domain.merkle import Proof
from services.etc_billing.flows.clearing import Outcome, clear, prove
from tests.etc_billing.clearing_world import DAY, OVER, TARIFF, Crash, MemoryClearings, MemoryFiles
from tests.etc_billing.exit_world import DAY_MS, exit_id

ROWS: tuple[dict[str, Any], ...] = (
    {},
    {"intervals": (0, 1, 2), "fees_fen": 969},
    {"intervals": (2,), "fees_fen": 25},
    {"intervals": (1, 0, 1)},
)
SEEDS = 1_000


def cleared(store: MemoryClearings, files: MemoryFiles, day: int = DAY) -> Outcome:
    return clear(day, tariff=TARIFF, clearings=store, files=files, clock=OVER)


def test_a_day_is_closed_with_files_a_manifest_and_an_entry_that_sums_to_zero() -> None:
    store, files = MemoryClearings(), MemoryFiles()
    store.post(*ROWS)
    outcome = cleared(store, files)
    manifest = json.loads(files.found["clearing/2026-11-25/manifest.json"])
    assert (manifest["passages"], manifest["total_fen"]) == (4, 2994)
    assert [owner["owner"] for owner in manifest["owners"]] == ["示例乙", "示例甲"]
    assert sum(owner["total_fen"] for owner in manifest["owners"]) == 2994
    for owner in manifest["owners"]:
        content = files.found[f"clearing/2026-11-25/{owner['file']}"]
        assert sha256(content).hexdigest() == owner["sha256"]
    entry = store.closings[DAY].entry
    assert entry is not None
    assert (entry.amounts_fen.sum(), entry.amounts_fen.max()) == (0, 2994)
    assert not outcome.closed_before


def test_any_order_of_arrival_gives_the_same_files() -> None:
    found = []
    for seed in range(SEEDS):
        rows = [row | {"exit_ids": exit_id(n)} for n, row in enumerate(ROWS * 5)]
        random.Random(seed).shuffle(rows)
        store, files = MemoryClearings(), MemoryFiles()
        store.post(*rows)
        cleared(store, files)
        found.append(files.found)
    assert all(files == found[0] for files in found), f"an order of a seed below {SEEDS} differs"


@pytest.mark.parametrize("writes", [0, 1, 2])
def test_a_crash_between_files_and_a_repeat_have_one_effect(writes: int) -> None:
    store, files, whole = MemoryClearings(), MemoryFiles(writes_left=writes), MemoryFiles()
    store.post(*ROWS)
    with pytest.raises(Crash):
        cleared(store, files)
    assert store.closings == {}
    files.writes_left = 100
    cleared(store, files)
    store.closings.clear()
    cleared(store, whole)
    assert files.found == whole.found


def test_a_crash_before_the_transaction_leaves_files_that_a_repeat_writes_again() -> None:
    store, files = MemoryClearings(crashes=True), MemoryFiles()
    store.post(*ROWS)
    with pytest.raises(Crash):
        cleared(store, files)
    before, store.crashes = dict(files.found), False
    cleared(store, files)
    assert files.found == before


def test_a_closed_day_is_compared_and_not_changed() -> None:
    store, files = MemoryClearings(), MemoryFiles()
    store.post(*ROWS)
    first = cleared(store, files)
    store.post({"exit_ids": exit_id(50)})
    files.writes_left = 0
    again = cleared(store, files)
    assert (again.closed_before, again.closed, again.differing) == (True, first.closed, ())
    del files.found[next(path for path in files.found if path.endswith(".csv"))]
    assert len(cleared(store, files).differing) == 1


def test_late_data_lands_in_the_next_open_day() -> None:
    store, files = MemoryClearings(), MemoryFiles()
    store.post(*ROWS)
    cleared(store, files)
    store.post({"exit_ids": exit_id(50)}, day=DAY - 3)
    assert cleared(store, files, DAY + 1).closed.passage_count == 1


def test_a_day_without_passages_is_closed_without_an_entry() -> None:
    store = MemoryClearings()
    assert cleared(store, MemoryFiles()).closed.passage_count == 0
    assert store.closings[DAY].entry is None


def test_days_are_closed_in_their_order_and_when_they_are_over() -> None:
    store, files = MemoryClearings(), MemoryFiles()
    cleared(store, files)
    with pytest.raises(NotAllowedNow, match="2026-11-25 is closed"):
        cleared(store, files, DAY - 1)
    with pytest.raises(NotAllowedNow, match="is not over"):
        clear(DAY, tariff=TARIFF, clearings=store, files=files, clock=ManualClock(DAY_MS + 86_399_999))


def test_a_tariff_without_a_price_that_is_needed_stops_the_day() -> None:
    store, files = MemoryClearings(), MemoryFiles()
    store.post({}, {"exit_times_ms": -1})
    with pytest.raises(InvalidInput, match=f"no price for G000443001000110, which {exit_id(1)} passed"):
        cleared(store, files)
    assert (store.closings, files.found) == ({}, {})


def test_a_cleared_passage_is_proved_and_another_is_not_found() -> None:
    store, files = MemoryClearings(), MemoryFiles()
    store.post(*ROWS)
    cleared(store, files)
    found = prove(exit_id(1), "示例甲", clearings=store, files=files)
    assert [line["line"].split(",")[2] for line in found["lines"]] == ["442", "24"]
    for line in found["lines"]:
        proof = Proof(line["line_index"], line["line_count"], tuple(map(bytes.fromhex, line["path"])))
        proven = LineProof(line["line"], proof)
        assert proved(proven, bytes.fromhex(found["root"]), day=found["day"], owner=found["owner"])
    for wrong in ((exit_id(77), "示例甲"), (exit_id(1), "示例丙"), (exit_id(2), "示例乙")):
        with pytest.raises(NotFound):
            prove(*wrong, clearings=store, files=files)


def test_a_sheet_that_was_altered_proves_nothing() -> None:
    store, files = MemoryClearings(), MemoryFiles()
    store.post(*ROWS)
    cleared(store, files)
    files.found = {path: content.replace(b",442\n", b",443\n") for path, content in files.found.items()}
    with pytest.raises(NotAllowedNow, match="not the one that was made"):
        prove(exit_id(1), "示例甲", clearings=store, files=files)
