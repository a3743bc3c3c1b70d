"""Clearing: close a day once. Files first, then one transaction: a crash anywhere and a repeat have one effect."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, timedelta
from hashlib import sha256
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from common.clock import Clock
from common.errors import InvalidInput, NotAllowedNow, NotFound, Violation
from services.etc_billing.domain.clearing import (
    Due,
    Group,
    LineProof,
    Sheet,
    file_name,
    groups_of,
    lines_of,
    proofs_of,
    set_digest,
    sheet_of,
    weights_fen,
)
from services.etc_billing.domain.exit_records import INTERVAL, RECORD, business_days
from services.etc_billing.domain.identifiers import KEY_SIZE, record_keys
from services.etc_billing.domain.ledger import PROVINCE, Account, AccountKind, account_sums, cleared
from services.etc_billing.domain.passages import UNKNOWN
from services.etc_billing.domain.tariff import Tariff
from services.etc_billing.flows.ports import Block

FOLDER, MANIFEST = "clearing", "manifest.json"
EPOCH = date(1970, 1, 1)


class DuePassage(NamedTuple):
    """A passage that is not cleared yet, as it is stored."""

    key: bytes
    charge_fen: int
    body: bytes


class ClosedDay(NamedTuple):
    """A day that is closed. `digest`: of the set of its passages."""

    day: int
    close_time_ms: int
    digest: bytes
    passage_count: int
    total_fen: int
    block_number: int


class ClosedSheet(NamedTuple):
    """What is kept of an owner's sheet beside its file."""

    owner: str
    root: bytes
    digest: bytes
    line_count: int
    passage_count: int
    total_fen: int


@dataclass(frozen=True, slots=True)
class Closing:
    """What makes a day closed. `keys`: (n,) V16. `entry`: None where no owner gets anything."""

    day: int
    close_time_ms: int
    digest: bytes
    total_fen: int
    keys: NDArray[np.void]
    sheets: Sequence[ClosedSheet]
    entry: Block | None


class OpenDay(Protocol):
    """A ledger that stands still for whoever closes a day; nobody else can meanwhile."""

    def find_last_closed(self) -> int | None:
        """The last day that is closed."""

    def due(self, day: int) -> Iterator[list[DuePassage]]:
        """All passages up to a day that are not cleared, in batches and any order."""

    def account_numbers(self, accounts: Sequence[Account]) -> NDArray[np.int64]:
        """The number of each account, made where it is new."""

    def close(self, closing: Closing) -> ClosedDay:
        """Close the day; durable on return."""


class Clearings(Protocol):
    """Where days are closed."""

    def opened(self) -> AbstractContextManager[OpenDay]:
        """Raises NotAllowedNow when somebody else clears."""

    def find_closed(self, day: int) -> ClosedDay | None:
        """A day, when it is closed."""

    def sheets(self, day: int) -> list[ClosedSheet]:
        """The sheets of a day, by owner."""

    def find_day(self, key: bytes) -> int | None:
        """The day in which a passage was cleared."""


class Files(Protocol):
    """Where sheets are kept."""

    def write(self, path: str, *parts: bytes) -> None:
        """Store a file whole or not at all; durable on return."""

    def read(self, path: str) -> bytes:
        """The content of a file. Raises NotFound."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is known of a day after clearing. `closed_before`: nothing was changed; `differing`: owners whose file is
    not the one that was made then."""

    closed: ClosedDay
    sheets: Sequence[ClosedSheet]
    closed_before: bool = False
    differing: tuple[str, ...] = ()


def clear(day: int, *, tariff: Tariff, clearings: Clearings, files: Files, clock: Clock) -> Outcome:
    """Close a day, which is over. Of one that is closed the files are compared, and nothing changes. `day`: since
    1970-01-01. Raises NotAllowedNow; InvalidInput when the tariff has no price for an interval that was charged."""
    if day >= int(business_days(np.array([clock.now_ms()]))[0]):
        raise NotAllowedNow("DAY_NOT_OVER", f"{written(day)} is not over; clear it tomorrow")
    with clearings.opened() as open_day:
        before = clearings.find_closed(day)
        if before is not None:
            sheets = clearings.sheets(day)
            return Outcome(before, sheets, closed_before=True, differing=_differing(day, sheets, files))
        last = open_day.find_last_closed()
        if last is not None and last > day:
            raise NotAllowedNow(
                "LATER_DAY_CLOSED",
                f"{written(last)} is closed: what is due of {written(day)} lands in the next open day",
            )
        due = _due(open_day.due(day), tariff)
        weights = weights_fen(due, tariff)
        _check_prices(due, weights, tariff)
        lines = lines_of(due, weights, tariff)
        sheets, written_day = [], written(day)
        for owner in np.unique(lines.owner_ranks).tolist():  # one at a time: a day's lines are many
            sheet = sheet_of(lines, owner, day=written_day, due=due, tariff=tariff)
            files.write(path_of(day, file_name(sheet.owner)), sheet.content)
            sheets.append(_without_content(sheet))
        total_fen, digest = int(due.charges_fen.sum()), set_digest(due.keys)
        files.write(path_of(day, MANIFEST), _manifest(day, digest, len(due), total_fen, sheets))
        groups, now_ms = groups_of(lines, tariff), clock.now_ms()
        entry = _entry(day, groups, now_ms, open_day) if groups else None
        closing = Closing(day, now_ms, digest, total_fen, due.keys, sheets, entry)
        return Outcome(open_day.close(closing), sheets)


