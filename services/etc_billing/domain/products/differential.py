"""Differential pricing 差异化收费: a percent by section, period of the day, direction, vehicle type, entry and exit."""

from __future__ import annotations

import numpy as np

from services.etc_billing.domain.passages import Passages
from services.etc_billing.domain.products.product import Flags, Product
from services.etc_billing.domain.products.reductions import INTERVAL_CONDITIONS, reduced


def applies(passages: Passages) -> Flags:
    """Any passage; the rule says which."""
    return np.ones(len(passages), np.bool_)


DIFFERENTIAL = Product("differential", applies, reduced, ("percent", "station_pairs", *INTERVAL_CONDITIONS))
