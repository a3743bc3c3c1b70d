"""Posting: find what is there, rate the rest, store it as one block, answer for each record."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.clock import Clock
from common.errors import Unavailable
from common.metrics import count_rejections
from services.etc_billing.domain.exit_records import REASONS, ExitRecords, bodies, business_days, difference, refusals
from services.etc_billing.domain.identifiers import digests, record_keys
from services.etc_billing.domain.ledger import PROVINCE, Account, AccountKind, account_sums, reserved
from services.etc_billing.domain.passages import Int32s, Int64s
from services.etc_billing.flows.ports import Block, Ledger, PassageTaken, Rated, Rating

CREATED, EXISTS, EXISTS_DIFFERENT, REJECTED = 1, 2, 3, 4  # PostingOutcome
ATTEMPTS_MAX = 5  # another writer can be first only so often
DISCOUNTS = "all"


@dataclass(frozen=True, slots=True)
class Answers:
    """One answer a record, (n,). `details`: by record, the field that differs or the reason it was rejected for."""

    outcomes: NDArray[np.uint8]
    charges_fen: Int64s
    details: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Checked:
    """Records with what is found out about each without looking into the ledger, (n,) each. `refused`: what is wrong
    with it, in REASONS; `bodies`: its bytes, `digests`: of these."""

    records: ExitRecords
    refused: NDArray[np.uint8]
    bodies: list[bytes]
    keys: NDArray[np.void]
    digests: Int64s


def checked(records: ExitRecords) -> Checked:
    """The records, checked: half of the work, and none of the ledger's."""
    written = bodies(records)
    return Checked(records, refusals(records), written, record_keys(records.identities["exit_id"]), digests(written))


def posted(records: ExitRecords, *, ledger: Ledger, rating: Rating, clock: Clock) -> Answers:
    """Post records, each once; what is there already stays as it is. Repeating it changes nothing."""
    return posted_checked(checked(records), ledger=ledger, rating=rating, clock=clock)


def posted_checked(sent: Checked, *, ledger: Ledger, rating: Rating, clock: Clock) -> Answers:
    """The same for records that are checked already. Raises Unavailable when other writers are first every time."""
    answers = Answers(np.zeros(len(sent.records), np.uint8), np.zeros(len(sent.records), np.int64))
    for row in np.flatnonzero(sent.refused).tolist():
        _answer(answers, row, REJECTED, detail=REASONS[sent.refused[row]])
    for _ in range(ATTEMPTS_MAX):
        waiting = np.flatnonzero(answers.outcomes == 0)
        new = _compared(sent, waiting, answers, ledger)
        try:
            if len(new):
                _add(sent, new, answers, ledger=ledger, rating=rating, clock=clock)
        except PassageTaken:
            continue
        _repeat(sent, waiting, answers)
        _count(answers)
        return answers
    raise Unavailable("PASSAGES_TAKEN", "other writers post the same passages; send them again")


def _compared(sent: Checked, rows: NDArray[np.intp], answers: Answers, ledger: Ledger) -> NDArray[np.intp]:
    """Answer for records that are stored already. Returns the rows of those that are not, the first of each key."""
    found = ledger.find(sent.keys[rows]) if len(rows) else {}
    names = [(row, sent.keys[row].tobytes()) for row in rows.tolist()]
    differing = [(row, name) for row, name in names if name in found and found[name].digest != sent.digests[row]]
    before = ledger.find_bodies([name for _, name in differing]) if differing else {}
    for row, name in differing:
        _answer(answers, row, EXISTS_DIFFERENT, detail=difference(before[name], sent.bodies[row]))
    new: dict[bytes, int] = {}
    for row, name in names:
        if name not in found:
            new.setdefault(name, row)
        elif found[name].digest == sent.digests[row]:
            _answer(answers, row, EXISTS, charge_fen=found[name].charge_fen)
    return np.array(sorted(new.values()), np.intp)


