"""overspeed: faster than the least of the vehicle's own limit and those of the fences around it, for long enough."""
# numba compiles the loops over rows: an episode is known only from one fix to the next.

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from services.vehicle_tracking.domain.alarms.alarm import Alarm, EvidencePosition
from services.vehicle_tracking.domain.alarms.rule import Context, Fixes, Floats, Outcome, Rule
from services.vehicle_tracking.domain.engine_state import grown, packed, raw, table_of, unpacked
from services.vehicle_tracking.domain.fences import AlarmLevel
from services.vehicle_tracking.domain.positions import Bytes, Int32s, Int64s
from services.vehicle_tracking.domain.rule_settings import RuleSettings
from services.vehicle_tracking.domain.vehicles import VehicleKind

NAME = "overspeed"
VERSION = 1
RATIO_MEDIUM, RATIO_HIGH = 1.1, 1.2
SPARE_MIN = 64
_EVENTS_A_FIX_MAX = 2  # an earlier episode ends, and this fix begins, lengthens or worsens another
_LEVELS = (AlarmLevel.LOW, *AlarmLevel)  # by number; faster than asking the enumeration
_NIGHT_KINDS = (VehicleKind.COACH, VehicleKind.TOUR_COACH, VehicleKind.CHARTER)
_MINUTE_MS, _DAY_MINUTES, _SHANGHAI_MS = 60_000, 1440, 8 * 3_600_000

# An episode: fixes over the limit that are near each other in time. `fence_id`: whose limit the first fix broke.
EPISODE = np.dtype(
    [
        ("first_ms", "<i8"),
        ("last_ms", "<i8"),
        ("worst_ms", "<i8"),
        ("create_ms", "<i8"),
        ("fence_id", "<i8"),
        ("limit_01kmh", "<f8"),
        ("first_longitude_e7", "<i4"),
        ("first_latitude_e7", "<i4"),
        ("first_speed_01kmh", "<i4"),
        ("worst_longitude_e7", "<i4"),
        ("worst_latitude_e7", "<i4"),
        ("worst_speed_01kmh", "<i4"),
        ("row", "<i4"),
        ("level", "u1"),
        ("raised", "u1"),
        ("late", "u1"),
        ("cleared", "u1"),
    ]
)


@dataclass(slots=True)
class State:
    """`places`: of each row's episode, 0 for none. `free`: unused places of `episodes`, the next one last."""

    places: Int32s
    episodes: NDArray[Any]
    free: Int32s
    free_count: int


def start() -> State:
    """No episodes."""
    return State(np.zeros(0, np.int32), np.zeros(1, EPISODE), np.zeros(0, np.int32), 0)


