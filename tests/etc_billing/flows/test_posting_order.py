"""The same records in any order, cut into any calls, sent again, with writers in between and answers that get lost:
always the same ledger."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from common.clock import ManualClock
from common.errors import Unavailable
from services.etc_billing.domain.exit_records import ExitRecords
from services.etc_billing.domain.ledger import Account
from services.etc_billing.domain.passages import Int32s, Int64s
from services.etc_billing.flows.ports import Block, Known, PassageTaken, Rated
from services.etc_billing.flows.posting import CREATED, EXISTS, REJECTED, Answers, posted
from tests.etc_billing.exit_world import DAY_MS, exit_id, rated, records

SEEDS = 200
RECORDS, AGAIN, CALL_MAX = 60, 25, 20
LOST, TAKEN = 0.1, 0.1  # of the blocks: stored and not answered, refused because another writer was first

Row = dict[str, Any]


@dataclass
class Memory:
    """A ledger in memory that now and then behaves as one with other writers and with crashes does."""

    rng: random.Random
    passages: dict[bytes, tuple[Known, bytes, int]] = field(default_factory=dict)
    accounts: dict[Account, int] = field(default_factory=dict)
    balances: Counter[tuple[int, int]] = field(default_factory=Counter)
    posted: Counter[tuple[int, int]] = field(default_factory=Counter)

    def find(self, keys: NDArray[np.void]) -> dict[bytes, Known]:
        names = [key.tobytes() for key in keys]
        return {name: self.passages[name][0] for name in names if name in self.passages}

    def find_bodies(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        return {key: self.passages[key][1] for key in keys}

    def account_numbers(self, accounts: Sequence[Account]) -> Int64s:
        return np.array([self.accounts.setdefault(one, len(self.accounts)) for one in accounts], np.int64)

    def add(self, block: Block) -> int:
        if self.rng.random() < TAKEN:
            raise PassageTaken
        names = [key.tobytes() for key in block.keys]
        assert not self.passages.keys() & set(names), "a key is never repeated"
        known = map(Known, block.digests.tolist(), block.charges_fen.tolist())
        kept = zip(known, block.bodies, block.payables_fen.tolist(), strict=True)
        self.passages |= dict(zip(names, kept, strict=True))
        _count(self.posted, block.posting_accounts, block.days[block.entries], block.amounts_fen)
        _count(self.balances, block.change_accounts, block.change_days, block.change_amounts_fen)
        if self.rng.random() < LOST:
            raise Unavailable("DATABASE_UNAVAILABLE", "the answer is lost")
        return 1

    def told(self) -> tuple[dict[bytes, tuple[Known, bytes, int]], dict[tuple[str, int], int]]:
        """All that does not depend on what accounts are numbered by."""
        names = {number: str(account) for account, number in self.accounts.items()}
        return self.passages, {(names[n], day): fen for (n, day), fen in self.balances.items()}


def _count(sums: Counter[tuple[int, int]], accounts: Int64s, days: Int32s, amounts_fen: Int64s) -> None:
    for account, day, fen in zip(accounts.tolist(), days.tolist(), amounts_fen.tolist(), strict=True):
        sums[account, day] += fen


def given(rng: random.Random) -> list[Row]:
    """Records of two days: tags of some issuers, cash at some stations, lanes that charge, and bad ones."""
    rows: list[Row] = []
    for number in range(RECORDS):
        row: Row = {"exit_ids": exit_id(number), "plates": f"湘A{number:05d}"}
        row |= {"pass_ids": f"0143019999000000{number:06d}20261125090000", "card_ids": f"4301{number:016d}"}
        row["intervals"] = tuple(rng.choices(range(3), k=rng.randrange(5)))
        row["exit_times_ms"] = DAY_MS + rng.choice((10, 25)) * 3_600_000
        row["fees_fen"] = rng.choice((-1, -1, 0, 1234))
        if rng.random() < 0.3:
            station = f"G000443001000{rng.randrange(1, 4)}"
            row |= {"media_types": 2, "issuer_ids": "", "card_ids": "", "exit_ids": exit_id(number, station)}
        else:
            row["issuer_ids"] = rng.choice(("430101", "440101"))
        if rng.random() < 0.05:
            row["vehicle_types"] = 9
        rows.append(row)
    return rows


def sent(rows: Sequence[Row], rng: random.Random) -> Iterator[list[Row]]:
    """The rows in no order, some more than once, in calls of random size."""
    waiting = [*rows, *rng.choices(rows, k=AGAIN)]
    rng.shuffle(waiting)
    while waiting:
        size = rng.randint(1, CALL_MAX)
        yield waiting[:size]
        waiting = waiting[size:]


def post(rows: Sequence[Row], ledger: Memory) -> Answers:
    """Send a call until it is answered."""
    while True:
        try:
            return posted(records(*rows), ledger=ledger, rating=rated, clock=ManualClock(1))
        except Unavailable:
            continue


def in_order(rows: Sequence[Row]) -> Memory:
    """The ledger of the rows in one call, undisturbed."""
    calm = random.Random(0)
    calm.random = lambda: 1.0  # type: ignore[method-assign]
    ledger = Memory(calm)
    post(rows, ledger)
    return ledger


@pytest.mark.parametrize("seed", range(SEEDS))
def test_no_order_of_records_changes_passages_charges_or_balances(seed: int) -> None:
    rows, rng = given(random.Random(20251125)), random.Random(seed)
    expected, ledger, outcomes = in_order(rows), Memory(rng), Counter[int]()
    for call in sent(rows, rng):
        outcomes.update(post(call, ledger).outcomes.tolist())
    assert ledger.told() == expected.told()
    assert ledger.balances == ledger.posted
    assert sum(ledger.balances.values()) == 0
    assert outcomes.keys() <= {CREATED, EXISTS, REJECTED}
    assert outcomes[CREATED] <= len(ledger.passages)
    again = post(rows, ledger)
    assert set(again.outcomes.tolist()) == {EXISTS, REJECTED}
    assert int((again.outcomes == EXISTS).sum()) == len(ledger.passages)


def test_what_is_there_already_is_not_rated_again() -> None:
    rows = given(random.Random(1))
    ledger = in_order(rows)
    good = [row for row in rows if row["intervals"]]

    def refuse(_: ExitRecords) -> Rated:
        raise AssertionError("rated")

    found = posted(records(*good), ledger=ledger, rating=refuse, clock=ManualClock(1))
    assert set(found.outcomes.tolist()) <= {EXISTS, REJECTED}
