"""Postings sum to zero, entry by entry, and so do the changes of accounts that come of them."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.etc_billing.domain.ledger import Account, AccountKind, account_sums, cleared, entry_sums, reserved

FEN = st.integers(0, 10**9)


@given(st.lists(st.tuples(FEN, FEN, st.integers(0, 3)), max_size=20))
def test_every_entry_and_all_accounts_sum_to_zero(rows: list[tuple[int, int, int]]) -> None:
    charges = np.array([charge for charge, _, _ in rows], np.int64)
    discounts = np.array([discount for _, discount, _ in rows], np.int64)
    debtors = np.array([debtor for _, _, debtor in rows], np.int32)
    postings = reserved(charges, charges + discounts, debtors, clearing=4, forgone=(5, 6))
    assert (entry_sums(postings, len(rows)) == 0).all()
    assert (postings.amounts_fen != 0).all()
    days = np.arange(len(rows), dtype=np.int32) % 2
    accounts, changed_days, amounts = account_sums(postings, days, 7)
    assert amounts.sum() == 0
    assert {(a, d) for a, d in zip(accounts.tolist(), changed_days.tolist(), strict=True)} == {
        (a, int(days[e])) for a, e in zip(postings.accounts.tolist(), postings.entries.tolist(), strict=True)
    }
    assert amounts[accounts == 4].sum() == -charges.sum()


def test_a_debtor_owes_the_charge_and_what_is_forgone_is_noted() -> None:
    made = reserved(np.array([950]), np.array([1000]), np.array([0], np.int32), clearing=1, forgone=(2, 3))
    assert list(zip(made.accounts.tolist(), made.amounts_fen.tolist(), strict=True)) == [
        (0, 950),
        (1, -950),
        (2, 50),
        (3, -50),
    ]


def test_a_free_passage_has_no_posting_but_what_is_forgone() -> None:
    made = reserved(np.array([0]), np.array([1000]), np.array([0], np.int32), clearing=1, forgone=(2, 3))
    assert made.accounts.tolist() == [2, 3]


def test_an_account_is_named_by_kind_and_holder() -> None:
    assert str(Account(AccountKind.ISSUER_RESERVED, "430101")) == "issuer_reserved:430101"


@given(st.lists(st.integers(1, 10**9), max_size=20))
def test_what_waited_for_clearing_is_owed_to_owners(payables: list[int]) -> None:
    made = cleared(np.array(payables, np.int64))
    assert (entry_sums(made, 1) == 0).all()
    assert made.amounts_fen.tolist() == ([*(-fen for fen in payables), sum(payables)] if payables else [])
    assert made.accounts.tolist() == list(range(len(made)))
