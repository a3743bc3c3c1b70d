"""The whole platform under load while processes and servers are killed: what was said, and what became of it."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from xiangtong.tracking.v1 import fences_pb2, tracking_service_pb2
from xiangtong.tracking.v1.tracking_service_pb2_grpc import TrackingServiceStub

from bench.stack import Stack
from common.clock import SystemClock
from simulation.drive import Pace, drive
from simulation.fences import ensure_fences
from simulation.fleet import Behaviour, Fleet, Reports, joined
from simulation.province import province
from simulation.register import Car, cars, import_cars
from simulation.terminals import Counts, Terminals
from tests.real_servers import RealServer

ENGINE, ACCESS, API = "tracking-engine", "tracking-access", "tracking-api"
BEHAVIOUR = Behaviour(activity=30.0, duplicates=0.01, late_uploaders=0.1)
SIMULATED_S_MAX = 6 * 3600  # what the fleet's clock lies behind at first: no fix may come from the future
LINKS_S_MAX, ANSWERS_S_MAX, CAUGHT_UP_S_MAX, WORKING_S_MAX = 60.0, 120.0, 90.0, 60.0
DOWN_S = (0.0, 2.0)
SERVER_DOWN_S = (1.0, 3.0)
ACCESS_PAUSE = 2.0  # it is back sooner than a new engine gets its partitions
RECOVERY_S = 20.0  # after an outage a role may end and be started again by its supervisor
SETTINGS = {  # small files, frequent checkpoints, early silence: more for a crash to break
    "XIANGTONG_CHECKPOINT_INTERVAL_S": "2",
    "XIANGTONG_CHECKPOINT_POSITIONS_MAX": "500",
    "XIANGTONG_OFFLINE_MOVING_S": "10",
}


@dataclass(frozen=True)
class Plan:
    """How a run goes. `kills`: of the engine, and as many of access; `pause_s`: from working to the next kill."""

    seed: int
    vehicles: int = 400
    speed_up: float = 45.0
    kills: int = 10
    pause_s: tuple[float, float] = (0.5, 8.0)
    settle_s: float = 5.0


@dataclass(frozen=True)
class Blow:
    """Something ended at a second of the run: killed by us, or (`by_itself`) not."""

    at_s: float
    name: str
    by_itself: bool = False


@dataclass
class Run:
    """What was said and done. `ids`, `cars`: by the fleet's index; `said`: every report, as often as it was made."""

    counts: Counts
    said: Reports
    ids: list[int]
    cars: Sequence[Car]
    fences: list[fences_pb2.Fence]
    lasted_s: float
    blows: list[Blow]
    outages_s: list[tuple[float, float]]

    def told(self) -> str:
        """The figures of the run."""
        killed = Counter(blow.name for blow in self.blows if not blow.by_itself)
        ended = [(round(b.at_s, 1), b.name) for b in self.blows if b.by_itself]
        return (
            f"killed {dict(killed)} within {self.lasted_s:.0f} s; ended by itself {ended};"
            f" {self.counts.frames_sent} frames sent, {self.counts.frames_sent / self.lasted_s:.0f}/s,"
            f" {self.counts.frames_resent} resent; {self.counts.connects} log-ins;"
            f" positions reported {self.counts.positions_reported},"
            f" acknowledged {self.counts.positions_acknowledged}"
        )


class NotedFleet(Fleet):
    """A fleet whose reports are kept."""

    said: list[Reports]

    def step(self) -> Reports:
        reports = super().step()
        self.said.append(reports)
        return reports