def step(state: State, fixes: Fixes, context: Context) -> Outcome:
    """Alarms that begin, grow worse in level, and end."""
    state.places = grown(state.places, context.row_count)
    found: list[Alarm] = []
    limits = _limits_01kmh(context.settings)
    spans = np.array([context.settings.overspeed_duration_s, context.settings.overspeed_merge_gap_s], np.int64) * 1000
    night = np.array([context.settings.night_start_minute, context.settings.night_end_minute])
    done = 0
    while done < len(fixes):
        counts = np.array([_reserved(state, len(fixes) - done), 0])  # unused places, events
        events = np.empty(max(SPARE_MIN, (len(fixes) - done) // 8), EPISODE)
        done = _step(
            done, fixes.rows, fixes.times_ms, fixes.longitudes_e7, fixes.latitudes_e7, fixes.speeds_01kmh,
            fixes.kinds, fixes.lates, context.pairs.starts, context.pairs.slots, context.fences.fence_ids,
            context.fences.speeds_kmh_max, context.speeds_kmh_max, limits, night, spans, context.received_time_ms,
            state.places, state.episodes, state.free, counts, events,
        )  # fmt: skip
        state.free_count = int(counts[0])
        found += [_alarm(event, context) for event in events[: counts[1]].tolist()]
    return Outcome(found)


def saved(state: State) -> bytes:
    """The episodes that go on."""
    return packed("OVER", VERSION, raw(state.episodes[state.places[state.places > 0]]))


def loaded(wire: bytes) -> State:
    """A state as saved."""
    (body,) = unpacked("OVER", VERSION, wire)
    episodes = np.concatenate([np.zeros(1, EPISODE), table_of(EPISODE, body)])
    rows = episodes["row"][1:]
    state = start()
    state.episodes, state.places = episodes, grown(state.places, int(rows.max(initial=-1)) + 1)
    state.places[rows] = np.arange(1, len(episodes))
    return state


def size(state: State) -> int:
    """Bytes of memory."""
    return state.places.nbytes + state.episodes.nbytes + state.free.nbytes


OVERSPEED = Rule((NAME,), start, step, saved, loaded, size)


def _reserved(state: State, fix_count: int) -> int:
    """Make sure of unused places, an eighth of the fixes at least; how many there are."""
    wanted = max(SPARE_MIN, fix_count // 8)
    if state.free_count < min(wanted, fix_count):
        before = len(state.episodes)
        state.episodes = grown(state.episodes, before + wanted)
        more = np.arange(len(state.episodes) - 1, before - 1, -1, dtype=np.int32)
        state.free = np.concatenate([more, state.free[: state.free_count]])
        state.free_count = len(state.free)
        state.free = np.concatenate([state.free, np.zeros(len(state.episodes) - len(state.free), np.int32)])
    return state.free_count


def _limits_01kmh(settings: RuleSettings) -> Floats:
    """By VehicleKind: the limit by default, and in a second row the factor that applies at night."""
    limits = np.full((2, max(VehicleKind) + 1), settings.speed_kmh_max_other * 10.0)
    limits[1] = 1.0
    for kind in _NIGHT_KINDS:
        limits[:, kind] = settings.speed_kmh_max_coach * 10, settings.night_factor
    limits[0, VehicleKind.HAZMAT] = settings.speed_kmh_max_hazmat * 10
    limits[0, VehicleKind.BUS] = settings.speed_kmh_max_bus * 10
    limits[0, VehicleKind.TAXI] = settings.speed_kmh_max_taxi * 10
    limits[0, VehicleKind.FREIGHT] = settings.speed_kmh_max_freight * 10
    return limits


def _alarm(event: tuple[Any, ...], context: Context) -> Alarm:
    (first_ms, last_ms, worst_ms, create_ms, fence_id, limit_01kmh, first_longitude_e7, first_latitude_e7,
     first_speed_01kmh, worst_longitude_e7, worst_latitude_e7, worst_speed_01kmh, row, level, _, late,
     cleared) = event  # fmt: skip
    first = EvidencePosition(first_ms, first_longitude_e7, first_latitude_e7, first_speed_01kmh)
    worst = EvidencePosition(worst_ms, worst_longitude_e7, worst_latitude_e7, worst_speed_01kmh)
    return Alarm(
        rule=NAME,
        vehicle_id=context.vehicle_id(row),
        raise_time_ms=first_ms,
        level=_LEVELS[level],
        fence_id=fence_id,
        clear_time_ms=last_ms if cleared else None,
        evidence=(first,) if first_ms == worst_ms else (first, worst),
        late=bool(late),
        measured_value=worst_speed_01kmh / 10,
        limit_value=limit_01kmh / 10,
        create_time_ms=create_ms,
    )


@numba.njit(cache=True, nogil=True)
def _step(
    done: int,
    rows: Int64s,
    times_ms: Int64s,
    longitudes_e7: Int32s,
    latitudes_e7: Int32s,
    speeds_01kmh: Int32s,
    kinds: Bytes,
    lates: Any,
    pair_starts: Int64s,
    pair_slots: Int32s,
    fence_ids: Int64s,
    fence_limits_kmh: Int32s,
    own_limits_kmh: Int32s,
    kind_limits_01kmh: Floats,
    night: Int64s,
    spans: Int64s,
    received_ms: int,
    places: Int32s,
    episodes: Any,
    free: Int32s,
    counts: Int64s,
    events: Any,
) -> int:
    """Judge fixes from `done` on until room for events or episodes is used up; how far it came."""
    for i in range(done, len(rows)):
        if counts[1] + _EVENTS_A_FIX_MAX > len(events) or counts[0] == 0:
            return i
        row, kind = rows[i], kinds[i]
        own = own_limits_kmh[row] * 10.0
        limit, fence_id = own if own > 0 else kind_limits_01kmh[0, kind], 0
        for pair in range(pair_starts[i], pair_starts[i + 1]):
            slot = pair_slots[pair]
            limit, fence_id = _least(limit, fence_id, fence_limits_kmh[slot] * 10.0, fence_ids[slot])
        if kind_limits_01kmh[1, kind] != 1.0 and _at_night(times_ms[i], night):
            limit = round(limit * kind_limits_01kmh[1, kind] * 1000) / 1000  # 640, not 640.0000000001
        if places[row] and times_ms[i] - episodes[places[row]].last_ms > spans[1]:
            _end(row, places, episodes, free, counts, events)
        if speeds_01kmh[i] <= limit:
            continue
        if not places[row]:
            counts[0] -= 1
            places[row] = free[counts[0]]
            _begin(episodes[places[row]], row, times_ms[i], fence_id, received_ms)
            _note_first(episodes[places[row]], longitudes_e7[i], latitudes_e7[i], speeds_01kmh[i])
        episode = episodes[places[row]]
        episode.last_ms = times_ms[i]
        if episode.limit_01kmh == 0 or speeds_01kmh[i] / limit > episode.worst_speed_01kmh / episode.limit_01kmh:
            _note_worst(episode, times_ms[i], longitudes_e7[i], latitudes_e7[i], speeds_01kmh[i])
            episode.limit_01kmh = limit
        _tell(episode, spans[0], lates[i], received_ms, counts, events)
    return len(rows)


@numba.njit(cache=True, nogil=True)
def _least(limit: float, fence_id: int, other: float, other_fence_id: int) -> tuple[float, int]:
    """The lower limit with its fence; of equal ones the smaller id, for slots may change and alarm ids may not."""
    if other > 0 and (other < limit or (other == limit and other_fence_id < fence_id)):
        return other, other_fence_id
    return limit, fence_id


@numba.njit(cache=True, nogil=True)
def _at_night(time_ms: int, night: Int64s) -> bool:
    minute = (time_ms + _SHANGHAI_MS) // _MINUTE_MS % _DAY_MINUTES
    if night[0] <= night[1]:
        return bool(night[0] <= minute < night[1])
    return bool(minute >= night[0] or minute < night[1])


@numba.njit(cache=True, nogil=True)
def _begin(episode: Any, row: int, time_ms: int, fence_id: int, received_ms: int) -> None:
    episode.row, episode.fence_id = row, fence_id
    episode.first_ms, episode.last_ms, episode.create_ms = time_ms, time_ms, received_ms
    episode.level, episode.raised, episode.late, episode.cleared = 0, 0, 0, 0
    episode.limit_01kmh = 0.0


@numba.njit(cache=True, nogil=True)
def _note_first(episode: Any, longitude_e7: int, latitude_e7: int, speed_01kmh: int) -> None:
    episode.first_longitude_e7, episode.first_latitude_e7 = longitude_e7, latitude_e7
    episode.first_speed_01kmh = speed_01kmh


@numba.njit(cache=True, nogil=True)
def _note_worst(episode: Any, time_ms: int, longitude_e7: int, latitude_e7: int, speed_01kmh: int) -> None:
    episode.worst_ms, episode.worst_speed_01kmh = time_ms, speed_01kmh
    episode.worst_longitude_e7, episode.worst_latitude_e7 = longitude_e7, latitude_e7


@numba.njit(cache=True, nogil=True)
def _tell(episode: Any, duration_ms: int, late: bool, received_ms: int, counts: Int64s, events: Any) -> None:
    """An event where the episode has become an alarm, or a graver one."""
    if episode.last_ms - episode.first_ms < duration_ms:
        return
    ratio = episode.worst_speed_01kmh / episode.limit_01kmh
    level = 1 if ratio < RATIO_MEDIUM else 2 if ratio < RATIO_HIGH else 3
    if episode.raised and level <= episode.level:
        return
    if not episode.raised:
        episode.raised, episode.late, episode.create_ms = 1, late, received_ms
    episode.level = level
    events[counts[1]] = episode
    counts[1] += 1


@numba.njit(cache=True, nogil=True)
def _end(row: int, places: Int32s, episodes: Any, free: Int32s, counts: Int64s, events: Any) -> None:
    """Forget the episode of a row, with an event where it was an alarm."""
    episode = episodes[places[row]]
    if episode.raised:
        episode.cleared = 1
        events[counts[1]] = episode
        counts[1] += 1
    free[counts[0]] = places[row]
    counts[0] += 1
    places[row] = 0
