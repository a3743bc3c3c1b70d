"""Which positions of programs cannot be taken, and why."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from services.vehicle_tracking.domain.positions import PositionBatch

SPEED_01KMH_MAX = 65_535  # what JT/T 808 can carry
REASONS = (
    "",
    "UNKNOWN_VEHICLE",
    "TIME_NOT_POSITIVE",
    "COORDINATE_OUT_OF_RANGE",
    "SPEED_OUT_OF_RANGE",
    "HEADING_OUT_OF_RANGE",
)


def refusals(positions: PositionBatch, known: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """The place in REASONS of the first reason against each position, (n,); 0 for none. `known`: (m,), whether there
    is a vehicle of that id."""
    ids = positions.vehicle_ids
    inside = (ids >= 0) & (ids < len(known))
    unknown = ~inside
    unknown[inside] = ~known[ids[inside]]
    against = (
        unknown,
        positions.fix_times_ms <= 0,
        (np.abs(positions.longitudes_e7.astype(np.int64)) > 1_800_000_000)
        | (np.abs(positions.latitudes_e7.astype(np.int64)) > 900_000_000),
        (positions.speeds_01kmh < 0) | (positions.speeds_01kmh > SPEED_01KMH_MAX),
        (positions.headings_deg < 0) | (positions.headings_deg > 359),
    )
    found = np.zeros(len(positions), np.uint8)
    for number in range(len(against), 0, -1):
        found[against[number - 1]] = number
    return found
