"""Vehicles of rescue and disaster relief travel free."""

from __future__ import annotations

from services.etc_billing.domain.passages import Passages
from services.etc_billing.domain.products.conditions import among
from services.etc_billing.domain.products.free_passages import freed
from services.etc_billing.domain.products.product import Flags, Product

VEHICLE_CLASS = 23


def applies(passages: Passages) -> Flags:
    """Passages of disaster relief."""
    return among(passages.vehicle_classes, (VEHICLE_CLASS,))


DISASTER_RELIEF = Product("disaster_relief", applies, freed)
