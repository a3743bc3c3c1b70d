"""The ledger as a pure core: accounts, and the postings of journal entries, which sum to zero."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

import numpy as np

from services.etc_billing.domain.passages import Int32s, Int64s

PROVINCE = "43"  # Hunan, by the first two digits of its identifiers


class AccountKind(IntEnum):
    """What an account is for. Debits are positive: an asset that grows, a liability that shrinks."""

    ISSUER_RESERVED = 1  # what an issuer will owe when it accepts the passage; holder: issuer
    ISSUER_RECEIVABLE = 2  # what an issuer owes; holder: issuer
    LANE_TAKINGS = 3  # cash and other means that stations took; holder: station
    TOLL_IN_CLEARING = 4  # charged, not yet split among owners; holder: province
    DISCOUNT_COST = 5  # tolls that a programme forgoes; holder: programme
    TOLL_FORGONE = 6  # the other side of it; holder: province
    OWNER_PAYABLE = 7  # what an owner gets of cleared days; holder: owner/section


class Account(NamedTuple):
    """An account by its name."""

    kind: AccountKind
    holder: str

    def __str__(self) -> str:
        return f"{self.kind.name.lower()}:{self.holder}"


@dataclass(frozen=True, slots=True)
class Postings:
    """Signed amounts on accounts, (k,) each. `entries`: which journal entry of the block each belongs to; `accounts`:
    index into the accounts of the block; no amount is zero."""

    entries: Int32s
    accounts: Int32s
    amounts_fen: Int64s

    def __len__(self) -> int:
        return len(self.entries)


def reserved(
    charges_fen: Int64s, payables_fen: Int64s, debtors: Int32s, *, clearing: int, forgone: tuple[int, int]
) -> Postings:
    """One entry a passage, (n,): its debtor owes the charge, which waits for clearing; what is forgone of the payable
    amount is noted beside it. `debtors`: accounts; `clearing`, `forgone` (cost, other side): accounts of all."""
    n = len(charges_fen)
    entries = np.repeat(np.arange(n, dtype=np.int32), 4)
    discounts_fen = payables_fen - charges_fen
    amounts_fen = np.column_stack([charges_fen, -charges_fen, discounts_fen, -discounts_fen]).ravel()
    sides = np.full((n, 3), (clearing, *forgone), np.int32)
    accounts = np.column_stack([debtors, sides]).astype(np.int32).ravel()
    kept = amounts_fen != 0
    made = Postings(entries[kept], accounts[kept], amounts_fen[kept])
    assert (entry_sums(made, n) == 0).all()
    return made


def cleared(payables_fen: Int64s) -> Postings:
    """One entry of a day: what waited for clearing on the last account, k, is owed to owners on accounts 0 to k - 1;
    (k,), none is 0."""
    k = len(payables_fen)
    assert (payables_fen != 0).all()
    amounts_fen = np.append(-payables_fen, payables_fen.sum()).astype(np.int64)
    kept = amounts_fen != 0
    made = Postings(np.zeros(k + 1, np.int32)[kept], np.arange(k + 1, dtype=np.int32)[kept], amounts_fen[kept])
    assert (entry_sums(made, 1) == 0).all()
    return made


def entry_sums(postings: Postings, entry_count: int) -> Int64s:
    """What the postings of each entry sum to, (entry_count,): zero, always."""
    sums = np.zeros(entry_count, np.int64)
    np.add.at(sums, postings.entries, postings.amounts_fen)
    return sums


def account_sums(postings: Postings, days: Int32s, account_count: int) -> tuple[Int32s, Int32s, Int64s]:
    """What the postings change on each account and business day: accounts, days, amounts in fen, (j,) each. `days`: of
    each entry."""
    if not len(postings):
        return np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0, np.int64)
    keys = postings.accounts.astype(np.int64) << 32 | days[postings.entries].astype(np.int64)
    assert (postings.accounts < account_count).all()
    unique, places = np.unique(keys, return_inverse=True)
    amounts_fen = np.zeros(len(unique), np.int64)
    np.add.at(amounts_fen, places, postings.amounts_fen)
    return (unique >> 32).astype(np.int32), (unique & 0xFFFFFFFF).astype(np.int32), amounts_fen
