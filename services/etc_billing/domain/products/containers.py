"""International standard containers, classes J1 and J2: a percent of their own."""

from __future__ import annotations

from services.etc_billing.domain.passages import Passages
from services.etc_billing.domain.products.conditions import among
from services.etc_billing.domain.products.product import Flags, Product
from services.etc_billing.domain.products.reductions import INTERVAL_CONDITIONS, reduced

J1, J2 = 24, 28


def applies(passages: Passages) -> Flags:
    """Both classes; a rule for one of them names it."""
    return among(passages.vehicle_classes, (J1, J2))


CONTAINERS = Product("containers", applies, reduced, ("percent", *INTERVAL_CONDITIONS))
