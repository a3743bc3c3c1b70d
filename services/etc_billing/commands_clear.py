"""`xiangtong billing clear`, `prove` and `check-proof`: close a day, and show that a line is in an owner's sheet."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from common.clock import SystemClock
from common.errors import DomainError, InvalidInput, Violation
from common.infra.archive import open_archive
from common.infra.postgres import open_pool
from common.infra.servers import postgres_url
from common.infra.settings import load
from services.etc_billing.adapters.clearing_store import ClearingStore
from services.etc_billing.adapters.tariff_files import tariff_in
from services.etc_billing.domain.clearing import LineProof, proved
from services.etc_billing.domain.explanation import yuan
from services.etc_billing.domain.merkle import Proof
from services.etc_billing.domain.tariff import Tariff
from services.etc_billing.flows.clearing import EPOCH, FOLDER, Outcome, clear, prove, written
from services.etc_billing.settings import BillingSettings

ERRORS_SHOWN_MAX = 20


def clear_day(
    day: Annotated[datetime, typer.Argument(formats=["%Y-%m-%d"], help="the business day to close, 2026-11-25")],
    tariff: Annotated[
        Path | None,
        typer.Option("--tariff", exists=True, file_okay=False, help="folder of the tariff; default: that of the api"),
    ] = None,
) -> None:
    """Close a day: split what is due among road owners, write a sheet for each, and owe it to them. Repeating it
    compares the sheets and changes nothing."""
    console, settings, number = Console(), load(BillingSettings), (day.date() - EPOCH).days
    try:
        known = _tariff(tariff or settings.billing_tariff)
        url = postgres_url(settings)
        with console.status(f"clearing {written(number)}"), open_pool(url) as pool:
            store, archive = ClearingStore(pool, url), open_archive(settings)
            outcome = clear(number, tariff=known, clearings=store, files=archive, clock=SystemClock())
    except DomainError as error:
        raise _failed(error.message) from error
    console.print(_words(outcome), markup=False, soft_wrap=True)
    if outcome.differing:
        raise _failed(f"not the sheets that were made: {', '.join(outcome.differing)}")


def prove_lines(
    exit_id: Annotated[str, typer.Argument(help="of the passage")],
    owner: Annotated[str, typer.Option("--owner", help="whose sheet it should be in")],
) -> None:
    """Print a proof, as JSON, that a passage is in an owner's sheet; `check-proof` checks it."""
    settings = load(BillingSettings)
    try:
        url = postgres_url(settings)
        with open_pool(url) as pool:
            found = prove(exit_id, owner, clearings=ClearingStore(pool, url), files=open_archive(settings))
    except DomainError as error:
        raise _failed(error.message) from error
    typer.echo(json.dumps(found, ensure_ascii=False, indent=1))


def check_proof(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="what `prove` printed")],
    root: Annotated[str, typer.Option("--root", help="the root that was published for the owner and day")] = "",
) -> None:
    """Check a proof with nothing but the file. Compare the root with the published one, or give that as --root."""
    try:
        whole = json.loads(file.read_bytes())
        lines = [_line(part) for part in whole["lines"]]
        found, day, owner = bytes.fromhex(whole["root"]), str(whole["day"]), str(whole["owner"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _failed(f"{file.name} is no proof: {error!r}") from error
    if root and root.lower() != found.hex():
        raise _failed(f"the proof is for the root {found.hex()}, not for {root}")
    wrong = [line.line for line in lines if not proved(line, found, day=day, owner=owner)]
    if wrong or not lines:
        raise _failed(f"not proved: {'; '.join(wrong) or 'there is no line'}")
    for line in lines:
        typer.echo(f"{line.line}: line {line.proof.line_index + 1:,} of {line.proof.line_count:,}")
    typer.echo(f"{owner} {day}: proved under the root {found.hex()}")


def _tariff(folder: Path | None) -> Tariff:
    if folder is None:
        raise InvalidInput(Violation("tariff", "name its folder by --tariff or XIANGTONG_BILLING_TARIFF"))
    found = tariff_in(folder)
    if found.tariff is None:
        raise InvalidInput(*(Violation(folder.name, str(error)) for error in found.errors[:ERRORS_SHOWN_MAX]))
    return found.tariff


def _line(part: dict[str, Any]) -> LineProof:
    path = tuple(bytes.fromhex(step) for step in part["path"])
    return LineProof(str(part["line"]), Proof(int(part["line_index"]), int(part["line_count"]), path))


def _words(outcome: Outcome) -> str:
    closed, day = outcome.closed, written(outcome.closed.day)
    told = f"{day} is closed already; nothing was changed" if outcome.closed_before else f"{day} is closed"
    lines = [f"{sheet.owner}: {sheet.line_count:,} lines, {yuan(sheet.total_fen)} yuan" for sheet in outcome.sheets]
    total = f"{closed.passage_count:,} passages, {yuan(closed.total_fen)} yuan, digest {closed.digest.hex()}"
    return "\n".join([f"{told}: {total}", *lines, f"sheets: {FOLDER}/{day}/ in the archive"])


def _failed(message: str) -> typer.Exit:
    Console(stderr=True).print(message, style="red", markup=False, soft_wrap=True)
    return typer.Exit(1)
