"""The vehicles of tolls: types, classes, media and issuers in the shares of the trade."""

from __future__ import annotations

import numpy as np
import pytest

from simulation.toll_vehicles import (
    CPC,
    GREEN,
    ISSUER_SHARES,
    MEDIA_SHARES,
    OBU,
    PAY_ETC,
    TRUCKS,
    TYPE_SHARES,
    axles,
    drawn,
    vehicles,
)

COUNT = 40_000
FLEET = vehicles(np.random.default_rng(5), COUNT)


@pytest.mark.parametrize(
    ("column", "shares"), [(FLEET.types, TYPE_SHARES), (FLEET.media_types, MEDIA_SHARES)], ids=["types", "media"]
)
def test_shares_are_within_four_deviations(
    column: np.ndarray[tuple[int], np.dtype[np.uint8]], shares: dict[int, float]
) -> None:
    assert sum(shares.values()) == pytest.approx(1)
    for key, share in shares.items():
        assert abs((column == key).mean() - share) < 4 * (share * (1 - share) / COUNT) ** 0.5, key


def test_a_tag_pays_by_etc_and_has_an_issuer_and_nothing_else_does() -> None:
    tagged = FLEET.media_types == OBU
    assert ((FLEET.pay_types == PAY_ETC) == tagged).all()
    assert set(FLEET.issuers[tagged].tolist()) == set(ISSUER_SHARES)
    assert (FLEET.issuers[~tagged] == 0).all()
    assert set(FLEET.fee_classes[FLEET.media_types == CPC].tolist()) == {3, 4}


def test_only_trucks_are_of_a_special_class_and_only_passenger_vehicles_have_seats() -> None:
    trucks = np.isin(FLEET.types, TRUCKS)
    assert (FLEET.classes[~trucks] == 0).all()
    assert 0.04 < (FLEET.classes[trucks] == GREEN).mean() < 0.06
    assert ((FLEET.seat_counts > 0) == (FLEET.types <= 4)).all()
    assert set(FLEET.seat_counts[FLEET.types == 1].tolist()) == {5, 7, 8, 9}
    assert FLEET.seat_counts[FLEET.types == 4].min() >= 40


def test_trucks_of_types_13_to_16_have_as_many_axles_as_their_type_says() -> None:
    assert axles(np.array([1, 11, 12, 13, 14, 15, 16])).tolist() == [2, 2, 2, 3, 4, 5, 6]


def test_taking_rows_takes_them_of_every_column() -> None:
    two = FLEET.take(np.array([7, 3]))
    assert len(two) == 2
    assert two.plates.tolist() == [7, 3]
    assert two.types.tolist() == [FLEET.types[7], FLEET.types[3]]


def test_a_share_of_one_draws_nothing_else() -> None:
    assert drawn(np.random.default_rng(1), {9: 1.0}, 3).tolist() == [9, 9, 9]
