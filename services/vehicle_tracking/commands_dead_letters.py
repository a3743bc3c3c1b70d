"""`xiangtong tracking dead-letters`: what could not be used, with its reason and its bytes."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Annotated, Any

import typer
from rich.console import Console

from common.clock import SHANGHAI, utc
from common.errors import DomainError
from common.infra.event_logs import open_log
from common.infra.log import EventLog, Record, TopicPartition
from common.infra.settings import load
from services.vehicle_tracking.domain.topics import DEAD_LETTERS
from services.vehicle_tracking.settings import TrackingSettings

PLACE = TopicPartition(DEAD_LETTERS, 0)
RECORDS_AT_ONCE = 500


def dead_letters(
    reason: Annotated[str, typer.Option(help="only of this reason, such as CHECKSUM")] = "",
    last: Annotated[int, typer.Option(min=1, max=100_000, help="how many of the newest records to look at")] = 100,
) -> None:
    """Print what could not be used, a JSON line each; the hex of a frame goes into `xiangtong jt808 decode`."""
    count = 0
    try:
        log = open_log(load(TrackingSettings))
        try:
            for record in newest(log, last):
                letter = told(record)
                if not reason or letter["reason"] == reason.upper():
                    sys.stdout.write(json.dumps(letter, ensure_ascii=False) + "\n")
                    count += 1
        finally:
            log.close()
    except DomainError as error:
        Console(stderr=True).print(f"[red]{error}; is the platform prepared (xiangtong prepare), its log named?[/]")
        raise typer.Exit(1) from error
    if not count:
        Console(stderr=True).print("no such letters: everything that came could be used, or is older than 30 days")


def newest(log: EventLog, count: int) -> Iterator[Record]:
    """The last `count` records of the topic, oldest first."""
    oldest, end = log.bounds(PLACE)
    offset = max(oldest, end - count)
    while offset < end:
        records = log.read(PLACE, offset, records_max=RECORDS_AT_ONCE)
        if not records:
            return
        yield from records
        offset = records[-1].offset + 1


def told(record: Record) -> dict[str, Any]:
    """A letter as it is printed: time, what its headers say, length and bytes in hex."""
    headers = {name: value.decode(errors="replace") for name, value in record.headers}
    time = utc(record.append_time_ms).astimezone(SHANGHAI).isoformat(timespec="milliseconds")
    return {"time": time, **headers, "bytes": len(record.value), "hex": record.value.hex()}
