"""The alarms that ought to be raised, worked out from what was reported, straightforwardly and apart from the engine.

What each rule means is in docs/decisions/rule-semantics.md; this module follows its words, one vehicle after the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from xiangtong.tracking.v1 import fences_pb2

from simulation.fleet import Reports
from simulation.network import LIMITS_KMH
from simulation.province import Floats, Kind
from simulation.truth_fences import Tracks, fence_events, speed_limits

LOW, MEDIUM, HIGH = 1, 2, 3
OVERSPEED_MS_MIN, OVERSPEED_GAP_MS_MAX = 30_000, 60_000
NIGHT_KINDS = (Kind.COACH, Kind.TOUR_COACH, Kind.CHARTER)
OFFLINE_MOVING_MS, OFFLINE_STANDING_MS, MOVING_01KMH = 300_000, 86_400_000, 50
DISPLACEMENT_MS_MIN, DISPLACEMENT_KM_MIN, DISPLACEMENT_KMH_MAX = 1_800_000, 20.0, 102.0
LATE_MS = 300_000
FUTURE_MS_MAX = 60_000
TERMINAL_HIGH, TERMINAL_LOW = (0, 2, 3, 29, 30), (4, 5, 6, 7, 8, 9, 10, 11, 12, 24)
STATUS_POSITIONED, STATUS_ENCRYPTED = 2, 32
EARTH_RADIUS_KM = 6371.0088
SHANGHAI_MS, HOUR_MS = 28_800_000, 3_600_000


@dataclass(frozen=True, slots=True)
class TrueAlarm:
    """An alarm that ought to be. `clear_time_ms`: None while it holds at the end."""

    rule: str
    vehicle_id: int
    raise_time_ms: int
    fence_id: int = 0
    subject: int = 0
    clear_time_ms: int | None = None
    level: int = MEDIUM
    late: bool = False

    @property
    def key(self) -> tuple[str, int, int, int, int]:
        """What tells it apart; the fence that set a speed limit does not."""
        fence_id = 0 if self.rule == "overspeed" else self.fence_id
        return self.rule, self.vehicle_id, fence_id, self.subject, self.raise_time_ms


@dataclass(frozen=True, slots=True)
class Subject:
    """A vehicle as the rules see it. `speed_kmh_max`: own limit, 0 for that of its kind."""

    vehicle_id: int
    kind: Kind
    speed_kmh_max: int = 0


def true_alarms(
    reports: Reports,
    received_ms: NDArray[np.int64],
    subjects: Sequence[Subject],
    fences: Sequence[fences_pb2.Fence],
    *,
    end_ms: int,
) -> list[TrueAlarm]:
    """Every alarm of `reports` (in order of arrival; `reports.vehicles` index `subjects`), looked at until `end_ms`."""
    partaking = _partaking(reports, received_ms)
    order = np.flatnonzero(partaking)
    order = order[np.lexsort((reports.fix_times_ms[order], reports.vehicles[order]))]
    heard, heard_ms = reports.take(order), received_ms[order]
    seen = _positioned(heard)
    fixes, fixes_ms = heard.take(seen), heard_ms[seen]
    tracks = Tracks(fixes, np.array([subject.kind for subject in subjects], np.int64)[fixes.vehicles])
    lates = _lates(fixes, fixes_ms)
    limits = _limits(fixes, subjects, speed_limits(tracks, fences))
    alarms = [
        *_terminal(heard, heard_ms),
        *_offline(reports, received_ms, partaking, end_ms),
        *_overspeed(fixes, limits, lates),
        *_displacement(fixes, lates),
        *_fences(tracks, fences, lates),
    ]
    return [replace(alarm, vehicle_id=subjects[alarm.vehicle_id].vehicle_id) for alarm in alarms]


def _partaking(reports: Reports, received_ms: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Fixes later than every one before them. What one record brings of a vehicle counts in the order of fix time."""
    newest: dict[int, int] = {}
    partaking = np.zeros(len(reports), np.bool_)
    order = np.lexsort((np.arange(len(reports)), reports.fix_times_ms, received_ms))
    for row in order.tolist():
        vehicle, fix_ms = int(reports.vehicles[row]), int(reports.fix_times_ms[row])
        if fix_ms > newest.get(vehicle, -1) and fix_ms <= received_ms[row] + FUTURE_MS_MAX:
            newest[vehicle] = fix_ms
            partaking[row] = True
    return partaking


