"""`xiangtong billing verify`: whether the ledger is what it was when it was written."""

from __future__ import annotations

import typer
from rich.console import Console

from common.errors import DomainError
from common.infra.postgres import open_pool
from common.infra.servers import postgres_url
from common.infra.settings import load
from services.etc_billing.adapters.ledger_store import verified
from services.etc_billing.domain.chain import What
from services.etc_billing.settings import BillingSettings

_WORDS = {
    What.ORDER: "does not follow the block before it",
    What.CONTENT: "its passages, postings or balance changes are not those that were written",
    What.HEADER: "its header is not what was written",
}


def verify() -> None:
    """Read every block of the ledger again and compare it with its hash and with the block before it."""
    console = Console()
    try:
        with console.status("reading the ledger"), open_pool(postgres_url(load(BillingSettings))) as pool:
            count, faults = verified(pool)
    except DomainError as error:
        Console(stderr=True).print(f"[red]{error}[/]")
        raise typer.Exit(1) from error
    for fault in faults:
        console.print(f"[red]block {fault.number} of chain {fault.chain}: {_WORDS[fault.what]}[/]")
    console.print(f"{count} blocks, {len(faults)} faults")
    if faults:
        raise typer.Exit(1)
