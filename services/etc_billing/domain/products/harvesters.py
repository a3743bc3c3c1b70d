"""Combine harvesters on the way to the harvest travel free."""

from __future__ import annotations

from services.etc_billing.domain.passages import Passages
from services.etc_billing.domain.products.conditions import among
from services.etc_billing.domain.products.free_passages import freed
from services.etc_billing.domain.products.product import Flags, Product

VEHICLE_CLASS = 22


def applies(passages: Passages) -> Flags:
    """Passages of combine harvesters and of the vehicles that carry them."""
    return among(passages.vehicle_classes, (VEHICLE_CLASS,))


HARVESTERS = Product("harvesters", applies, freed)