def _positioned(reports: Reports) -> NDArray[np.bool_]:
    """Qualified in every field, positioned and not encrypted."""
    longitudes, latitudes = reports.longitudes_e7 / 1e7, reports.latitudes_e7 / 1e7
    place = (longitudes >= 73.55) & (longitudes <= 135 + 5 / 60) & (latitudes >= 3.85) & (latitudes <= 53.55)
    height = (reports.altitudes_m >= -200) & (reports.altitudes_m <= 6500)
    speed = (reports.speeds_01kmh >= 0) & (reports.speeds_01kmh <= 1600)
    status = (reports.status_words & (STATUS_POSITIONED | STATUS_ENCRYPTED)) == STATUS_POSITIONED
    return np.asarray(place & height & speed & status)


def _lates(reports: Reports, received_ms: NDArray[np.int64]) -> NDArray[np.bool_]:
    return np.asarray(reports.blind | (received_ms - reports.fix_times_ms > LATE_MS))


def _rows(reports: Reports) -> Iterator[tuple[int, range]]:
    """Each vehicle with the range of its rows; `reports` are ordered by vehicle."""
    starts = np.flatnonzero(np.diff(reports.vehicles, prepend=-1))
    for start, end in pairwise([*starts.tolist(), len(reports)] if len(reports) else []):
        yield int(reports.vehicles[start]), range(start, end)


def _terminal(reports: Reports, received_ms: NDArray[np.int64]) -> Iterator[TrueAlarm]:
    lates = _lates(reports, received_ms)
    for vehicle, rows in _rows(reports):
        raised: dict[int, TrueAlarm] = {}
        for row in rows:
            word, fix_ms = int(reports.alarm_words[row]) & 0xFFFFFFFF, int(reports.fix_times_ms[row])
            for bit in range(32):
                if word >> bit & 1 and bit not in raised:
                    level = HIGH if bit in TERMINAL_HIGH else LOW if bit in TERMINAL_LOW else MEDIUM
                    raised[bit] = TrueAlarm(
                        "terminal", vehicle, fix_ms, subject=bit, level=level, late=bool(lates[row])
                    )
                elif not word >> bit & 1 and bit in raised:
                    yield replace(raised.pop(bit), clear_time_ms=fix_ms)
        yield from raised.values()


def _offline(
    reports: Reports, received_ms: NDArray[np.int64], partaking: NDArray[np.bool_], end_ms: int
) -> Iterator[TrueAlarm]:
    """Silences between what was received of each vehicle; the speed is that of the newest fix that took part."""
    last_ms: dict[int, int] = {}
    speeds: dict[int, tuple[int, int]] = {}
    for row in range(len(reports)):
        vehicle, now_ms = int(reports.vehicles[row]), int(received_ms[row])
        if vehicle in last_ms:
            span_ms = _offline_span_ms(speeds.get(vehicle))
            if now_ms - last_ms[vehicle] >= span_ms:
                yield TrueAlarm("offline", vehicle, last_ms[vehicle] + span_ms, clear_time_ms=now_ms, level=LOW)
        last_ms[vehicle] = now_ms
        if partaking[row] and reports.fix_times_ms[row] > speeds.get(vehicle, (0, 0))[0]:
            speeds[vehicle] = int(reports.fix_times_ms[row]), int(reports.speeds_01kmh[row])
    for vehicle, silent_ms in last_ms.items():
        span_ms = _offline_span_ms(speeds.get(vehicle))
        if end_ms - silent_ms >= span_ms:
            yield TrueAlarm("offline", vehicle, silent_ms + span_ms, level=LOW)


def _offline_span_ms(newest: tuple[int, int] | None) -> int:
    return OFFLINE_MOVING_MS if newest is not None and newest[1] > MOVING_01KMH else OFFLINE_STANDING_MS