def _add(
    sent: Checked, rows: NDArray[np.intp], answers: Answers, *, ledger: Ledger, rating: Rating, clock: Clock
) -> None:
    """Rate new records and store those that can be rated. Raises PassageTaken when one came in meanwhile."""
    rated = rating(sent.records)
    reasons = rated.reasons[rows]
    rows, refused = rows[reasons == ""], rows[reasons != ""]
    if len(rows):
        block = _block(sent, rows, rated, ledger, clock)
        ledger.add(block)
        answers.outcomes[rows], answers.charges_fen[rows] = CREATED, block.charges_fen
    for row in refused.tolist():
        _answer(answers, row, REJECTED, detail=str(rated.reasons[row]))


def _repeat(sent: Checked, rows: NDArray[np.intp], answers: Answers) -> None:
    """Answer for records whose key stands twice in this call: as if the second had come later."""
    first = {
        sent.keys[row].tobytes(): row for row in reversed(rows.tolist()) if answers.outcomes[row] in (CREATED, REJECTED)
    }
    for row in rows[answers.outcomes[rows] == 0].tolist():
        before = first[sent.keys[row].tobytes()]
        if answers.outcomes[before] == REJECTED:
            _answer(answers, row, REJECTED, detail=answers.details[before])
        elif sent.digests[before] == sent.digests[row]:
            _answer(answers, row, EXISTS, charge_fen=int(answers.charges_fen[before]))
        else:
            _answer(answers, row, EXISTS_DIFFERENT, detail=difference(sent.bodies[before], sent.bodies[row]))


def _block(sent: Checked, rows: NDArray[np.intp], rated: Rated, ledger: Ledger, clock: Clock) -> Block:
    passages = sent.records.passages
    lane_fen = passages.fees_fen[rows]
    charges_fen = np.where(lane_fen >= 0, lane_fen, rated.charges_fen[rows])  # what the lane took is a fact
    payables_fen = np.maximum(rated.payables_fen[rows], charges_fen)
    days = business_days(passages.exit_times_ms[rows])
    accounts, debtors = _accounts(sent.records.identities[rows])
    numbers = ledger.account_numbers(accounts)
    sides = len(accounts)
    postings = reserved(charges_fen, payables_fen, debtors, clearing=sides - 3, forgone=(sides - 2, sides - 1))
    changed, change_days, change_amounts_fen = account_sums(postings, days, sides)
    return Block(
        post_time_ms=clock.now_ms(),
        keys=sent.keys[rows],
        digests=sent.digests[rows],
        debtors=numbers[debtors],
        days=days,
        exit_times_ms=passages.exit_times_ms[rows],
        payables_fen=payables_fen,
        charges_fen=charges_fen,
        bodies=[sent.bodies[row] for row in rows.tolist()],
        entries=postings.entries,
        posting_accounts=numbers[postings.accounts],
        amounts_fen=postings.amounts_fen,
        change_accounts=numbers[changed],
        change_days=change_days,
        change_amounts_fen=change_amounts_fen,
    )


def _accounts(identities: NDArray[Any]) -> tuple[list[Account], Int32s]:
    """The accounts that passages touch, and the index of each passage's debtor: its issuer, or the station that took
    cash. The last three are those of all."""
    issuers, stations = identities["issuer_id"], identities["exit_id"].astype("S14")
    names = np.where(issuers != b"", issuers.astype("S14"), stations)
    holders, debtors = np.unique(names, return_inverse=True)
    found = [
        Account(AccountKind.ISSUER_RESERVED if len(holder) == 6 else AccountKind.LANE_TAKINGS, holder.decode())
        for holder in holders.tolist()
    ]
    found += [
        Account(AccountKind.TOLL_IN_CLEARING, PROVINCE),
        Account(AccountKind.DISCOUNT_COST, DISCOUNTS),
        Account(AccountKind.TOLL_FORGONE, PROVINCE),
    ]
    return found, debtors.astype(np.int32)


def _answer(answers: Answers, row: int, outcome: int, *, detail: str = "", charge_fen: int = 0) -> None:
    answers.outcomes[row], answers.charges_fen[row] = outcome, charge_fen
    if detail:
        answers.details[row] = detail


def _count(answers: Answers) -> None:
    reasons, counts = np.unique(
        [answers.details[row] for row in np.flatnonzero(answers.outcomes == REJECTED).tolist()], return_counts=True
    )
    count_rejections("toll", dict(zip(reasons.tolist(), counts.tolist(), strict=True)))
