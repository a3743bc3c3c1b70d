"""Passages and accounts of the ledger on the wire."""

from __future__ import annotations

from datetime import date

from google.protobuf.timestamp_pb2 import Timestamp
from xiangtong.billing.v1 import billing_service_pb2 as pb

from common.clock import utc
from common.errors import InvalidInput, Violation
from services.etc_billing.domain.exit_records import record_of
from services.etc_billing.domain.ledger import Account, AccountKind
from services.etc_billing.flows.ports import Stored

EPOCH = date(1970, 1, 1)
DAY_MAX = 3_000_000  # later than any day that a date can say
_KINDS = {kind.name.lower(): kind for kind in AccountKind}


def passage_message(stored: Stored) -> pb.Passage:
    """A passage as it was posted."""
    record, _ = record_of(stored.body)
    return pb.Passage(
        exit_id=record["exit_id"].decode(),
        pass_id=record["pass_id"].decode(),
        card_id=record["card_id"].decode(),
        plate=record["plate"].decode(),
        exit_time=_timestamp(int(record["exit_time_ms"])),
        charge_fen=stored.charge_fen,
        post_time=_timestamp(stored.post_time_ms),
        block_number=stored.block_number,
    )


def account_of(text: str) -> Account:
    """The account of that name, KIND:HOLDER. Raises InvalidInput."""
    kind, _, holder = text.partition(":")
    if kind not in _KINDS or not holder:
        raise InvalidInput(Violation("account", f"is KIND:HOLDER; kinds are {', '.join(_KINDS)}"))
    return Account(_KINDS[kind], holder)


def business_day_of(text: str) -> int:
    """A day such as 2026-11-25 in days since 1970-01-01; the last there is for an empty one. Raises InvalidInput."""
    try:
        return (date.fromisoformat(text) - EPOCH).days if text else DAY_MAX
    except ValueError as error:
        raise InvalidInput(Violation("business_date", "is a day such as 2026-11-25")) from error


def _timestamp(instant_ms: int) -> Timestamp:
    found = Timestamp()
    found.FromDatetime(utc(instant_ms))
    return found
