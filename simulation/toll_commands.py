"""`xiangtong simulate-tolls`: a day of made-up tolls as files, with the truth beside them."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import grpc
import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress
from xiangtong.billing.v1.billing_service_pb2_grpc import BillingServiceStub

from common.clock import SystemClock
from simulation.province import province
from simulation.toll_evasion import NO_PARTNER, Evasion
from simulation.toll_exits import CHUNK, ExitNames, exit_lines, exit_names
from simulation.toll_gantries import gantry_records
from simulation.toll_gantry_lines import gantry_lines
from simulation.toll_live import TollSystem, post_live
from simulation.toll_network import INTERVALS, STATIONS, Int64s, TollNetwork, toll_network, ways
from simulation.toll_tariff import NOTE, SyntheticTariff, synthetic_tariff, write_tariff
from simulation.toll_trips import TollTrips, toll_trips
from simulation.toll_truth import Charges, charged, owed, owner_amounts, split

PAST_MS = 3_600_000  # what the first look of a live simulation posts at once
DAY, DAY_FIRST = "2026-03-10", date(2020, 1, 1)


def toll_day(
    out: Annotated[Path, typer.Argument(help="folder to write; made if it is not there")],
    passages: Annotated[int, typer.Option(min=2, max=5_000_000, help="how many exits")] = 10_000,
    seed: Annotated[int, typer.Option(help="what everything is made from")] = 1,
    day: Annotated[str, typer.Option(help="the day of the exits, YYYY-MM-DD")] = DAY,
    intervals: Annotated[int, typer.Option(help="toll intervals, both directions")] = INTERVALS,
    stations: Annotated[int, typer.Option(help="toll stations")] = STATIONS,
    gantries: Annotated[bool, typer.Option(help="also write gantries.jsonl, about 9 kB a passage")] = True,
) -> None:
    """Write a day of synthetic tolls: tariff/, exits.jsonl, gantries.jsonl, and the truth (truth.csv, split.csv)."""
    console = Console()
    try:
        on, land = date.fromisoformat(day), province(seed)
        if on < DAY_FIRST:
            raise ValueError(f"{day} is before {DAY_FIRST}, the first day of the tariff")
        network = toll_network(land, seed, intervals=intervals, stations=stations)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    tariff = synthetic_tariff(network, seed)
    trips = toll_trips(network, ways(network), seed=seed, count=passages, day=on)
    write_tariff(out / "tariff", network, tariff)
    with Progress(console=console) as progress:
        _write_day(out, network, tariff, trips, progress)
        if gantries:
            _write_gantries(out, network, tariff, trips, seed, progress)
    console.print(f"{len(trips)} passages of {len(trips.numbers)} intervals in {out} ({NOTE})")


def _write_day(out: Path, network: TollNetwork, tariff: SyntheticTariff, trips: TollTrips, progress: Progress) -> None:
    paid, names = charged(trips, tariff), exit_names(trips, network)
    _write_lines(out / "exits.jsonl", exit_lines(trips, network, names, paid.charges_fen), len(trips), progress)
    _write_lines(out / "truth.csv", _truth_lines(trips, names, paid, owed(trips, tariff)), len(trips) + 1, progress)
    _write_lines(out / "split.csv", _owner_lines(trips, network, names, split(trips, paid)), None, progress)


def _write_gantries(
    out: Path, network: TollNetwork, tariff: SyntheticTariff, trips: TollTrips, seed: int, progress: Progress
) -> None:
    sent = gantry_records(trips, seed)
    lines = gantry_lines(trips, network, tariff, exit_names(trips, network), sent)
    _write_lines(out / "gantries.jsonl", lines, len(sent.arrivals), progress)


def _write_lines(path: Path, chunks: Iterable[list[str]], total: int | None, progress: Progress) -> None:
    task = progress.add_task(path.name, total=total)
    with path.open("w", encoding="utf-8", newline="") as stream:
        for lines in chunks:
            stream.write("".join(f"{line}\n" for line in lines))
            progress.advance(task, len(lines))
    progress.update(task, total=progress.tasks[task].completed)


def _truth_lines(trips: TollTrips, names: ExitNames, paid: Charges, due: Charges) -> Iterator[list[str]]:
    """`owed_fen`: what the trip would cost by what was driven and what the vehicle is; evasion empty for none."""
    yield ["exit_id,charge_fen,owed_fen,evasion,partner_exit_id"]
    kinds = ["", *(kind.name.lower() for kind in Evasion if kind)]
    for rows in _chunks(len(trips)):
        partners = trips.partners[rows]
        columns = (
            names.exit_ids[rows].astype(str),
            paid.charges_fen[rows],
            due.charges_fen[rows],
            np.array(kinds)[trips.kinds[rows]],
            np.where(partners == NO_PARTNER, "", names.exit_ids[partners].astype(str)),
        )
        yield _joined(columns)


def _owner_lines(trips: TollTrips, network: TollNetwork, names: ExitNames, parts_fen: Int64s) -> Iterator[list[str]]:
    """What each owner gets of each exit."""
    yield ["exit_id,owner,amount_fen"]
    trip_rows, owners, amounts = owner_amounts(trips, network, parts_fen)
    called = np.array([owner.owner for owner in network.owners])
    for rows in _chunks(len(trip_rows)):
        yield _joined((names.exit_ids[trip_rows[rows]].astype(str), called[owners[rows]], amounts[rows]))


def _chunks(count: int) -> Iterator[Int64s]:
    return (np.arange(first, min(first + CHUNK, count)) for first in range(0, count, CHUNK))


def _joined(columns: tuple[NDArray[Any], ...]) -> list[str]:
    return [",".join(map(str, row)) for row in zip(*(column.tolist() for column in columns), strict=True)]


def synthetic_tariff_in(folder: Path, seed: int) -> None:
    """Write the tariff of the simulated tolls."""
    network = toll_network(province(seed), seed)
    write_tariff(folder, network, synthetic_tariff(network, seed))


def tolls_live(
    passages: Annotated[int, typer.Option(min=2, max=5_000_000, help="exits a day")] = 20_000,
    seed: Annotated[int, typer.Option(help="what everything is made from")] = 1,
    api: Annotated[str, typer.Option(help="HOST:PORT of the billing api")] = "127.0.0.1:6853",
    token: Annotated[str, typer.Option(help="token for the api", envvar="XIANGTONG_GRPC_TOKEN")] = "",
) -> None:
    """Post synthetic tolls as they happen, from an hour ago on, until Ctrl-C."""
    clock = SystemClock()

    async def run() -> int:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        async with grpc.aio.insecure_channel(api) as channel:
            caller = TollSystem(BillingServiceStub(channel), token)
            return await post_live(
                caller, seed=seed, passages=passages, clock=clock, stop=stop, from_ms=clock.now_ms() - PAST_MS
            )

    Console().print(f"{asyncio.run(run())} exits posted")
