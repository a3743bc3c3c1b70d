"""Evasion is in the trips by its share, and each kind looks as its name says."""

from __future__ import annotations

import numpy as np

from simulation.toll_evasion import NO_PARTNER, Evasion, seen
from simulation.toll_vehicles import OBU
from tests.simulation.toll_world import COUNT, SHARES, world

TRIPS = world().trips
COUNTS = np.diff(TRIPS.starts)
SEEN_COUNTS = np.add.reduceat(TRIPS.seen.astype(int), TRIPS.starts[:-1])


def rows(kind: Evasion) -> list[int]:
    return np.flatnonzero(TRIPS.kinds == kind).tolist()


def test_every_kind_has_its_share() -> None:
    for kind, share in SHARES.items():
        expected = round(share * COUNT)
        fit_few = kind in (Evasion.BIG_VEHICLE_SMALL_TAG, Evasion.ONE_PLATE_TWO_TAGS)
        assert expected / (3 if fit_few else 1) <= len(rows(kind)) <= expected, kind.name


def test_a_double_exit_is_the_passage_of_its_partner_that_leaves_once_more() -> None:
    for row in rows(Evasion.DOUBLE_EXIT):
        first = int(TRIPS.partners[row])
        assert TRIPS.kinds[first] == Evasion.NONE
        assert TRIPS.vehicles.cards[row] == TRIPS.vehicles.cards[first]
        assert TRIPS.entry_times_ms[row] == TRIPS.entry_times_ms[first]
        assert TRIPS.exit_times_ms[row] - TRIPS.exit_times_ms[first] >= 120_000
        assert TRIPS.exit_stations[row] == TRIPS.exit_stations[first]


def test_one_plate_is_at_two_places_at_once_with_two_tags() -> None:
    for row in rows(Evasion.ONE_PLATE_TWO_TAGS):
        other = int(TRIPS.partners[row])
        assert TRIPS.vehicles.plates[row] == TRIPS.vehicles.plates[other]
        assert TRIPS.vehicles.cards[row] != TRIPS.vehicles.cards[other]
        assert TRIPS.vehicles.media_types[[row, other]].tolist() == [OBU, OBU]
        assert TRIPS.entry_stations[row] != TRIPS.entry_stations[other]
        assert TRIPS.entry_times_ms[row] < TRIPS.exit_times_ms[other]


def test_a_small_tag_is_on_a_vehicle_with_more_axles() -> None:
    for row in rows(Evasion.BIG_VEHICLE_SMALL_TAG):
        assert TRIPS.vehicles.charged_types[row] == 11
        assert TRIPS.vehicles.types[row] >= 13
        assert TRIPS.vehicles.axle_counts[row] >= 3
    others = np.delete(np.arange(COUNT), rows(Evasion.BIG_VEHICLE_SMALL_TAG))
    assert (TRIPS.vehicles.charged_types[others] == TRIPS.vehicles.types[others]).all()


def test_a_shielded_tag_is_seen_once_and_a_gap_hides_one_or_two_on_the_way() -> None:
    for row in rows(Evasion.SHIELDED_OBU):
        assert SEEN_COUNTS[row] == 1 and TRIPS.seen[TRIPS.starts[row]]
    for row in rows(Evasion.PATH_GAP):
        assert COUNTS[row] - SEEN_COUNTS[row] in (1, 2)
        assert TRIPS.seen[[TRIPS.starts[row], TRIPS.starts[row + 1] - 1]].all()
    others = ~np.isin(TRIPS.kinds, (Evasion.SHIELDED_OBU, Evasion.PATH_GAP))
    assert (COUNTS[others] == SEEN_COUNTS[others]).all()


def test_only_overtime_is_on_the_network_for_more_than_three_days() -> None:
    long = TRIPS.exit_times_ms - TRIPS.entry_times_ms > 3 * 86_400_000
    assert np.flatnonzero(long).tolist() == rows(Evasion.OVERTIME)


def test_a_u_turn_comes_back_the_way_it_went_to_the_station_it_came_from() -> None:
    for row in rows(Evasion.U_TURN):
        assert TRIPS.entry_stations[row] == TRIPS.exit_stations[row]
        driven = TRIPS.numbers[TRIPS.starts[row] : TRIPS.starts[row + 1]]
        out, back = driven[: len(driven) // 2], driven[len(driven) // 2 :]
        assert (out[::-1] ^ 1).tolist() == back.tolist()


def test_nobody_is_the_partner_of_two_or_evades_as_well() -> None:
    partners = TRIPS.partners[TRIPS.partners != NO_PARTNER]
    assert len(set(partners.tolist())) == len(partners)
    assert (TRIPS.kinds[partners] == Evasion.NONE).all()


def test_without_evasion_all_is_seen() -> None:
    assert seen(np.random.default_rng(1), np.zeros(2, np.uint8), np.array([0, 2, 5])).all()
