"""BillingService over gRPC on the loopback interface, on a real PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from xiangtong.billing.v1 import billing_service_pb2 as pb
from xiangtong.billing.v1.billing_service_pb2_grpc import BillingServiceStub

from common.clock import ManualClock
from common.infra.grpc import start
from common.infra.migrations import migrate
from common.infra.postgres import Pool, open_pool
from common.infra.settings import GrpcSettings
from services.etc_billing.adapters.ledger_store import LedgerStore
from services.etc_billing.flows.posting import posted_checked
from services.etc_billing.server.billing import RECORDS_MAX, BillingServer, billing_service
from tests.etc_billing.exit_world import exit_id, message, rated

pytestmark = [pytest.mark.enable_socket, pytest.mark.services("postgres")]
MIGRATIONS = Path(__file__).resolve().parents[3] / "services" / "etc_billing" / "migrations"


@pytest.fixture(scope="module")
def pool(postgres_url: str) -> Iterator[Pool]:
    migrate(postgres_url, MIGRATIONS)
    with open_pool(postgres_url) as found:
        yield found


@asynccontextmanager
async def serving(pool: Pool, *, tariff: bool = True) -> AsyncIterator[Any]:
    """A stub of the running service."""
    store, clock = LedgerStore(pool, 1), ManualClock(1_000_000)
    post = partial(posted_checked, ledger=store, rating=rated, clock=clock) if tariff else None
    servicer = BillingServer(post, store, clock)
    server = await start([billing_service(servicer)], GrpcSettings(), host="127.0.0.1", port=0)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        yield BillingServiceStub(channel)
    await server.drain(0)
    servicer.close()


async def test_records_are_posted_and_can_be_asked_for(pool: Pool) -> None:
    async with serving(pool) as stub:
        rows = message({}, {"plates": "湘B00002"}, {"fee_classes": 9})
        answer = await stub.PostPassageRecords(pb.PostPassageRecordsRequest(exits=rows))
        assert list(answer.outcomes) == [
            pb.POSTING_OUTCOME_CREATED, pb.POSTING_OUTCOME_CREATED, pb.POSTING_OUTCOME_REJECTED,
        ]  # fmt: skip
        assert [(remark.record_index, remark.detail) for remark in answer.remarks] == [(2, "FEE_CLASS_UNKNOWN")]
        passage = (await stub.GetPassage(pb.GetPassageRequest(exit_id=exit_id(1)))).passage
        assert (passage.plate, passage.charge_fen, passage.block_number) == ("湘B00002", 1900, 1)
        balance = await stub.GetAccountBalance(pb.GetAccountBalanceRequest(account="issuer_reserved:430101"))
        assert balance.balance_fen == 3800


@pytest.mark.parametrize(
    ("method", "request_", "words"),
    [
        (
            "PostPassageRecords",
            pb.PostPassageRecordsRequest(exits=pb.ExitRecords(exit_ids=["a"])),
            "pass_ids: 0 values",
        ),
        (
            "PostPassageRecords",
            pb.PostPassageRecordsRequest(exits=pb.ExitRecords(exit_ids=["a"] * (RECORDS_MAX + 1))),
            "at most 10000",
        ),
        ("GetPassage", pb.GetPassageRequest(), "exit_id"),
        ("GetAccountBalance", pb.GetAccountBalanceRequest(account="cash"), "KIND:HOLDER"),
        (
            "GetAccountBalance",
            pb.GetAccountBalanceRequest(account="lane_takings:a", business_date="x"),
            "business_date",
        ),
    ],
)
async def test_a_wrong_request_is_told_what_is_wrong(pool: Pool, method: str, request_: Any, words: str) -> None:
    async with serving(pool) as stub:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await getattr(stub, method)(request_)
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert words in str(refused.value.details())


async def test_unknown_passages_and_accounts_are_not_found(pool: Pool) -> None:
    async with serving(pool) as stub:
        for call in (
            stub.GetPassage(pb.GetPassageRequest(exit_id=exit_id(77))),
            stub.GetAccountBalance(pb.GetAccountBalanceRequest(account="lane_takings:nowhere")),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await call
            assert refused.value.code() == grpc.StatusCode.NOT_FOUND


async def test_without_a_tariff_nothing_is_posted_and_the_setting_is_named(pool: Pool) -> None:
    async with serving(pool, tariff=False) as stub:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.PostPassageRecords(pb.PostPassageRecordsRequest(exits=message({})))
    assert refused.value.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert "XIANGTONG_BILLING_TARIFF" in str(refused.value.details())