def _limits(fixes: Reports, subjects: Sequence[Subject], fence_limits: Floats) -> Floats:
    """Limit of each fix in 0.1 km/h."""
    own = np.array([s.speed_kmh_max or LIMITS_KMH[s.kind] for s in subjects])[fixes.vehicles]
    coach = np.array([s.kind in NIGHT_KINDS for s in subjects])[fixes.vehicles]
    hours = (fixes.fix_times_ms + SHANGHAI_MS) // HOUR_MS % 24
    night = coach & ((hours >= 22) | (hours < 5))
    return np.asarray(np.minimum(own, fence_limits) * np.where(night, 8, 10))


def _overspeed(fixes: Reports, limits: Floats, lates: NDArray[np.bool_]) -> Iterator[TrueAlarm]:
    for vehicle, rows in _rows(fixes):
        over = [row for row in rows if fixes.speeds_01kmh[row] > limits[row]]
        episode: list[int] = []
        for row in over:
            if episode and fixes.fix_times_ms[row] - fixes.fix_times_ms[episode[-1]] > OVERSPEED_GAP_MS_MAX:
                yield from _episode(vehicle, fixes, limits, lates, episode, int(fixes.fix_times_ms[rows[-1]]))
                episode = []
            episode.append(row)
        yield from _episode(vehicle, fixes, limits, lates, episode, int(fixes.fix_times_ms[rows[-1]]))


def _episode(
    vehicle: int, fixes: Reports, limits: Floats, lates: NDArray[np.bool_], episode: list[int], newest_ms: int
) -> Iterator[TrueAlarm]:
    times = [int(fixes.fix_times_ms[row]) for row in episode]
    raising = next((n for n, time_ms in enumerate(times) if time_ms - times[0] >= OVERSPEED_MS_MIN), None)
    if raising is None:
        return
    ratio = max(fixes.speeds_01kmh[row] / limits[row] for row in episode)
    yield TrueAlarm(
        "overspeed",
        vehicle,
        times[0],
        clear_time_ms=times[-1] if newest_ms - times[-1] > OVERSPEED_GAP_MS_MAX else None,
        level=LOW if ratio < 1.1 else MEDIUM if ratio < 1.2 else HIGH,
        late=bool(lates[episode[raising]]),
    )


def _displacement(fixes: Reports, lates: NDArray[np.bool_]) -> Iterator[TrueAlarm]:
    for vehicle, rows in _rows(fixes):
        for before, row in pairwise(rows):
            gap_ms = int(fixes.fix_times_ms[row] - fixes.fix_times_ms[before])
            if gap_ms < DISPLACEMENT_MS_MIN:
                continue
            km = _distance_km(fixes, before, row)
            if km > DISPLACEMENT_KM_MIN and km / (gap_ms / HOUR_MS) <= DISPLACEMENT_KMH_MAX:
                raised, cleared = int(fixes.fix_times_ms[before]), int(fixes.fix_times_ms[row])
                yield TrueAlarm("offline_displacement", vehicle, raised, clear_time_ms=cleared, late=bool(lates[row]))


def _distance_km(fixes: Reports, one: int, other: int) -> float:
    """Great-circle distance by the haversine formula."""
    lon1, lon2 = np.radians(fixes.longitudes_e7[[one, other]] / 1e7)
    lat1, lat2 = np.radians(fixes.latitudes_e7[[one, other]] / 1e7)
    half = np.sin((lat2 - lat1) / 2) ** 2 + np.cos(lat1) * np.cos(lat2) * np.sin((lon2 - lon1) / 2) ** 2
    return float(2 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(half)))


def _fences(tracks: Tracks, fences: Sequence[fences_pb2.Fence], lates: NDArray[np.bool_]) -> Iterator[TrueAlarm]:
    for fence in fences:
        level = int(fence.level) or MEDIUM
        for event in fence_events(tracks, fence):
            yield TrueAlarm(
                event.rule,
                event.vehicle,
                event.raise_time_ms,
                fence_id=fence.fence_id,
                clear_time_ms=event.clear_time_ms,
                level=level,
                late=bool(lates[event.raising_row]),
            )
