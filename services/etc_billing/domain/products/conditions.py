"""Which passages and which of their intervals a rule is about."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from services.etc_billing.domain.passages import Bytes, Int64s, Intervals, Passages
from services.etc_billing.domain.products.product import CONDITIONS, Flags, RatingRule
from services.etc_billing.domain.tariff import Tariff

_MINUTE_MS, _DAY_MINUTES, _SHANGHAI_MINUTES = 60_000, 24 * 60, 8 * 60


def passages_under(rule: RatingRule, passages: Passages, tariff: Tariff) -> Flags:
    """Which passages meet the rule's conditions on the whole passage, (n,)."""
    under = (passages.exit_times_ms >= rule.from_ms) & (passages.exit_times_ms < rule.until_ms)
    for name in CONDITIONS:
        if listed := getattr(rule, name):
            under &= among(getattr(passages, name), listed)
    if rule.seat_count_max:
        under &= (passages.seat_counts > 0) & (passages.seat_counts <= rule.seat_count_max)
    if rule.windows_ms:
        under &= _within(passages.exit_times_ms, rule.windows_ms)
    if rule.station_pairs:
        under &= _between(passages, rule.station_pairs, tariff)
    return under


def intervals_under(rule: RatingRule, intervals: Intervals, tariff: Tariff) -> Flags:
    """Which intervals meet the rule's conditions on the single interval, (m,)."""
    of_network = np.ones(len(tariff.interval_ids), np.bool_)
    if rule.sections:
        of_network &= np.isin(tariff.sections, rule.sections)
    if rule.direction:
        of_network &= tariff.directions == rule.direction
    under: Flags = of_network[intervals.numbers]
    if rule.day_minutes:
        under &= _in_day(intervals.pass_times_ms, rule.day_minutes)
    return under


def among(values: Bytes, listed: Sequence[int]) -> Flags:
    """Which values are listed, (n,)."""
    wanted = np.zeros(256, np.bool_)
    wanted[list(listed)] = True
    found: Flags = wanted[values]
    return found


def sums_of(amounts_fen: Int64s | Flags, starts: Int64s) -> Int64s:
    """The sum, or the count, of every passage's intervals, (n,); 0 for those that have none. `starts`: (n + 1,)."""
    running = np.zeros(len(amounts_fen) + 1, np.int64)
    np.cumsum(amounts_fen, out=running[1:])
    return running[starts[1:]] - running[starts[:-1]]


def _within(times_ms: Int64s, windows_ms: Iterable[tuple[int, int]]) -> Flags:
    within = np.zeros(len(times_ms), np.bool_)
    for start_ms, end_ms in windows_ms:  # a handful a year
        within |= (times_ms >= start_ms) & (times_ms < end_ms)
    return within


def _between(passages: Passages, pairs: Iterable[tuple[str, str]], tariff: Tariff) -> Flags:
    width = len(tariff.station_ids)
    numbers = [tuple(tariff.station_numbers.get(station) for station in pair) for pair in pairs]
    wanted = [entry * width + leave for entry, leave in numbers if entry is not None and leave is not None]
    known = (passages.entry_stations >= 0) & (passages.exit_stations >= 0)
    return known & np.isin(passages.entry_stations.astype(np.int64) * width + passages.exit_stations, wanted)


def _in_day(times_ms: Int64s, day_minutes: Iterable[tuple[int, int]]) -> Flags:
    minutes = (times_ms // _MINUTE_MS + _SHANGHAI_MINUTES) % _DAY_MINUTES
    within = np.zeros(len(times_ms), np.bool_)
    for start, end in day_minutes:
        after, before = minutes >= start, minutes < end
        within |= (after & before) if start < end else (after | before)
    return within
