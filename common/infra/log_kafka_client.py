"""Clients of Kafka: made within a deadline, closed when they could not be made, and their errors in our words."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import kafka.errors
import kafka.record.util
from kafka.net.compat import KafkaNetClient

from common.errors import NotFound, Unavailable
from common.infra import diagnostics
from common.infra.log import RECORD_BYTES_MAX

CONNECT_TIMEOUT_S = 3.0
ANSWER_TIMEOUT_S = 10.0
REPEAT_S_MAX = 2.0
REPEAT_DELAY_S = 0.1
METADATA_AGE_MS = 2000  # a topic or leader that was not there yet at the first look is found at the next
RECONNECT_DELAY_S_MAX = 1.0  # a broker that returns is found again at once
BATCH_BYTES_MAX = RECORD_BYTES_MAX + 1024 * 1024  # a record, its headers, and what lz4 adds to noise

AnswerT = TypeVar("AnswerT")
ClientT = TypeVar("ClientT")

log = diagnostics.logger(__name__)


class Deadline:
    """A moment by which something has to be done."""

    def __init__(self, span_s: float) -> None:
        self._at_s = time.monotonic() + span_s

    def left_s(self) -> float:
        """Seconds until then; 0 when it has passed."""
        return max(0.0, self._at_s - time.monotonic())

    def left_ms(self) -> int:
        """Milliseconds until then."""
        return round(self.left_s() * 1000)


def connected(kind: Callable[..., ClientT], addresses: str, *, timeout_s: float, **configs: Any) -> ClientT:
    """A client of `kind` that has spoken with a broker. Raises Unavailable after `timeout_s`."""
    parts: list[KafkaNetClient] = []

    def part(**part_configs: Any) -> KafkaNetClient:
        parts.append(KafkaNetClient(**part_configs))
        return parts[-1]

    try:
        with unavailable_when_away():
            return kind(
                bootstrap_servers=addresses.split(","),
                bootstrap_timeout_ms=round(timeout_s * 1000),
                request_timeout_ms=round(ANSWER_TIMEOUT_S * 1000),
                reconnect_backoff_max_ms=round(RECONNECT_DELAY_S_MAX * 1000),
                kafka_client=part,
                **configs,
            )
    except BaseException:
        for made in parts:
            made.close()  # else its thread would live on
        raise


def asked(question: Callable[[], AnswerT]) -> AnswerT:
    """The answer to a question that may be repeated, for a while: a connection that was lost is made again."""
    deadline = Deadline(REPEAT_S_MAX)
    while True:
        try:
            with unavailable_when_away():
                return question()
        except Unavailable as error:
            if not getattr(error.__cause__, "retriable", False) or not deadline.left_s():
                raise
        time.sleep(REPEAT_DELAY_S)


@contextmanager
def unavailable_when_away() -> Iterator[None]:
    """What Kafka's clients raise, as a domain error."""
    try:
        yield
    except kafka.errors.UnknownTopicOrPartitionError as error:
        raise NotFound("topic", error) from error
    except kafka.errors.KafkaError as error:
        raise Unavailable("LOG_UNAVAILABLE", f"Kafka does not answer: {error!r}") from error


def check_fast_checksums() -> None:
    """Refuse to work where every byte would be summed up in Python, which takes 10 to 20 times as long."""
    if kafka.record.util.crc32c_c is None:
        raise RuntimeError("kafka-python found no crc32c: install the package crc32c")
