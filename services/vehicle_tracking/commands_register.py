"""`xiangtong register`: the register from and to files, through the api."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import grpc
import typer
from rich.console import Console
from rich.progress import Progress
from xiangtong.tracking.v1 import registry_service_pb2 as pb
from xiangtong.tracking.v1.registry_service_pb2_grpc import RegistryServiceStub

from common.errors import InvalidInput
from common.infra.grpc_channel import open_channel
from services.vehicle_tracking.adapters.register_files import FileRow, rows_in, write_rows
from services.vehicle_tracking.convert.registry import row_from, row_message

ROWS_A_CALL = 1000
PAGE_SIZE = 1000
TIMEOUT_S = 120.0
ERRORS_PRINTED_MAX = 20
API_ADDRESS = "127.0.0.1:6851"

app = typer.Typer(help="The register of vehicles from and to files.", no_args_is_help=True)

Api = Annotated[str, typer.Option("--api", help="address of the tracking api, host:port")]


class RowError(NamedTuple):
    """One row that was refused: where and what to do."""

    row: int
    column: str
    message: str


@app.command("import")
def import_register(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="a .csv or .xlsx file")],
    api: Api = API_ADDRESS,
    errors: Annotated[Path | None, typer.Option(help="where refused rows go; default: FILE.errors.csv")] = None,
) -> None:
    """Add or replace vehicles, their enterprises and terminals. What is right is taken whatever becomes of the rest."""
    console = Console()
    counts, refused = [0] * 5, list[RowError]()
    try:
        with open_channel(api) as channel, Progress(console=console) as progress:
            rows = list(rows_in(file))
            bar = progress.add_task("rows", total=len(rows))
            stub = RegistryServiceStub(channel)
            for part in _parts(rows):
                refused += _import(stub, part, counts)
                progress.advance(bar, len(part))
    except InvalidInput as error:
        raise _failed(console, error.message) from None
    except grpc.RpcError as error:
        raise _failed(console, f"the api at {api} refused: {_details(error)}") from None
    taken = f"{counts[1]} new, {counts[2]} changed, {counts[3]} as they were"
    console.print(f"{taken}, {len(refused)} refused")
    if refused:
        _write_errors(errors or file.with_name(f"{file.name}.errors.csv"), refused, console)
        raise typer.Exit(1)


@app.command("export")
def export_register(
    file: Annotated[Path, typer.Argument(dir_okay=False, help="the .csv or .xlsx file to write")],
    api: Api = API_ADDRESS,
) -> None:
    """Write all vehicles with their enterprises and terminals; `register import` takes the file."""
    console = Console()
    try:
        with open_channel(api) as channel, console.status("reading the register"):
            count = write_rows(file, map(row_from, _exported(RegistryServiceStub(channel))))
    except grpc.RpcError as error:
        raise _failed(console, f"the api at {api} refused: {_details(error)}") from None
    console.print(f"{count} vehicles written to {file}")


def _import(stub: Any, part: Sequence[FileRow], counts: list[int]) -> list[RowError]:
    good = [one for one in part if not one.violations]
    refused = [RowError(one.number, v.field, v.message) for one in part for v in one.violations]
    request = pb.ImportRegisterRequest(rows=[row_message(one.row) for one in good])
    for one, result in zip(good, stub.ImportRegister(request, timeout=TIMEOUT_S).results, strict=True):
        counts[result.outcome] += 1
        if result.outcome == pb.REGISTER_ROW_OUTCOME_REJECTED:
            refused.append(RowError(one.number, result.field, result.message))
    return sorted(refused)


def _exported(stub: Any) -> Iterator[pb.RegisterRow]:
    pages = _pages(stub.ListEnterprises, pb.ListEnterprisesRequest(page_size=PAGE_SIZE), "enterprises")
    names = {firm.enterprise_id: firm.name for firm in pages}
    terminals = _pages(stub.ListTerminals, pb.ListTerminalsRequest(page_size=PAGE_SIZE), "terminals")
    phones = {terminal.vehicle_id: terminal.phone for terminal in terminals}
    for vehicle in _pages(stub.ListVehicles, pb.ListVehiclesRequest(page_size=PAGE_SIZE), "vehicles"):
        yield pb.RegisterRow(
            plate=vehicle.plate,
            plate_colour=vehicle.plate_colour,
            kind=vehicle.kind,
            enterprise_name=names.get(vehicle.enterprise_id, ""),
            region_code=vehicle.region_code,
            speed_kmh_max=vehicle.speed_kmh_max,
            phone=phones.get(vehicle.vehicle_id, ""),
            vin=vehicle.vin,
        )


def _pages(method: Any, request: Any, field: str) -> Iterator[Any]:
    while True:
        response = method(request, timeout=TIMEOUT_S)
        yield from getattr(response, field)
        request.page_token = response.next_page_token
        if not request.page_token:
            return


def _parts(rows: Sequence[FileRow]) -> Iterator[Sequence[FileRow]]:
    for start in range(0, len(rows), ROWS_A_CALL):
        yield rows[start : start + ROWS_A_CALL]


def _write_errors(path: Path, refused: Sequence[RowError], console: Console) -> None:
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows([RowError._fields, *refused])
    for error in refused[:ERRORS_PRINTED_MAX]:
        console.print(f"row {error.row}, {error.column}: {error.message}", style="red", markup=False)
    console.print(f"all {len(refused)} are in {path}")


def _failed(console: Console, message: str) -> typer.Exit:
    console.print(message, style="red", markup=False)
    return typer.Exit(1)


def _details(error: Any) -> str:
    return f"{error.code().name}: {error.details()}"
