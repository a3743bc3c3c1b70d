"""`xiangtong tracking dead-letters`: what could not be used, with its reason and its bytes."""

from __future__ import annotations

import json
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
RECORDS_LOOKED_AT_MAX = 100_000  # a rare reason is not searched for in a month of others
LAST_MAX = 10_000  # they are held in memory: 20 MB


def dead_letters(
    reason: Annotated[str, typer.Option(help="only of this reason, such as CHECKSUM")] = "",
    last: Annotated[int, typer.Option(min=1, max=LAST_MAX, help="how many, the newest")] = 100,
    as_hex: Annotated[bool, typer.Option("--hex", help="print nothing but the bytes, a line of hex each")] = False,
) -> None:
    """Print what could not be used, oldest first, a JSON line each. 列出无法使用的报文及其原因。

    Of frames of terminals these are samples, some twenty a second at most; `left_out` says how many were refused and
    not kept between the letter before and this one.

    \b
    xiangtong tracking dead-letters --reason CHECKSUM --last 10
    xiangtong tracking dead-letters --reason CHECKSUM --hex | xiangtong jt808 decode
    """
    told = Console(stderr=True)
    try:
        log = open_log(load(TrackingSettings))
        try:
            found = newest(log, last, reason.upper())
        finally:
            log.close()
    except DomainError as error:
        told.print(f"{error.message}; does the log run, is it prepared (xiangtong prepare)?", style="red", markup=False)
        raise typer.Exit(1) from None
    for record in found:
        typer.echo(record.value.hex() if as_hex else json.dumps(letter(record), ensure_ascii=False))
    if not found:
        what = f"of reason {reason.upper()}" if reason else "at all"
        told.print(f"no letters {what}: everything that came could be used, or it is long ago", markup=False)


def newest(log: EventLog, count: int, reason: str = "") -> list[Record]:
    """The last `count` records put aside, of one reason where it is named, oldest first."""
    found: list[Record] = []
    for record in _backwards(log):
        if not reason or dict(record.headers).get("reason") == reason.encode():
            found.append(record)
        if len(found) == count:
            break
    return found[::-1]


def letter(record: Record) -> dict[str, Any]:
    """A record as it is printed: time, what its headers say, length and bytes in hex."""
    time = utc(record.append_time_ms).astimezone(SHANGHAI).isoformat(timespec="milliseconds")
    headers = {name: value.decode(errors="replace") for name, value in record.headers}
    return {"time": time, **headers, "length": len(record.value), "hex": record.value.hex()}


def _backwards(log: EventLog) -> Iterator[Record]:
    oldest, end = log.bounds(PLACE)
    oldest = max(oldest, end - RECORDS_LOOKED_AT_MAX)
    while end > oldest:
        start = max(oldest, end - RECORDS_AT_ONCE)
        yield from reversed(_between(log, start, end))
        end = start


def _between(log: EventLog, offset: int, end: int) -> list[Record]:
    """Whatever is left of these offsets: the oldest may be dropped meanwhile."""
    found: list[Record] = []
    while offset < end:
        records = log.read(PLACE, offset, records_max=end - offset)
        if not records:
            break
        found += [record for record in records if record.offset < end]
        offset = records[-1].offset + 1
    return found
