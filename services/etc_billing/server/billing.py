"""BillingService: toll passages posted, each once, and asked about."""

# ruff: noqa: N802, ARG002 – the generated code names the method and its arguments

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import numpy as np
from xiangtong.billing.v1 import billing_service_pb2 as pb
from xiangtong.billing.v1.billing_service_pb2_grpc import add_BillingServiceServicer_to_server

from common.clock import Clock
from common.errors import InvalidInput, NotAllowedNow, Violation
from common.infra.grpc import Service
from services.etc_billing.convert.exit_records import exit_records_of, post_response
from services.etc_billing.convert.ledger import account_of, business_day_of, passage_message
from services.etc_billing.domain.exit_records import EXIT_ID_SIZE_MAX
from services.etc_billing.domain.identifiers import record_keys
from services.etc_billing.domain.ledger import Account
from services.etc_billing.flows.ports import Stored
from services.etc_billing.flows.posting import Answers, Checked, checked

RECORDS_MAX = 10_000
NAME = "xiangtong.billing.v1.BillingService"


class Ledger(Protocol):
    """What is asked."""

    def get(self, key: bytes) -> Stored:
        """A passage. Raises NotFound."""

    def balance_fen(self, account: Account, *, known_time_ms: int, business_day: int) -> int:
        """A balance. Raises NotFound."""


class BillingServer:
    """Posts in one thread, in the order of calls: a chain has one writer. Another checks what comes next meanwhile.
    `post`: None where there is no tariff."""

    def __init__(self, post: Callable[[Checked], Answers] | None, ledger: Ledger, clock: Clock) -> None:
        self._post = post
        self._ledger = ledger
        self._clock = clock
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="checking")
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="posting")

    async def PostPassageRecords(
        self, request: pb.PostPassageRecordsRequest, context: Any
    ) -> pb.PostPassageRecordsResponse:
        if self._post is None:
            raise NotAllowedNow("NO_TARIFF", "there is no tariff: set XIANGTONG_BILLING_TARIFF to its folder")
        if len(request.exits.exit_ids) > RECORDS_MAX:
            raise InvalidInput(Violation("exits.exit_ids", f"send at most {RECORDS_MAX} records at once"))
        loop = asyncio.get_running_loop()
        try:
            sent = await loop.run_in_executor(self._reader, _checked, request.exits)
        except ValueError as error:
            raise InvalidInput(Violation("exits", str(error))) from error
        if sent is None:
            return pb.PostPassageRecordsResponse()
        return await loop.run_in_executor(self._writer, _answered, self._post, sent)

    async def GetPassage(self, request: pb.GetPassageRequest, context: Any) -> pb.GetPassageResponse:
        exit_id = request.exit_id.encode()
        if not 0 < len(exit_id) <= EXIT_ID_SIZE_MAX:
            raise InvalidInput(Violation("exit_id", f"an exit transaction id has up to {EXIT_ID_SIZE_MAX} characters"))
        key = record_keys(np.array([exit_id], f"S{EXIT_ID_SIZE_MAX + 1}"))[0].tobytes()
        stored = await asyncio.to_thread(self._ledger.get, key)
        return pb.GetPassageResponse(passage=passage_message(stored))

    async def GetAccountBalance(
        self, request: pb.GetAccountBalanceRequest, context: Any
    ) -> pb.GetAccountBalanceResponse:
        known_ms = request.known_time.ToMilliseconds() if request.HasField("known_time") else self._clock.now_ms()
        balance_fen = await asyncio.to_thread(
            self._ledger.balance_fen, account_of(request.account), known_time_ms=known_ms,
            business_day=business_day_of(request.business_date),
        )  # fmt: skip
        return pb.GetAccountBalanceResponse(balance_fen=balance_fen)

    def close(self) -> None:
        """Let what is being posted end."""
        self._reader.shutdown()
        self._writer.shutdown()


def billing_service(servicer: BillingServer) -> Service:
    """The service for common.infra.grpc."""
    return Service(NAME, add_BillingServiceServicer_to_server, servicer)


def _checked(message: pb.ExitRecords) -> Checked | None:
    """None where there are no records."""
    records = exit_records_of(message)
    return checked(records) if len(records) else None


def _answered(post: Callable[[Checked], Answers], sent: Checked) -> pb.PostPassageRecordsResponse:
    return post_response(post(sent))
