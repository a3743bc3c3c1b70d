"""What products that make the whole passage free have in common."""

from __future__ import annotations

import numpy as np

from services.etc_billing.domain.passages import Intervals
from services.etc_billing.domain.products.product import Amounts, Effect, RatingRule
from services.etc_billing.domain.tariff import Tariff


def freed(amounts: Amounts, _intervals: Intervals, _rule: RatingRule, _tariff: Tariff) -> Effect:
    """Nothing is due; what would have been payable stands in the charge and the trace."""
    return Effect(Amounts(np.zeros_like(amounts.interval_fees_fen), np.zeros_like(amounts.charges_fen)))