def prove(exit_id: str, owner: str, *, clearings: Clearings, files: Files) -> dict[str, Any]:
    """Proofs that lines of a passage are in an owner's sheet, as JSON holds them. Raises NotFound; NotAllowedNow when
    the sheet is not the one that was made when the day was closed."""
    day = clearings.find_day(record_keys(np.array([exit_id.encode()], "S40"))[0].tobytes())
    sheet = next((sheet for sheet in clearings.sheets(day) if sheet.owner == owner), None) if day is not None else None
    if day is None or sheet is None:
        raise NotFound("clearing", f"{exit_id} of {owner}")
    root, lines = proofs_of(files.read(path_of(day, file_name(owner))), exit_id, day=written(day), owner=owner)
    if root != sheet.root:
        raise NotAllowedNow("SHEET_DIFFERS", f"the sheet of {owner} for {written(day)} is not the one that was made")
    if not lines:
        raise NotFound("clearing", f"{exit_id} of {owner}")
    return {"day": written(day), "owner": owner, "root": root.hex(), "lines": [_proof_json(line) for line in lines]}


def written(day: int) -> str:
    """A day as people write it."""
    return (EPOCH + timedelta(days=day)).isoformat()


def path_of(day: int, name: str) -> str:
    """Where a file of a day is in the archive."""
    return f"{FOLDER}/{written(day)}/{name}"


def _due(batches: Iterator[list[DuePassage]], tariff: Tariff) -> Due:
    """Passages as columns; what they came with is read from their bodies a batch at a time and not kept."""
    return Due.joined([_columns([], tariff), *(_columns(batch, tariff) for batch in batches)])


def _columns(batch: list[DuePassage], tariff: Tariff) -> Due:
    size = RECORD.itemsize
    heads = np.frombuffer(b"".join([row.body[:size] for row in batch]), RECORD)
    intervals = np.frombuffer(b"".join([row.body[size:] for row in batch]), INTERVAL)
    counts = [(len(row.body) - size) // INTERVAL.itemsize for row in batch]
    names, places = np.unique(intervals["interval_id"], return_inverse=True)
    known = [tariff.interval_numbers.get(name.decode(), UNKNOWN) for name in names.tolist()]
    return Due(
        keys=np.frombuffer(b"".join([row.key for row in batch]), f"V{KEY_SIZE}"),
        exit_ids=heads["exit_id"].copy(),
        charges_fen=np.array([row.charge_fen for row in batch], np.int64),
        exit_times_ms=heads["exit_time_ms"].astype(np.int64),
        vehicle_types=heads["vehicle_type"].copy(),
        starts=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        interval_numbers=np.array(known, np.int32)[places],
    )


def _check_prices(due: Due, weights: NDArray[np.int64], tariff: Tariff) -> None:
    wrong = np.flatnonzero(weights < 0)
    if len(wrong):
        row = int(np.searchsorted(due.starts, wrong[0], side="right")) - 1
        number = int(due.interval_numbers[wrong[0]])
        interval = "an interval that it does not know" if number < 0 else tariff.interval_ids[number]
        message = f"has no price for {interval}, which {due.exit_ids[row].decode()} passed; use the tariff of its time"
        raise InvalidInput(Violation("tariff", message))


def _entry(day: int, groups: Sequence[Group], now_ms: int, open_day: OpenDay) -> Block:
    accounts = [Account(AccountKind.OWNER_PAYABLE, f"{group.owner}/{group.section}") for group in groups]
    accounts.append(Account(AccountKind.TOLL_IN_CLEARING, PROVINCE))
    numbers, days = open_day.account_numbers(accounts), np.array([day], np.int32)
    postings = cleared(np.array([group.amount_fen for group in groups], np.int64))
    changed, change_days, change_amounts_fen = account_sums(postings, days, len(accounts))
    none = np.zeros(0, np.int64)
    return Block(
        post_time_ms=now_ms,
        keys=np.zeros(0, f"V{KEY_SIZE}"),
        digests=none,
        debtors=none,
        days=days,
        exit_times_ms=none,
        payables_fen=none,
        charges_fen=none,
        bodies=[],
        entries=postings.entries,
        posting_accounts=numbers[postings.accounts],
        amounts_fen=postings.amounts_fen,
        change_accounts=numbers[changed],
        change_days=change_days,
        change_amounts_fen=change_amounts_fen,
    )


def _without_content(sheet: Sheet) -> ClosedSheet:
    return ClosedSheet(*sheet[:-1])


def _manifest(day: int, digest: bytes, passage_count: int, total_fen: int, sheets: Sequence[ClosedSheet]) -> bytes:
    owners = [
        {
            "owner": sheet.owner,
            "file": file_name(sheet.owner),
            "sha256": sheet.digest.hex(),
            "root": sheet.root.hex(),
            "lines": sheet.line_count,
            "passages": sheet.passage_count,
            "total_fen": sheet.total_fen,
        }
        for sheet in sheets
    ]
    whole = {
        "day": written(day),
        "passages": passage_count,
        "passages_digest": digest.hex(),
        "total_fen": total_fen,
        "owners": owners,
    }
    return json.dumps(whole, ensure_ascii=False, indent=1).encode() + b"\n"


def _differing(day: int, sheets: Sequence[ClosedSheet], files: Files) -> tuple[str, ...]:
    """The owners whose file is missing or another one than was made."""

    def same(sheet: ClosedSheet) -> bool:
        try:
            return sha256(files.read(path_of(day, file_name(sheet.owner)))).digest() == sheet.digest
        except NotFound:
            return False

    return tuple(sheet.owner for sheet in sheets if not same(sheet))


def _proof_json(line: LineProof) -> dict[str, Any]:
    place, count, path = line.proof
    return {"line": line.line, "line_index": place, "line_count": count, "path": [step.hex() for step in path]}
