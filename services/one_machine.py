"""`xiangtong run`: embedded servers, every role and a simulated fleet on one machine."""

from __future__ import annotations

import fcntl
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from rich.console import Console

from common.errors import Unavailable
from common.infra.servers import postgres_url, redis_url, restart_servers, stop_servers
from common.infra.settings import load
from services.etc_billing.settings import BillingSettings
from services.gateway.settings import GatewaySettings
from services.preparation import prepare
from services.roles import ROLES
from services.supervisor import RoleCommand, Supervisor
from services.vehicle_tracking.settings import TrackingSettings
from simulation.toll_commands import synthetic_tariff_in

LOCK_FILE = "run.lock"
TARIFF_FOLDER = "tariff-synthetic"  # of the simulated tolls, where no tariff is set
METRICS_PORT_BASE = 9108  # one port a role from here on, where XIANGTONG_METRICS_PORT names no other


def run_all(*, vehicle_count: int, seed: int) -> None:
    """Run until Ctrl-C or SIGTERM. `vehicle_count`: simulated vehicles, 0 for none; `seed`: what they are made from."""
    settings, gateway, billing = load(TrackingSettings), load(GatewaySettings), load(BillingSettings)
    with _alone(settings.data):
        _run_alone(settings, gateway, billing, vehicle_count=vehicle_count, seed=seed)


def address(gateway: GatewaySettings) -> str:
    """Where a browser finds the console."""
    host = "127.0.0.1" if gateway.gateway_host in ("0.0.0.0", "::") else gateway.gateway_host  # noqa: S104 – compared, not bound
    return f"http://{host}:{gateway.gateway_port}/"


def _run_alone(
    settings: TrackingSettings, gateway: GatewaySettings, billing: BillingSettings, *, vehicle_count: int, seed: int
) -> None:
    console, started_s = Console(), time.monotonic()
    with console.status("starting PostgreSQL and Redis"):
        servers = {"XIANGTONG_POSTGRES": postgres_url(settings), "XIANGTONG_REDIS": redis_url(settings)}
    try:
        with console.status("bringing tables and topics up to date"):
            prepare()
        simulated_tolls = vehicle_count > 0 and billing.billing_tariff is None
        if simulated_tolls:
            synthetic_tariff_in(settings.data / TARIFF_FOLDER, seed)
            servers |= {"XIANGTONG_BILLING_TARIFF": str(settings.data / TARIFF_FOLDER)}
        supervisor = Supervisor(settings.data / "logs", console, upkeep=partial(_revived, settings))
        with console.status("starting every role (the first start compiles the kernels, about a minute)"):
            supervisor.start(_roles(settings.metrics_port or METRICS_PORT_BASE, servers))
        if vehicle_count and not supervisor.stopping:
            supervisor.start([_fleet(settings, vehicle_count, seed)])
        if simulated_tolls and not supervisor.stopping:
            supervisor.start([_tolls(billing, seed)])
        if not supervisor.stopping:
            console.print(f"[bold green]湘通 is running[/] ({time.monotonic() - started_s:.1f} s): {address(gateway)}")
            console.print(
                f"terminals: {settings.access_host}:{settings.access_port}; logs: {settings.data}/logs; Ctrl-C stops"
            )
        supervisor.watch()
        console.print("stopping")
        supervisor.stop()
    finally:
        stop_servers(settings)
    console.print("stopped")


@contextmanager
def _alone(data: Path) -> Iterator[None]:
    """Nobody else runs on this data folder: two would take each other's servers and ports away. Exits when one does."""
    data.mkdir(parents=True, exist_ok=True)
    with (data / LOCK_FILE).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit(
                f"already running on {data}: stop that one with Ctrl-C, or choose another XIANGTONG_DATA and ports"
            )
        yield


def _revived(settings: TrackingSettings) -> list[str]:
    """Start embedded servers that have died; what to say of it."""
    try:
        return [f"[red]{name} had stopped; it was started again[/]" for name in restart_servers(settings)]
    except Unavailable as error:
        return [f"[red]{error}[/]"]


def _roles(metrics_port: int, servers: dict[str, str]) -> list[RoleCommand]:
    return [
        RoleCommand(
            name=role.name,
            arguments=("services", role.name),
            environment={**servers, "XIANGTONG_METRICS_PORT": str(metrics_port + index)},
            health_port=metrics_port + index,
        )
        for index, role in enumerate(ROLES)
    ]


def _fleet(settings: TrackingSettings, vehicle_count: int, seed: int) -> RoleCommand:
    words = ["services", "simulate", "--vehicles", str(vehicle_count), "--seed", str(seed)]
    words += [
        "--access",
        f"{settings.access_host}:{settings.access_port}",
        "--api",
        f"{settings.api_host}:{settings.api_port}",
    ]
    return RoleCommand(name="simulation", arguments=tuple(words), environment={})


def _tolls(billing: BillingSettings, seed: int) -> RoleCommand:
    words = ("services", "simulate-tolls-live", "--seed", str(seed), "--api")
    return RoleCommand(
        name="toll-simulation", arguments=(*words, f"{billing.billing_host}:{billing.billing_port}"), environment={}
    )
