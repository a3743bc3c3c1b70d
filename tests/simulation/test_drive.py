"""Driving hands each report to its own terminal, stored ones as blind-area batches, at the pace asked for."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import pytest

from simulation import frames
from simulation.drive import Pace, drive, send
from simulation.fleet import Behaviour, Fleet, Reports
from simulation.frames import Fix
from simulation.province import province
from simulation.register import cars
from simulation.terminals import Terminal, Terminals

START_MS = 1_764_028_800_000


@dataclass
class Link:
    """A terminal that only notes what it is given."""

    reported: list[tuple[int, bool]] = field(default_factory=list)
    uploaded: list[tuple[int, list[int]]] = field(default_factory=list)

    def report(self, fix: Fix, *, damaged: bool = False) -> None:
        self.reported.append((fix.fix_time_ms, damaged))

    def upload(self, fixes: list[Fix], kind: int) -> None:
        self.uploaded.append((kind, [fix.fix_time_ms for fix in fixes]))


def reports(*rows: tuple[int, int, bool]) -> Reports:
    """Rows of (vehicle, second, blind)."""
    vehicles, seconds, blind = (np.array(column) for column in zip(*rows, strict=True))
    zeros = np.zeros(len(rows), np.int32)
    return Reports(vehicles, seconds * 1000, *(zeros,) * 8, blind)


def test_stored_fixes_of_one_vehicle_go_as_one_batch_and_live_ones_one_by_one() -> None:
    links = [Link(), Link()]
    sent = reports((0, 1, True), (0, 2, True), (1, 3, True), (0, 9, False), (1, 9, False))
    send(sent, cast("list[Terminal]", links), damaged=np.zeros(5, np.bool_))
    assert links[0].uploaded == [(frames.BATCH_BLIND_AREA, [1000, 2000])]
    assert links[1].uploaded == [(frames.BATCH_BLIND_AREA, [3000])]
    assert links[0].reported == links[1].reported == [(9000, False)]


def test_a_damaged_report_is_sent_again_whole() -> None:
    links = [Link()]
    send(reports((0, 1, False)), cast("list[Terminal]", links), damaged=np.ones(1, np.bool_))
    assert links[0].reported == [(1000, True), (1000, False)]


@pytest.mark.enable_socket
async def test_driving_ends_after_its_minutes_or_when_told_to_stop() -> None:
    fleet = Fleet(province(1), 5, seed=1, start_ms=START_MS, behaviour=Behaviour())
    fleet_cars = cars(fleet.kinds.tolist(), fleet.region_codes, seed=1)
    told: list[int] = []
    async with Terminals("127.0.0.1", 1, seed=1) as terminals:
        stop = asyncio.Event()
        terminals_any: Any = terminals
        terminals_any.settled = _at_once
        pace = Pace(speed_up=600.0, minutes=0.5)
        await drive(fleet, fleet_cars, terminals, pace=pace, stop=stop, tell=lambda f: told.append(f.now_ms))
        assert told[-1] == START_MS + 30_000
        stop.set()
        await drive(fleet, fleet_cars, terminals, pace=Pace(), stop=stop, tell=lambda f: told.append(f.now_ms))
        assert told[-1] == START_MS + 30_000


async def _at_once(*, timeout_s: float) -> None:
    assert timeout_s > 0
