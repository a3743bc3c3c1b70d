"""What gantries say of trips: clocks that are off, failed trades, missed vehicles, late and double records.

The shares are those measured in the trade. A vehicle that a gantry missed is charged by the next one (fitted). Where a
tag is shielded, or there is no medium, the gantry has only a picture: no passage, no trade.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulation.toll_evasion import Evasion
from simulation.toll_ids import SHANGHAI_S, ranks
from simulation.toll_network import Int64s
from simulation.toll_trips import TollTrips
from simulation.toll_vehicles import NO_MEDIUM, OBU

Bools = NDArray[np.bool_]

MISSED_SHARE = 0.065  # of crossings that are not the last: makes 5.7 % of the records fitted
FAILED_ETC_SHARE, FAILED_CPC_SHARE = 0.108, 0.143
UNREAD_SHARE = 0.01  # of plates, by the camera
DUPLICATE_SHARE, LATE_SHARE = 0.005, 0.002
DELAY_S_MEDIAN, DELAY_SPREAD, DELAY_S_MAX = 4.0, 1.245, 878.0  # p95 31 s, p99 about 75 s
LATE_S = (3_600, 3 * 86_400)
SKEW_S = 1.0  # deviation of a good clock
SKEWED_SHARE, SKEWED_S_MAX = 0.03, 31  # gantries with a bad one
HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class GantryRecords:
    """k records by their own time. Columns (k,), but `places` and `arrivals`.

    `places`: (c,) of all crossings in the trips' intervals, by trip; a record is about the `counts` of them up to
    `lasts`, the last of which is at its own gantry. `pictures`: without medium. `failed`: trades. `unread`: plates.
    `trade_serials`: from 1 in a gantry and hour. `terminal_serials`: from 1 in a gantry, `card_serials`: from 1 of a
    card, both 0 where the trade failed. `arrivals`: (k + duplicates,) rows in the order in which they are received.
    """

    rows: Int64s
    places: Int64s
    lasts: Int64s
    counts: Int64s
    pictures: Bools
    failed: Bools
    unread: Bools
    times_ms: Int64s
    receive_times_ms: Int64s
    trade_serials: Int64s
    terminal_serials: Int64s
    card_serials: Int64s
    tacs: Int64s
    arrivals: Int64s

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def numbers_at(self) -> Int64s:
        """Where in the trips' intervals each record's own gantry is, (k,)."""
        return self.places[self.lasts]


def gantry_records(trips: TollTrips, seed: int) -> GantryRecords:
    """The records of all trips; the same for the same trips and seed."""
    rng = np.random.default_rng([seed, 23])
    places, pictures = _crossings(trips)
    rows = trips.rows[places]
    missed = _missed(rng, rows, pictures)
    lasts = np.flatnonzero(~missed)
    counts = np.diff(np.r_[-1, lasts])
    skews_ms = _skews_ms(rng, int(trips.numbers.max(initial=0)) + 1)
    at = places[lasts]
    times_ms = trips.pass_times_ms[at] + skews_ms[trips.numbers[at]]
    order = np.argsort(times_ms, kind="stable")
    return _recorded(rng, trips, places, pictures[lasts][order], lasts[order], counts[order], times_ms[order])


def _crossings(trips: TollTrips) -> tuple[Int64s, Bools]:
    """Places in the trips' intervals at which a gantry noticed something, and whether that was only a picture."""
    kinds = trips.kinds[trips.rows]
    shielded = (kinds == Evasion.SHIELDED_OBU) & ~trips.seen
    places = np.flatnonzero((trips.seen | shielded) & (kinds != Evasion.DOUBLE_EXIT))  # it was driven once
    without = (trips.vehicles.media_types == NO_MEDIUM)[trips.rows[places]]
    return places, shielded[places] | without


def _missed(rng: np.random.Generator, rows: Int64s, pictures: Bools) -> Bools:
    """Crossings without a record, (c,): the next one charges, so not the last of a trip nor one before a picture."""
    followed = np.r_[rows[1:] == rows[:-1], False][: len(rows)] & ~pictures & ~np.r_[pictures[1:], True][: len(rows)]
    missed: Bools = followed & (rng.random(len(rows)) < MISSED_SHARE)
    return missed


def _skews_ms(rng: np.random.Generator, gantries: int) -> Int64s:
    """How far the clock of each gantry is off, in whole seconds."""
    good = np.rint(rng.normal(0, SKEW_S, gantries)).astype(np.int64)
    bad = rng.integers(-SKEWED_S_MAX, SKEWED_S_MAX + 1, gantries)
    return np.where(rng.random(gantries) < SKEWED_SHARE, bad, good) * 1000


def _recorded(
    rng: np.random.Generator,
    trips: TollTrips,
    places: Int64s,
    pictures: Bools,
    lasts: Int64s,
    counts: Int64s,
    times_ms: Int64s,
) -> GantryRecords:
    rows, gantries = trips.rows[places[lasts]], trips.numbers[places[lasts]].astype(np.int64)
    tagged = (trips.vehicles.media_types[rows] == OBU) & ~pictures
    shares = np.where(tagged, FAILED_ETC_SHARE, FAILED_CPC_SHARE)
    failed = pictures | (rng.random(len(rows)) < shares)
    traded = tagged & ~failed
    receive_times_ms = trips.pass_times_ms[places[lasts]] + _delays_ms(rng, len(rows))
    return GantryRecords(
        rows=rows,
        places=places,
        lasts=lasts,
        counts=counts,
        pictures=pictures,
        failed=failed,
        unread=rng.random(len(rows)) < UNREAD_SHARE,
        times_ms=times_ms,
        receive_times_ms=receive_times_ms,
        trade_serials=1 + ranks(gantries << 32 | (times_ms + SHANGHAI_S * 1000) // HOUR_MS),
        terminal_serials=_serials(gantries, traded),
        card_serials=_serials(trips.vehicles.cards[rows], traded),
        tacs=np.where(traded, rng.integers(1, 1 << 32, len(rows)), 0),
        arrivals=_arrivals(rng, receive_times_ms),
    )


def _serials(keys: Int64s, traded: Bools) -> Int64s:
    """From 1 for each key where there was a trade, in order; 0 elsewhere."""
    serials = np.zeros(len(keys), np.int64)
    serials[traded] = 1 + ranks(keys[traded])
    return serials


def _delays_ms(rng: np.random.Generator, count: int) -> Int64s:
    """From the crossing to the centre, in whole seconds; a few come hours or days later."""
    seconds = np.minimum(DELAY_S_MEDIAN * np.exp(DELAY_SPREAD * rng.normal(0, 1, count)), DELAY_S_MAX).astype(np.int64)
    late = rng.random(count) < LATE_SHARE
    return np.where(late, rng.integers(*LATE_S, count), seconds) * 1000


def _arrivals(rng: np.random.Generator, receive_times_ms: Int64s) -> Int64s:
    """Rows in the order of receipt; some are received again, some time after."""
    again = np.flatnonzero(rng.random(len(receive_times_ms)) < DUPLICATE_SHARE)
    rows = np.r_[np.arange(len(receive_times_ms)), again]
    times_ms = np.r_[receive_times_ms, receive_times_ms[again] + rng.integers(1, 3_600, len(again)) * 1000]
    arrivals: Int64s = rows[np.argsort(times_ms, kind="stable")]
    return arrivals