@dataclass
class _Killer:
    """Kills what the plan says, starts it again, and what ended by itself too, as a supervisor would."""

    stack: Stack
    servers: Mapping[str, RealServer]
    plan: Plan
    rng: random.Random
    starter: ThreadPoolExecutor
    start_s: float = field(default_factory=time.monotonic)
    blows: list[Blow] = field(default_factory=list)
    outages_s: list[tuple[float, float]] = field(default_factory=list)
    down: set[str] = field(default_factory=set)

    def now_s(self) -> float:
        return time.monotonic() - self.start_s

    async def work(self) -> None:
        watching = asyncio.create_task(self._watch())
        try:
            await asyncio.gather(self._kill_engine(), self._kill_access(), self._kill_servers())
            for role in (ENGINE, ACCESS, API):
                await asyncio.to_thread(self.stack.wait_until_ready, role)
            await asyncio.sleep(self.plan.settle_s)
        finally:
            watching.cancel()

    async def _kill_engine(self) -> None:
        """Most often while it works, sometimes while it starts."""
        for _ in range(self.plan.kills):
            if self.rng.random() < 0.8:
                await self._engine_works()
            await self._kill(ENGINE, self.rng.uniform(*self.plan.pause_s))

    async def _engine_works(self) -> None:
        deadline_s = time.monotonic() + WORKING_S_MAX
        while not await asyncio.to_thread(self.stack.metric, ENGINE, "xiangtong_engine_positions_total"):
            assert time.monotonic() < deadline_s, "the engine judges nothing"
            await asyncio.sleep(0.1)

    async def _kill_access(self) -> None:
        for _ in range(self.plan.kills):
            if self.rng.random() < 0.8:
                await asyncio.to_thread(self.stack.wait_until_ready, ACCESS)
            await self._kill(ACCESS, ACCESS_PAUSE * self.rng.uniform(*self.plan.pause_s))

    async def _kill(self, role: str, pause_s: float) -> None:
        await asyncio.sleep(pause_s)
        self.down.add(role)
        self.blows.append(Blow(self.now_s(), role))
        self.stack.kill(role)
        await asyncio.sleep(self.rng.uniform(*DOWN_S))
        self.stack.start(role)
        self.down.discard(role)

    async def _kill_servers(self) -> None:
        names = sorted(self.servers)
        self.rng.shuffle(names)
        for name in names:
            await asyncio.sleep(self.rng.uniform(10, 25))
            self.blows.append(Blow(self.now_s(), name))
            begin_s = self.now_s()
            self.servers[name].kill()
            await asyncio.sleep(self.rng.uniform(*SERVER_DOWN_S))
            await asyncio.get_running_loop().run_in_executor(self.starter, self.servers[name].start)
            self.outages_s.append((begin_s, self.now_s()))

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(0.5)
            for role, process in self.stack.processes.items():
                if role not in self.down and process.poll() is not None:
                    self.blows.append(Blow(self.now_s(), role, by_itself=True))
                    self.stack.start(role)


def run(folder: Path, addresses: Mapping[str, str], servers: Mapping[str, RealServer], plan: Plan, check: Any) -> Run:
    """Drive a fleet while the plan is carried out, wait until all is answered and judged, then `check(run, stack)`."""
    land = province(plan.seed)
    start_ms = SystemClock().now_ms() - SIMULATED_S_MAX * 1000
    fleet = NotedFleet(land, plan.vehicles, seed=plan.seed, start_ms=start_ms, behaviour=BEHAVIOUR)
    fleet.said = []
    fleet_cars = cars(fleet.kinds.tolist(), fleet.region_codes, seed=plan.seed)
    with ExitStack() as opened:
        stack = opened.enter_context(Stack(folder, addresses, SETTINGS, (ENGINE, API, ACCESS)))
        with grpc.insecure_channel(stack.api) as channel:
            ids = [vehicle_id for part in import_cars(channel, fleet_cars) for vehicle_id in part]
            ensure_fences(channel, land)
            tracking = TrackingServiceStub(channel)
            drawn = list(tracking.ListFences(tracking_service_pb2.ListFencesRequest(page_size=1000)).fences)
        time.sleep(1.0)  # within which a new fence is in force
        starter = opened.enter_context(ThreadPoolExecutor(1))  # servers end with the thread that started them
        killer = _Killer(stack, servers, plan, random.Random(plan.seed), starter)
        counts, lasted_s = asyncio.run(_driven(fleet, fleet_cars, killer))
        said = joined(fleet.said)
        done = Run(counts, said, ids, fleet_cars, drawn, lasted_s, killer.blows, killer.outages_s)
        check(done, stack)
    return done


async def _driven(fleet: Fleet, fleet_cars: Sequence[Car], killer: _Killer) -> tuple[Counts, float]:
    host, port = killer.stack.access.split(":")
    plan, stop = killer.plan, asyncio.Event()
    async with Terminals(host, int(port), seed=plan.seed) as terminals:
        driving = asyncio.create_task(drive(fleet, fleet_cars, terminals, pace=Pace(plan.speed_up), stop=stop))
        await terminals.settled(lambda: terminals.online_count == len(fleet_cars), timeout_s=LINKS_S_MAX)
        killer.start_s = time.monotonic()
        sent = terminals.counts.frames_sent
        await killer.work()
        lasted_s = killer.now_s()
        terminals.counts.frames_sent -= sent
        stop.set()
        await driving
        await terminals.settled(timeout_s=ANSWERS_S_MAX)
        return terminals.counts, lasted_s
