"""Drives a fleet: every simulated second its reports go out through the terminals, at the pace asked for."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from simulation import frames
from simulation.fleet import Fleet, Reports
from simulation.register import Car
from simulation.terminals import Terminal, Terminals

LINKS_A_SECOND = 500  # new links when a fleet starts: a province does not log in within one second
LAG_S_MAX = 5.0  # further behind than this, the pace starts anew instead of catching up
STATUS_S = 1.0
DRAIN_S = 10.0


@dataclass(frozen=True, slots=True)
class Pace:
    """`speed_up`: simulated seconds a second. `minutes`: simulated; 0 for endless. `damaged_share`: of all reports."""

    speed_up: float = 1.0
    minutes: float = 0.0
    damaged_share: float = 0.0


async def drive(
    fleet: Fleet,
    cars: Sequence[Car],
    terminals: Terminals,
    *,
    pace: Pace,
    stop: asyncio.Event,
    tell: Callable[[Fleet], None] = lambda _: None,
) -> None:
    """Until `stop` is set or the minutes are over; then waits DRAIN_S at most for the answers still owed."""
    links = await _connected(cars, terminals, stop)
    rng = np.random.default_rng(0)
    loop = asyncio.get_running_loop()
    due_s, told_s = loop.time(), 0.0
    seconds = itertools.count() if pace.minutes == 0 else range(round(pace.minutes * 60))
    for _ in seconds:
        if stop.is_set():
            break
        reports = fleet.step()
        send(reports, links, damaged=rng.random(len(reports)) < pace.damaged_share)
        if loop.time() - told_s > STATUS_S:
            told_s = loop.time()
            tell(fleet)
        due_s = max(due_s + 1 / pace.speed_up, loop.time() - LAG_S_MAX)
        await _until(due_s, stop)
    await _drained(terminals)
    tell(fleet)


def send(reports: Reports, links: Sequence[Terminal], *, damaged: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> None:
    """Hand reports to their terminals in order; runs of stored fixes of one vehicle go as batches of kind 1."""
    keys = zip(reports.vehicles.tolist(), reports.blind.tolist(), strict=True)
    for (vehicle, blind), rows in itertools.groupby(enumerate(keys), key=lambda row: row[1]):
        fixes = [(row, reports.fix(row)) for row, _ in rows]
        if blind:
            links[vehicle].upload([fix for _, fix in fixes], frames.BATCH_BLIND_AREA)
            continue
        for row, fix in fixes:
            if damaged[row]:
                links[vehicle].report(fix, damaged=True)
            links[vehicle].report(fix)


async def _connected(cars: Sequence[Car], terminals: Terminals, stop: asyncio.Event) -> list[Terminal]:
    links = []
    for number, car in enumerate(cars):
        links.append(terminals.add(car.identity))
        if number % LINKS_A_SECOND == LINKS_A_SECOND - 1 and not stop.is_set():
            await asyncio.sleep(1.0)
    return links


async def _until(due_s: float, stop: asyncio.Event) -> None:
    remaining_s = due_s - asyncio.get_running_loop().time()
    if remaining_s <= 0:
        await asyncio.sleep(0)  # the links get their turn
        return
    try:
        async with asyncio.timeout(remaining_s):
            await stop.wait()
    except TimeoutError:
        return


async def _drained(terminals: Terminals) -> None:
    try:
        await terminals.settled(timeout_s=DRAIN_S)
    except TimeoutError:
        return  # what is still unanswered shows in the counts
