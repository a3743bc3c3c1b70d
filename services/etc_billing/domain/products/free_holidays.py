"""Free holidays: small passenger vehicles pay nothing when they leave the exit lane within a free window."""

from __future__ import annotations

from services.etc_billing.domain.passages import Passages
from services.etc_billing.domain.products.conditions import among
from services.etc_billing.domain.products.free_passages import freed
from services.etc_billing.domain.products.product import Flags, Product
from services.etc_billing.domain.tariff import PASSENGER_TYPES


def applies(passages: Passages) -> Flags:
    """Passenger vehicles; the rule says how many seats (7, while type 1 reaches 9) and when."""
    return among(passages.vehicle_types, PASSENGER_TYPES)


FREE_HOLIDAYS = Product("free_holidays", applies, freed, ("seat_count_max", "windows_ms"))
