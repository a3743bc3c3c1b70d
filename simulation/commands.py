"""`xiangtong simulate` and `xiangtong replay`."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NamedTuple

import grpc
import typer
import uvloop
from rich.console import Console
from rich.progress import Progress

from common.clock import SystemClock
from simulation.drive import Pace, drive
from simulation.fences import ensure_fences
from simulation.fleet import Behaviour, Fleet
from simulation.province import Province, province
from simulation.register import Car, cars, import_cars
from simulation.replay import ReplayOptions, Track, TrackFileError, read_tracks, replay_tracks, track_cars
from simulation.terminals import Counts, Terminals

API_WAIT_S = 120.0  # the first start of an api compiles its kernels
LINE_S = 30.0  # a line of counts this often where there is no terminal to draw on
Work = Callable[[asyncio.Event], Coroutine[None, None, None]]

AccessOption = Annotated[str, typer.Option(help="HOST:PORT of the access role")]
ApiOption = Annotated[str, typer.Option(help="HOST:PORT of the api role, to register vehicles and fences")]
TokenOption = Annotated[str, typer.Option(help="token for the api", envvar="XIANGTONG_GRPC_TOKEN")]


class Address(NamedTuple):
    """Where something listens."""

    host: str
    port: int


def simulate(
    vehicles: Annotated[int, typer.Option(min=1, max=50_000, help="how many")] = 500,
    seed: Annotated[int, typer.Option(help="what the province is made from")] = 1,
    access: AccessOption = "127.0.0.1:6808",
    api: ApiOption = "127.0.0.1:6851",
    speed_up: Annotated[float, typer.Option(min=0.1, max=60, help="simulated seconds a second")] = 1.0,
    minutes: Annotated[float, typer.Option(min=0, help="simulated minutes; 0 until Ctrl-C")] = 0.0,
    activity: Annotated[float, typer.Option(min=0.1, max=20, help="1: 150 to 165 km a vehicle-day")] = 1.0,
    damaged: Annotated[float, typer.Option(min=0, max=1, help="share of reports also sent with a wrong check")] = 0.0,
    fences: Annotated[bool, typer.Option(help="make the province's fences where they are missing")] = True,
    token: TokenOption = "",
) -> None:
    """Drive a simulated province: terminals on TCP that speak JT/T 808."""
    if speed_up > 1 and minutes == 0:
        raise typer.BadParameter("a faster fleet needs --minutes: its fix times would run into the future")
    console, place = Console(), _address(access)
    start_ms = SystemClock().now_ms() - round(max(0.0, minutes * 60_000 * (1 - 1 / speed_up)))
    land = province(seed)
    fleet = Fleet(land, vehicles, seed=seed, start_ms=start_ms, behaviour=Behaviour(activity=activity))
    fleet_cars = cars(fleet.kinds.tolist(), fleet.region_codes, seed=seed)
    with _channel(_address(api), token) as channel:
        _register(console, channel, fleet_cars, land if fences else None)
    pace = Pace(speed_up, minutes, damaged)

    async def run(stop: asyncio.Event) -> None:
        async with Terminals(place.host, place.port, seed=seed) as terminals:
            with _status(console, terminals) as tell:
                await drive(fleet, fleet_cars, terminals, pace=pace, stop=stop, tell=tell)

    _run(run)


def replay(
    file: Annotated[Path, typer.Argument(help="CSV (.gz too): id or plate, time, longitude, latitude", exists=True)],
    access: AccessOption = "127.0.0.1:6808",
    api: ApiOption = "127.0.0.1:6851",
    speed_up: Annotated[float, typer.Option(min=0, help="recorded seconds a second; 0: as fast as answers come")] = 1.0,
    limit: Annotated[int, typer.Option(min=0, help="only the first so many rows of the file; 0 for all")] = 0,
    utc_offset: Annotated[float, typer.Option(help="hours ahead of UTC of times that name no zone")] = 8.0,
    token: TokenOption = "",
) -> None:
    """Replay recorded GPS fixes as terminals on TCP."""
    console, place = Console(), _address(access)
    try:
        tracks = read_tracks(file, limit=limit, utc_offset_h=utc_offset)
    except TrackFileError as error:
        console.print(f"[red]{file}: {error}[/]")
        raise typer.Exit(2) from error
    with _channel(_address(api), token) as channel:
        _register(console, channel, track_cars(tracks), None)
    counts: list[Counts] = []

    async def run(stop: asyncio.Event) -> None:
        with Progress(console=console) as progress:
            task = progress.add_task(f"{len(tracks)} terminals", total=sum(len(track.fixes) for track in tracks))
            options = ReplayOptions(place.host, place.port, speed_up)
            tell: Callable[[int], None] = lambda done: progress.update(task, completed=done)  # noqa: E731 – one use
            counts.append(await replay_tracks(tracks, options, stop=stop, tell=tell))

    _run(run)
    _told_replay(console, tracks, counts[0])


def _told_replay(console: Console, tracks: list[Track], counts: Counts) -> None:
    fix_count = sum(len(track.fixes) for track in tracks)
    repeated = sum(track.repeated_count for track in tracks)
    console.print(
        f"{fix_count} fixes ({repeated} more repeat a second of their vehicle and were left out), "
        f"{counts.positions_reported} sent, {counts.positions_acknowledged} acknowledged"
    )
    if counts.positions_acknowledged < fix_count:
        raise typer.Exit(1)


def _register(console: Console, channel: grpc.Channel, fleet: list[Car], land: Province | None) -> None:
    """Vehicles, and fences when there is a province; waits for the api to come up."""
    try:
        grpc.channel_ready_future(channel).result(timeout=API_WAIT_S)
    except grpc.FutureTimeoutError as error:
        console.print("[red]the api role does not answer: start it (make run), or name it with --api HOST:PORT[/]")
        raise typer.Exit(1) from error
    try:
        with Progress(console=console, disable=not console.is_terminal) as progress:
            task = progress.add_task("registering vehicles", total=len(fleet))
            for ids in import_cars(channel, fleet):
                progress.advance(task, len(ids))
        made = ensure_fences(channel, land) if land is not None else 0
    except (grpc.RpcError, ValueError) as error:
        console.print(f"[red]the api refused the register or the fences: {error}[/]")
        raise typer.Exit(1) from error
    console.print(f"{len(fleet)} vehicles are registered, {made} fences were made")


@contextmanager
def _status(console: Console, terminals: Terminals) -> Iterator[Callable[[Fleet], None]]:
    """Something to call with the fleet: a line that is redrawn, or a line now and then where nothing can be redrawn."""
    if console.is_terminal:
        with console.status("connecting") as status:
            yield lambda fleet: status.update(_line(fleet, terminals))
        return
    told_s = [time.monotonic() - LINE_S]

    def tell(fleet: Fleet) -> None:
        if time.monotonic() - told_s[0] >= LINE_S:
            told_s[0] = time.monotonic()
            console.print(_line(fleet, terminals))

    yield tell


def _line(fleet: Fleet, terminals: Terminals) -> str:
    counts = terminals.counts
    return (
        f"{terminals.online_count} of {len(fleet)} on line, {int((fleet.speeds_ms > 0).sum())} moving, "
        f"{counts.positions_reported} positions sent, {counts.positions_acknowledged} acknowledged, "
        f"{counts.positions_refused} refused, {terminals.pending_count} pending"
    )


def _address(text: str) -> Address:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit():
        raise typer.BadParameter(f"{text!r} is not HOST:PORT")
    return Address(host, int(port))


def _channel(address: Address, token: str) -> grpc.Channel:
    channel = grpc.insecure_channel(f"{address.host}:{address.port}")
    return grpc.intercept_channel(channel, _TokenInterceptor(token)) if token else channel


class _TokenInterceptor(grpc.UnaryUnaryClientInterceptor):
    def __init__(self, token: str) -> None:
        self._metadata = (("authorization", f"Bearer {token}"),)

    def intercept_unary_unary(self, continuation, details, request):  # type: ignore[no-untyped-def]  # as grpc's
        return continuation(details._replace(metadata=(*(details.metadata or ()), *self._metadata)), request)


def _run(work: Work) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_until_signal(work))


async def _until_signal(work: Work) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await work(stop)
