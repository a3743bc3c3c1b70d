"""`xiangtong fences`: fences from and to files, through the api."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import grpc
import typer
from rich.console import Console
from xiangtong.tracking.v1 import tracking_service_pb2 as pb
from xiangtong.tracking.v1.tracking_service_pb2_grpc import TrackingServiceStub

from common.datums import Datum
from common.infra.grpc_channel import open_channel

TIMEOUT_S = 120.0
FORMATS = {
    ".geojson": pb.FENCE_FILE_FORMAT_GEOJSON,
    ".json": pb.FENCE_FILE_FORMAT_GEOJSON,
    ".zip": pb.FENCE_FILE_FORMAT_SHAPEFILE,
    ".gpkg": pb.FENCE_FILE_FORMAT_GPKG,
    ".kml": pb.FENCE_FILE_FORMAT_KML,
}

API_ADDRESS = "127.0.0.1:6851"
app = typer.Typer(help="Fences from and to files.", no_args_is_help=True)

Api = Annotated[str, typer.Option("--api", help="address of the tracking api, host:port")]
DatumOption = Annotated[Datum, typer.Option("--datum", help="datum of the coordinates in the file; never guessed")]


@app.command("import")
def import_fences(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help=".geojson, .zip (Shapefile), .gpkg, .kml")],
    datum: DatumOption,
    api: Api = API_ADDRESS,
) -> None:
    """Add the fences of a file; each feature that is refused is named with the reason."""
    console = Console()
    request = pb.ImportFencesRequest(content=file.read_bytes(), format=_format(file), datum=datum.value)
    with console.status("importing"):
        results = _called(console, api, "ImportFences", request).results
    refused = [(n, result.message) for n, result in enumerate(results, 1) if not result.fence_id]
    for number, message in refused:
        console.print(f"feature {number}: {message}", style="red", markup=False)
    console.print(f"{len(results) - len(refused)} fences added, {len(refused)} features refused")
    if refused:
        raise typer.Exit(1)


@app.command("export")
def export_fences(
    file: Annotated[Path, typer.Argument(dir_okay=False, help="file to write; its suffix says the format")],
    datum: DatumOption,
    api: Api = API_ADDRESS,
) -> None:
    """Write all fences to a file."""
    console = Console()
    with console.status("exporting"):
        request = pb.ExportFencesRequest(format=_format(file), datum=datum.value)
        file.write_bytes(_called(console, api, "ExportFences", request).content)
    console.print(f"fences written to {file} in {datum.value}")


def _format(file: Path) -> pb.FenceFileFormat.ValueType:
    if file.suffix.lower() not in FORMATS:
        raise typer.BadParameter(f"the suffix must be one of {', '.join(FORMATS)}")
    return FORMATS[file.suffix.lower()]


def _called(console: Console, api: str, method: str, request: Any) -> Any:
    try:
        with open_channel(api) as channel:
            stub = TrackingServiceStub(channel)
            return getattr(stub, method)(request, timeout=TIMEOUT_S)
    except grpc.RpcError as error:
        refusal: Any = error
        console.print(
            f"the api at {api} refused: {refusal.code().name}: {refusal.details()}", style="red", markup=False
        )
        raise typer.Exit(1) from None
