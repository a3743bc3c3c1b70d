"""Rating exit records by a tariff: their intervals and stations get the tariff's numbers, then the pure core rates."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from services.etc_billing.domain.exit_records import STATION_SIZE, ExitRecords
from services.etc_billing.domain.passages import UNKNOWN, Int32s
from services.etc_billing.domain.rating import RatingRules, Reason, rate
from services.etc_billing.domain.tariff import Tariff
from services.etc_billing.flows.ports import Rated

_NAMES = np.array(["" if reason == 0 else reason.name for reason in Reason])


class TariffRating:
    """Rates by one tariff and its rules."""

    def __init__(self, tariff: Tariff, rules: RatingRules) -> None:
        self._tariff, self._rules = tariff, rules
        self._intervals = _Numbers(tariff.interval_ids)
        self._stations = _Numbers(tariff.station_ids)

    def __call__(self, records: ExitRecords) -> Rated:
        """What the records cost."""
        exits = records.identities["exit_id"].astype(f"S{STATION_SIZE}")
        passages = replace(
            records.passages,
            entry_stations=self._stations.of(records.identities["entry_station_id"]),
            exit_stations=self._stations.of(exits),
            intervals=replace(records.passages.intervals, numbers=self._intervals.of(records.interval_ids)),
        )
        charges = rate(passages, self._tariff, self._rules)
        return Rated(charges.payable_fen, charges.charge_fen, _NAMES[charges.reasons])


class _Numbers:
    """The place of names in a list, found for many at once."""

    def __init__(self, names: tuple[str, ...]) -> None:
        known = np.array([name.encode() for name in names] or [b"\xff"], np.bytes_)
        self._order = np.argsort(known)
        self._sorted = known[self._order]

    def of(self, names: NDArray[np.bytes_]) -> Int32s:
        """The place of each, (n,); UNKNOWN for one that is not there."""
        places = np.minimum(np.searchsorted(self._sorted, names), len(self._sorted) - 1)
        found: Int32s = np.where(self._sorted[places] == names, self._order[places], UNKNOWN).astype(np.int32)
        return found
