"""The tariff is a lookup, and what it does not have is no price."""

from __future__ import annotations

import numpy as np
import pytest

from services.etc_billing.domain.tariff import NO_PRICE_FEN, NO_VERSION, VEHICLE_TYPES
from tests.etc_billing.passage_tables import interval_id, ms, tariff


def prices(versions: list[int], types: list[int], starts: list[int], numbers: list[int]) -> list[int]:
    table = tariff(100, 250, NO_PRICE_FEN, later=(110, 260, 300), shift=1)
    columns = (np.array(versions, np.int64), np.array(types, np.uint8))
    found: list[int] = table.prices_of(*columns, np.array(starts, np.int64), np.array(numbers, np.int32)).tolist()
    return found


def test_a_price_is_of_interval_and_type_and_version() -> None:
    assert prices([0, 1], [1, 26], [0, 2, 4], [0, 1, 0, 2]) == [100, 250, 110 + 15, 300 + 15]


@pytest.mark.parametrize(("vehicle_type", "slot"), [(t, n) for n, t in enumerate(VEHICLE_TYPES)])
def test_every_vehicle_type_has_its_own_price(vehicle_type: int, slot: int) -> None:
    assert prices([0], [vehicle_type], [0, 1], [0]) == [100 + slot]


@pytest.mark.parametrize("vehicle_type", [0, 5, 10, 17, 20, 27, 255])
def test_what_is_no_vehicle_type_has_no_price(vehicle_type: int) -> None:
    assert prices([0], [vehicle_type], [0, 1], [0]) == [NO_PRICE_FEN]


def test_there_is_no_price_without_a_version_an_interval_or_an_entry() -> None:
    assert prices([NO_VERSION, 0, 0], [1, 1, 1], [0, 1, 2, 3], [0, -1, 2]) == [NO_PRICE_FEN] * 3


def test_no_passages_have_no_prices() -> None:
    assert prices([], [], [0], []) == []


def test_numbers_of_another_network_are_an_error_and_not_another_price() -> None:
    with pytest.raises(AssertionError, match="another network"):
        prices([0], [1], [0, 1], [3])


def test_an_empty_tariff_has_no_price() -> None:
    columns = (np.array([0]), np.array([1], np.uint8), np.array([0, 1]), np.array([-1], np.int32))
    assert tariff().prices_of(*columns).tolist() == [NO_PRICE_FEN]


def test_a_version_is_in_force_from_its_first_instant() -> None:
    table = tariff(1, later=(2,), later_from="2026-06-01T00:00")
    instants = [ms("2025-12-31T23:59"), ms("2026-01-01T00:00"), ms("2026-06-01T00:00") - 1, ms("2026-06-01T00:00")]
    assert table.version_rows(np.array(instants)).tolist() == [NO_VERSION, 0, 0, 1]


def test_ids_have_numbers_sections_and_directions() -> None:
    table = tariff(1, 2, 3)
    assert table.interval_numbers[interval_id(1)] == 1
    assert table.station_numbers[table.station_ids[3]] == 3
    assert table.directions.tolist() == [1, 1, 2]
    assert table.sections.tolist() == [interval_id(k)[:11] for k in range(3)]
