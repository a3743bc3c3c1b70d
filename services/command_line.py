"""The command line: every tool of the platform under one name."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from common.infra.servers import stop_servers
from common.infra.settings import load, table
from services.etc_billing.commands_clear import check_proof, clear_day, prove_lines
from services.etc_billing.commands_post import post_file
from services.etc_billing.commands_rate import rate_file
from services.etc_billing.commands_verify import verify
from services.etc_billing.settings import BillingSettings
from services.gateway.settings import GatewaySettings
from services.one_machine import run_all
from services.preparation import prepare
from services.vehicle_tracking.commands_dead_letters import dead_letters
from services.vehicle_tracking.commands_fences import app as fences
from services.vehicle_tracking.commands_jt808 import app as jt808
from services.vehicle_tracking.commands_register import app as register
from services.vehicle_tracking.commands_try import app as tracking
from services.vehicle_tracking.settings import TrackingSettings
from simulation.commands import replay, simulate
from simulation.toll_commands import toll_day, tolls_live

app = typer.Typer(
    name="xiangtong",
    help="湘通 Xiangtong: runs the platform on this machine and holds its tools.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,  # locals may hold a password
)
app.command("simulate")(simulate)
app.command("replay")(replay)
app.command("simulate-tolls")(toll_day)
app.command("simulate-tolls-live")(tolls_live)
app.add_typer(register, name="register")
app.add_typer(fences, name="fences")
app.add_typer(jt808, name="jt808")
app.add_typer(tracking, name="tracking")
tracking.command("dead-letters")(dead_letters)
billing = typer.Typer(
    help="Toll passages: what they cost, and whether the ledger is what it was.", no_args_is_help=True
)
billing.command("post")(post_file)
billing.command("rate")(rate_file)
billing.command("verify")(verify)
billing.command("clear")(clear_day)
billing.command("prove")(prove_lines)
billing.command("check-proof")(check_proof)
app.add_typer(billing, name="billing")


@app.command("run")
def run(
    vehicles: Annotated[int, typer.Option(min=0, max=50_000, help="simulated vehicles; 0 for none")] = 500,
    seed: Annotated[int, typer.Option(help="what the simulated province is made from")] = 1,
) -> None:
    """Run everything on this machine: servers, every role, a simulated fleet and the console. Ctrl-C stops it."""
    run_all(vehicle_count=vehicles, seed=seed)


@app.command("all")
def run_roles() -> None:
    """Run servers and every role on this machine, without simulated vehicles."""
    run_all(vehicle_count=0, seed=0)


@app.command("prepare")
def run_preparation() -> None:
    """Make or bring up to date tables and topics. Repeating it changes nothing."""
    prepare()
    Console().print("tables and topics are up to date")


@app.command("stop-servers")
def run_stop_servers() -> None:
    """Stop the embedded PostgreSQL and Redis of this data folder; those that settings name stay as they are."""
    stop_servers(load(TrackingSettings))


@app.command("settings")
def print_settings() -> None:
    """Print every setting: its variable, kind, default and meaning."""
    rows = {
        row.variable: row
        for settings in (TrackingSettings, BillingSettings, GatewaySettings)
        for row in table(settings)
    }
    out = Table("variable", "kind", "default", "meaning")
    for row in sorted(rows.values()):
        out.add_row(*row)
    Console().print(out)
