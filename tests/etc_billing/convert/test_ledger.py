"""Accounts and days are read from their names; what is none says what one looks like."""

from __future__ import annotations

import pytest

from common.errors import InvalidInput
from services.etc_billing.convert.ledger import DAY_MAX, account_of, business_day_of, passage_message
from services.etc_billing.domain.exit_records import bodies
from services.etc_billing.domain.ledger import Account, AccountKind
from services.etc_billing.flows.ports import Stored
from tests.etc_billing.exit_world import DAY_MS, exit_id, records


@pytest.mark.parametrize("kind", AccountKind)
def test_an_account_is_what_its_name_says(kind: AccountKind) -> None:
    account = Account(kind, "430101")
    assert account_of(str(account)) == account


@pytest.mark.parametrize("text", ["", "cash:1", "lane_takings", "lane_takings:", "430101"])
def test_another_name_is_refused_with_the_kinds_there_are(text: str) -> None:
    with pytest.raises(InvalidInput, match="KIND:HOLDER; kinds are issuer_reserved"):
        account_of(text)


def test_a_day_counts_from_1970_and_none_is_the_last() -> None:
    assert (business_day_of("1970-01-02"), business_day_of("")) == (1, DAY_MAX)
    assert business_day_of("9999-12-31") < DAY_MAX
    with pytest.raises(InvalidInput, match="2026-11-25"):
        business_day_of("25.11.2026")


def test_a_passage_says_what_was_sent_and_what_it_costs() -> None:
    [body] = bodies(records({"plates": "湘B12345"}))
    told = passage_message(Stored(body, 1000, 950, 5000, 7))
    assert (told.exit_id, told.plate, told.charge_fen, told.block_number) == (exit_id(0), "湘B12345", 950, 7)
    assert told.exit_time.ToMilliseconds() == DAY_MS + 10 * 3_600_000
    assert told.post_time.ToMilliseconds() == 5000
