"""Wiring of the role api: opens what it needs, joins it, and closes it in reverse."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

import uvloop

from common.clock import SystemClock
from common.errors import Unavailable
from common.infra import diagnostics
from common.infra.grpc import serve
from common.infra.health_checks import PromptCheck
from common.infra.health_http import serve_health
from common.infra.postgres import open_pool
from common.infra.servers import postgres_url
from common.infra.settings import BAD_SETTINGS_EXIT_CODE, load
from services.etc_billing.adapters.ledger_store import LedgerStore
from services.etc_billing.adapters.tariff_files import tariff_in
from services.etc_billing.flows.posting import Answers, Checked, posted_checked
from services.etc_billing.flows.rated_records import TariffRating
from services.etc_billing.server.billing import BillingServer, billing_service
from services.etc_billing.settings import BillingSettings

ERRORS_SHOWN_MAX = 20

log = diagnostics.logger(__name__)


def run(role: str) -> None:
    """Run a role until SIGTERM or SIGINT."""
    settings = load(BillingSettings)
    diagnostics.configure(f"billing-{role}", settings)
    with ExitStack() as stack:
        _ROLES[role](settings, stack)


def _run_api(settings: BillingSettings, stack: ExitStack) -> None:
    """Takes toll passages and answers for them."""
    pool, ready, clock = open_pool(postgres_url(settings)), threading.Event(), SystemClock()
    stack.callback(pool.close)
    ledger = LedgerStore(pool, settings.billing_chain)

    def started() -> None:
        if not ready.is_set():
            raise Unavailable("STARTING", "the role is starting")

    stack.callback(serve_health(settings, ready={"role": started, "postgres": PromptCheck(ledger.check)}).close)
    server = BillingServer(_post(settings, ledger, clock), ledger, clock)
    stack.callback(server.close)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(
            serve(
                [billing_service(server)], settings, host=settings.billing_host, port=settings.billing_port,
                started=lambda _: ready.set(),
            )
        )  # fmt: skip


def _post(settings: BillingSettings, ledger: LedgerStore, clock: SystemClock) -> Callable[[Checked], Answers] | None:
    if settings.billing_tariff is None:
        return None
    found = tariff_in(settings.billing_tariff)
    if found.tariff is None or found.rules is None:
        for error in found.errors[:ERRORS_SHOWN_MAX]:
            log.critical("tariff cannot be used", error=str(error))
        raise SystemExit(BAD_SETTINGS_EXIT_CODE)
    return partial(posted_checked, ledger=ledger, rating=TariffRating(found.tariff, found.rules), clock=clock)


_ROLES: dict[str, Callable[[BillingSettings, ExitStack], None]] = {"api": _run_api}

if __name__ == "__main__":
    run(sys.argv[1])
