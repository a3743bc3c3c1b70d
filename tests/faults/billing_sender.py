"""Posts files of exit records until all is answered, in processes of its own: a process that has calls under way must
not fork to start servers."""

from __future__ import annotations

import multiprocessing
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any, NamedTuple

import grpc
from xiangtong.billing.v1 import billing_service_pb2 as pb
from xiangtong.billing.v1.billing_service_pb2_grpc import BillingServiceStub

SENDERS = 2
CALL_TIMEOUT_S, RETRY_S, STUCK_S_MAX = 20.0, 0.1, 180.0
CREATED, EXISTS = pb.POSTING_OUTCOME_CREATED, pb.POSTING_OUTCOME_EXISTS
OPTIONS = [("grpc.max_reconnect_backoff_ms", 500), ("grpc.initial_reconnect_backoff_ms", 100)]

_shared: list[Any] = []  # in a sender: the count that all add to


class Call(NamedTuple):
    """A request, and what each of its records truly costs."""

    request: bytes
    charges_fen: list[int]


class Sent(NamedTuple):
    """What became of records, by outcome; and of calls that were not answered, by status."""

    outcomes: Counter[int]
    refused: Counter[str]


class Senders:
    """Some processes that send. `answered`: calls so far."""

    def __init__(self, address: str) -> None:
        spawned = multiprocessing.get_context("spawn")
        self._address, self._count = address, spawned.Value("q", 0)
        self._pool = ProcessPoolExecutor(SENDERS, spawned, initializer=_begin, initargs=(self._count,))

    @property
    def answered(self) -> int:
        """Calls that were answered so far."""
        return int(self._count.value)

    def post(self, files: Sequence[Sequence[Call]]) -> list[Future[Sent]]:
        """Send files, as many at a time as there are senders."""
        return [self._pool.submit(_posted, self._address, list(file)) for file in files]

    def close(self) -> None:
        """End the processes; what is still to be sent is not."""
        self._pool.shutdown(cancel_futures=True)


@contextmanager
def senders_to(address: str) -> Iterator[Senders]:
    """Senders that end with the block. They have started."""
    senders = Senders(address)
    try:
        total(senders.post([()] * SENDERS))
        yield senders
    finally:
        senders.close()


def total(futures: Sequence[Future[Sent]]) -> Sent:
    """All of them together, when the last has ended."""
    found = [future.result() for future in futures]
    return Sent(sum((one.outcomes for one in found), Counter()), sum((one.refused for one in found), Counter()))


def _begin(answered: Any) -> None:
    _shared.append(answered)


def _posted(address: str, calls: Sequence[Call]) -> Sent:
    """Send calls one after another, each until it is answered; what each answer says must be the truth."""
    sent = Sent(Counter(), Counter())
    with grpc.insecure_channel(address, OPTIONS) as channel:
        stub = BillingServiceStub(channel)
        for call in calls:
            answer = _answer(stub, call, sent.refused)
            assert set(answer.outcomes) <= {CREATED, EXISTS}, list(answer.remarks)[:5]
            assert list(answer.charges_fen) == call.charges_fen
            sent.outcomes.update(answer.outcomes)
            with _shared[0].get_lock():
                _shared[0].value += 1
    return sent


def _answer(stub: Any, call: Call, refused: Counter[str]) -> pb.PostPassageRecordsResponse:
    request, deadline_s = pb.PostPassageRecordsRequest.FromString(call.request), time.monotonic() + STUCK_S_MAX
    while True:
        try:
            answer: pb.PostPassageRecordsResponse = stub.PostPassageRecords(request, timeout=CALL_TIMEOUT_S)
            return answer
        except grpc.RpcError as error:
            refused[error.code().name] += 1
            away = error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
            assert away and time.monotonic() < deadline_s, str(error)
            time.sleep(RETRY_S)
