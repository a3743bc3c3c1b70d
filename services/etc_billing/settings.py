"""Settings of this service: one frozen object, read from the environment once."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from common.infra.settings import GrpcSettings, Port


class BillingSettings(GrpcSettings):
    """Everything that the role api can be told."""

    billing_host: str = Field(default="127.0.0.1", description="address of BillingService")
    billing_port: Port = Field(default=6853, description="gRPC port of BillingService; 0: any free")
    billing_chain: int = Field(
        default=1, ge=1, le=1_000_000, description="chain of the ledger that this process writes: one of its own"
    )
    billing_tariff: Path | None = Field(
        default=None, description="folder with the tariff (intervals.csv, prices.csv, …); without it nothing is posted"
    )
