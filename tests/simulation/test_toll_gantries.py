"""Gantry records: shares of fitting, failure and delay as measured, serials that rise, each crossing charged once."""

from __future__ import annotations

from dataclasses import fields

import numpy as np

from simulation.toll_evasion import Evasion
from simulation.toll_gantries import DELAY_S_MAX, DUPLICATE_SHARE, SKEWED_S_MAX, gantry_records
from simulation.toll_vehicles import CPC, NO_MEDIUM, OBU
from tests.simulation.toll_world import world

TRIPS = world().trips
RECORDS = gantry_records(TRIPS, 1)
MEDIA = TRIPS.vehicles.media_types[RECORDS.rows]
TRADES = ~RECORDS.pictures


def test_shares_are_those_of_the_trade() -> None:
    assert 0.05 < (RECORDS.counts[TRADES] > 1).mean() < 0.064
    assert 0.1 < RECORDS.failed[TRADES & (MEDIA == OBU)].mean() < 0.116
    assert 0.13 < RECORDS.failed[TRADES & (MEDIA == CPC)].mean() < 0.156
    assert abs(len(RECORDS.arrivals) / len(RECORDS) - 1 - DUPLICATE_SHARE) < 0.002


def test_every_crossing_is_in_one_record_but_for_those_that_nobody_noticed() -> None:
    assert RECORDS.counts.sum() == len(RECORDS.places)
    order = np.argsort(RECORDS.lasts)
    assert (np.cumsum(RECORDS.counts[order]) - 1 == RECORDS.lasts[order]).all()
    firsts = RECORDS.places[RECORDS.lasts - RECORDS.counts + 1]
    assert (TRIPS.rows[firsts] == RECORDS.rows).all(), "a record is of one trip"
    unseen = np.setdiff1d(np.arange(len(TRIPS.numbers)), RECORDS.places)
    assert set(TRIPS.kinds[TRIPS.rows[unseen]].tolist()) == {Evasion.PATH_GAP, Evasion.DOUBLE_EXIT}


def test_a_shielded_tag_and_no_medium_leave_pictures_only() -> None:
    shielded = TRIPS.kinds[RECORDS.rows] == Evasion.SHIELDED_OBU
    assert (RECORDS.pictures == ((MEDIA == NO_MEDIUM) | (shielded & ~TRIPS.seen[RECORDS.numbers_at]))).all()
    assert RECORDS.failed[RECORDS.pictures].all()


def test_a_failed_trade_has_no_tac_and_no_serials_and_every_other_of_a_tag_has() -> None:
    traded = TRADES & (MEDIA == OBU) & ~RECORDS.failed
    for column in (RECORDS.tacs, RECORDS.terminal_serials, RECORDS.card_serials):
        assert ((column > 0) == traded).all()


def test_serials_rise_by_one_in_each_terminal_and_in_each_gantry_and_hour() -> None:
    gantries = TRIPS.numbers[RECORDS.numbers_at]
    hours = (RECORDS.times_ms + 8 * 3_600_000) // 3_600_000
    for gantry in np.unique(gantries)[:20]:
        used = RECORDS.terminal_serials[(gantries == gantry) & (RECORDS.terminal_serials > 0)]
        assert used.tolist() == list(range(1, len(used) + 1))
        for hour in np.unique(hours[gantries == gantry])[:3]:
            serials = RECORDS.trade_serials[(gantries == gantry) & (hours == hour)]
            assert serials.tolist() == list(range(1, len(serials) + 1))


def test_a_gantry_is_off_by_the_same_seconds_all_day_and_by_half_a_minute_at_most() -> None:
    skews_ms = RECORDS.times_ms - TRIPS.pass_times_ms[RECORDS.numbers_at]
    gantries = TRIPS.numbers[RECORDS.numbers_at]
    for gantry in np.unique(gantries)[:20]:
        assert len(set(skews_ms[gantries == gantry].tolist())) == 1
    assert 2_000 < np.abs(skews_ms).max() <= SKEWED_S_MAX * 1000


def test_records_arrive_soon_but_not_in_order_and_a_few_days_later() -> None:
    delays_s = (RECORDS.receive_times_ms - TRIPS.pass_times_ms[RECORDS.numbers_at]) / 1000
    assert 3 <= np.median(delays_s) <= 5
    assert 24 < np.percentile(delays_s, 95) < 40
    assert 0.001 < (delays_s > DELAY_S_MAX).mean() < 0.004
    assert (np.diff(RECORDS.times_ms[RECORDS.arrivals]) < 0).mean() > 0.05
    assert (RECORDS.receive_times_ms < RECORDS.times_ms).any(), "clocks that are fast"
    assert set(RECORDS.arrivals.tolist()) == set(range(len(RECORDS)))


def test_the_same_seed_makes_the_same_records() -> None:
    same, other = gantry_records(TRIPS, 1), gantry_records(TRIPS, 2)
    assert all(np.array_equal(getattr(same, field.name), getattr(RECORDS, field.name)) for field in fields(same))
    assert not np.array_equal(other.arrivals, RECORDS.arrivals)
