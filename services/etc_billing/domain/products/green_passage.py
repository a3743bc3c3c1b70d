"""Green passage 绿通: fresh farm produce travels free once the exit has checked it."""

from __future__ import annotations

from services.etc_billing.domain.passages import Passages
from services.etc_billing.domain.products.conditions import among
from services.etc_billing.domain.products.free_passages import freed
from services.etc_billing.domain.products.product import Flags, Product

VEHICLE_CLASS = 21


def applies(passages: Passages) -> Flags:
    """Passages that the exit lane checked and classed as green."""
    return among(passages.vehicle_classes, (VEHICLE_CLASS,))


GREEN_PASSAGE = Product("green_passage", applies, freed)
