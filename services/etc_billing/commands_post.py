"""`xiangtong billing post`: exit records of a file, posted in bulk, with one line for each that was not created."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import grpc
import typer
from rich.console import Console
from rich.progress import Progress
from xiangtong.billing.v1 import billing_service_pb2 as pb
from xiangtong.billing.v1.billing_service_pb2_grpc import BillingServiceStub

from common.errors import InvalidInput
from common.infra.grpc_channel import open_channel
from services.etc_billing.adapters.passage_files import ExitChunk, exits_in
from services.etc_billing.convert.exit_records import exit_message

ADDRESS = "127.0.0.1:6853"
RECORDS_A_CALL = 10_000
TIMEOUT_S = 120.0
_PREFIX = "POSTING_OUTCOME_"
GOOD = ("CREATED", "EXISTS")


class Disposition(NamedTuple):
    """What became of a line that was not created and does not exist as it is."""

    line: int
    outcome: str
    detail: str


def post_file(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="exit records, a JSON object a line")],
    api: Annotated[str, typer.Option("--api", help="address of the billing api, host:port")] = ADDRESS,
    dispositions: Annotated[
        Path | None, typer.Option(help="where lines that were refused go; default: FILE.dispositions.csv")
    ] = None,
) -> None:
    """Post exit records. What is right is taken whatever becomes of the rest; sending a file again changes nothing."""
    console, counts, refused = Console(), Counter[str](), list[Disposition]()
    try:
        with open_channel(api) as channel, Progress(console=console) as progress:
            bar, stub = progress.add_task("bytes", total=file.stat().st_size), BillingServiceStub(channel)
            for chunk in exits_in(file, None, chunk_rows=RECORDS_A_CALL):
                refused += _posted(stub, chunk, counts)
                progress.advance(bar, chunk.byte_count)
    except InvalidInput as error:
        raise _failed(error.message) from None
    except grpc.RpcError as error:
        message = f"the billing api at {api} refused: {_details(error)}; mend that and send the file again"
        raise _failed(message) from None
    told = ", ".join(f"{count:,} {outcome.lower()}" for outcome, count in sorted(counts.items()))
    console.print(told or "no records")
    if refused:
        place = dispositions or file.with_name(f"{file.name}.dispositions.csv")
        with place.open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows([Disposition._fields, *refused])
        console.print(f"[red]{len(refused):,} lines were refused: {place}[/]")
        raise typer.Exit(1)


def _posted(stub: BillingServiceStub, chunk: ExitChunk, counts: Counter[str]) -> list[Disposition]:
    counts["REJECTED"] += len(chunk.rejections)
    found = [Disposition(wrong.line, "REJECTED", f"{wrong.reason}: {wrong.message}") for wrong in chunk.rejections]
    if len(chunk.records):
        request = pb.PostPassageRecordsRequest(exits=exit_message(chunk.records))
        answer = stub.PostPassageRecords(request, timeout=TIMEOUT_S)
        outcomes = [pb.PostingOutcome.Name(outcome).removeprefix(_PREFIX) for outcome in answer.outcomes]
        counts.update(outcomes)
        details = {remark.record_index: remark.detail for remark in answer.remarks}
        for row, outcome in enumerate(outcomes):
            if outcome not in GOOD:
                found.append(Disposition(chunk.lines[row], outcome, details.get(row, "")))
    counts += Counter()  # those that are zero are not told
    return sorted(found)


def _failed(message: str) -> typer.Exit:
    Console(stderr=True).print(f"[red]{message}[/]")
    return typer.Exit(1)


def _details(error: Any) -> str:
    return f"{error.code().name}: {error.details()}"
