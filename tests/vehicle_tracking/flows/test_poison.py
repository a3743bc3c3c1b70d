"""Records that cannot be used."""

from __future__ import annotations

import pytest

from common.infra.log import Record
from services.vehicle_tracking.convert.positions import encode
from services.vehicle_tracking.domain.positions import batch
from services.vehicle_tracking.flows.poison import (
    VEHICLE_ID_MAX,
    PoisonError,
    PoisonWatch,
    TooMuchPoisonError,
    positions_of,
)


def record(*vehicle_ids: int) -> Record:
    return Record("positions", 1, 7, encode(batch(1, vehicle_ids=list(vehicle_ids))), 0)


def test_positions_of_the_partition_are_taken() -> None:
    assert positions_of(record(1, 5), 4).vehicle_ids.tolist() == [1, 5]
    assert len(positions_of(record(), 4)) == 0


@pytest.mark.parametrize("vehicle_id", [2, -3, 1 + VEHICLE_ID_MAX, 1 << 50 | 1])
def test_a_vehicle_that_cannot_be_there_makes_the_record_poison(vehicle_id: int) -> None:
    with pytest.raises(PoisonError, match="FOREIGN_VEHICLE"):
        positions_of(record(1, vehicle_id), 4)


def test_a_few_poisonous_records_are_borne_and_a_great_share_is_not() -> None:
    watch = PoisonWatch(0.2)
    for number in range(1000):
        watch.note(poisonous=number % 10 == 0)
    with pytest.raises(TooMuchPoisonError):
        for _ in range(200):
            watch.note(poisonous=True)
