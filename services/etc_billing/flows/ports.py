"""What the flows need of the outside, as small as it can be said."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from services.etc_billing.domain.exit_records import ExitRecords
from services.etc_billing.domain.ledger import Account
from services.etc_billing.domain.passages import Int32s, Int64s


class Known(NamedTuple):
    """A passage that is stored already: the digest of its record and what it costs."""

    digest: int
    charge_fen: int


class Stored(NamedTuple):
    """A passage as it is stored."""

    body: bytes
    payable_fen: int
    charge_fen: int
    post_time_ms: int
    block_number: int


@dataclass(frozen=True, slots=True)
class Block:
    """Passages to be added, (n,) each, with the postings, (k,), of their entries, one entry a passage, and what these
    change on accounts and business days, (j,). Accounts are numbers of the store; days are since 1970-01-01. An entry
    without a passage, such as a clearing's, has its day in `days` after those of passages."""

    post_time_ms: int
    keys: NDArray[np.void]
    digests: Int64s
    debtors: Int64s
    days: Int32s
    exit_times_ms: Int64s
    payables_fen: Int64s
    charges_fen: Int64s
    bodies: list[bytes]
    entries: Int32s
    posting_accounts: Int64s
    amounts_fen: Int64s
    change_accounts: Int64s
    change_days: Int32s
    change_amounts_fen: Int64s


class Ledger(Protocol):
    """Where passages and their postings are kept."""

    def find(self, keys: NDArray[np.void]) -> dict[bytes, Known]:
        """What is stored under keys, (n,) V16, by key."""

    def find_bodies(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """The records as they were stored, by key."""

    def account_numbers(self, accounts: Sequence[Account]) -> Int64s:
        """The number of each account, made where it is new."""

    def add(self, block: Block) -> int:
        """Store a block; durable on return. Returns its number. Raises PassageTaken when another writer was first."""


@dataclass(frozen=True, slots=True)
class Rated:
    """What passages cost, (n,) each; `reasons`: why one could not be rated, empty where it could."""

    payables_fen: Int64s
    charges_fen: Int64s
    reasons: NDArray[np.str_]


Rating: TypeAlias = Callable[[ExitRecords], Rated]


class PassageTaken(Exception):
    """A passage that was not there a moment ago came in through another writer: look again."""
