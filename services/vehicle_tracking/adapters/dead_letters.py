"""Records that cannot be used, kept where people can look at them."""

from __future__ import annotations

from collections.abc import Sequence

from common.infra.log import NewRecord, Producer, Record
from services.vehicle_tracking.domain.topics import DEAD_LETTERS


class DeadLetters:
    """The topic of records put aside."""

    def __init__(self, producer: Producer) -> None:
        self._producer = producer

    def bury(self, records: Sequence[tuple[Record, str]]) -> None:
        """Keep the raw bytes of each record with the reason and where it stood. Raises Unavailable."""
        self._producer.append(
            [
                NewRecord(
                    DEAD_LETTERS,
                    0,
                    record.value,
                    (
                        *record.headers,
                        ("reason", reason.encode()),
                        ("topic", record.topic.encode()),
                        ("partition", str(record.partition).encode()),
                        ("offset", str(record.offset).encode()),
                    ),
                )
                for record, reason in records
            ]
        )
