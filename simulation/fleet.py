"""The vehicles of a province, a second at a time: motion, and what their terminals report of it. All numpy columns."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from numpy.typing import NDArray

from simulation.frames import Fix
from simulation.network import BRAKE_MS2, LIMITS_KMH, Rows, network
from simulation.province import KMH, Floats, Kind, Province, Signal

Bools = NDArray[np.bool_]
Int32s = NDArray[np.int32]

KIND_SHARES = {
    Kind.COACH: 0.24,
    Kind.TOUR_COACH: 0.1,
    Kind.CHARTER: 0.05,
    Kind.HAZMAT: 0.18,
    Kind.BUS: 0.17,
    Kind.TAXI: 0.18,
    Kind.FREIGHT: 0.08,
}
INTERVALS_S = {
    Kind.COACH: 15,
    Kind.TOUR_COACH: 15,
    Kind.CHARTER: 20,
    Kind.HAZMAT: 10,
    Kind.BUS: 20,
    Kind.TAXI: 20,
    Kind.FREIGHT: 30,
}
PARKED_INTERVAL_S = 60
DUTIES = {  # share of the day at work: makes 150 to 165 km a vehicle-day over the fleet
    Kind.COACH: 0.0625,
    Kind.TOUR_COACH: 0.057,
    Kind.CHARTER: 0.044,
    Kind.HAZMAT: 0.0615,
    Kind.BUS: 0.166,
    Kind.TAXI: 0.106,
    Kind.FREIGHT: 0.046,
}
DAY_DUTY, NIGHT_DUTY = 1.4, 0.2  # against the mean of the day; the day is 06:00 to 22:00, so the mean stays
DUTY_MAX = 0.95
ACCELERATION_MS2 = {Kind.COACH: 0.8, Kind.HAZMAT: 0.5, Kind.FREIGHT: 0.5, Kind.TAXI: 1.6}
NIGHT_KINDS = (Kind.COACH, Kind.TOUR_COACH, Kind.CHARTER)
LATE_UPLOAD_MS = 5_000  # some terminals send what they stored after what is new
SHANGHAI_MS = 8 * 3_600_000
HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How often things happen, a vehicle and hour, and how long they last. `activity` scales the time at work."""

    activity: float = 1.0
    work_s: float = 5400.0
    speedings: float = 0.5
    speeding_s: tuple[float, float] = (10.0, 200.0)
    outages: float = 0.15
    outage_s: tuple[float, float] = (30.0, 900.0)
    switch_offs: float = 0.01
    switch_off_s: tuple[float, float] = (900.0, 4800.0)
    terminal_alarms: float = 0.08
    duplicates: float = 0.002
    late_uploaders: float = 0.02
    noise_m: float = 3.0


@dataclass(frozen=True, slots=True)
class Reports:
    """What terminals report in one tick, in the order of sending; (n,) columns, units as in frames.Fix."""

    vehicles: Int32s
    fix_times_ms: NDArray[np.int64]
    longitudes_e7: Int32s
    latitudes_e7: Int32s
    speeds_01kmh: Int32s
    headings_deg: Int32s
    altitudes_m: Int32s
    alarm_words: Int32s
    status_words: Int32s
    odometers_01km: Int32s
    blind: Bools

    def __len__(self) -> int:
        return len(self.vehicles)

    def take(self, rows: Rows | Bools) -> Self:
        """The reports at `rows`."""
        return type(self)(*(getattr(self, field.name)[rows] for field in fields(self)))

    def fix(self, row: int) -> Fix:
        """One report as a terminal sends it."""
        names = [field.name for field in fields(self)][1:-1]
        return Fix(*(int(getattr(self, name)[row]) for name in names))


def joined(reports: list[Reports]) -> Reports:
    """All reports, in order."""
    return Reports(*(np.concatenate([getattr(r, field.name) for r in reports]) for field in fields(Reports)))


class Fleet:
    """`count` vehicles on the routes of a province. `step` moves them by a second and gives what they report."""

    def __init__(
        self, province: Province, count: int, *, seed: int, start_ms: int, behaviour: Behaviour | None = None
    ) -> None:
        self.now_ms = start_ms
        self.behaviour = behaviour or Behaviour()
        self._rng = np.random.default_rng([seed, 2])
        self._net = network(province.routes)
        self._place(province, count)
        self._habits(count)
        self._start(count)

    def __len__(self) -> int:
        return len(self.routes)

    def step(self) -> Reports:
        """One second on: moves, then reports."""
        self.now_ms += 1000
        self._turn_to()
        self._move()
        return self._report()

    def _place(self, province: Province, count: int) -> None:
        kinds = self._rng.choice([int(k) for k in KIND_SHARES], count, p=list(KIND_SHARES.values()))
        by_kind = {int(kind): np.flatnonzero(self._net.kinds == kind) for kind in KIND_SHARES}
        self.routes: Rows = np.array([self._rng.choice(by_kind[int(kind)]) for kind in kinds], np.int64)
        self.kinds: NDArray[np.int8] = kinds.astype(np.int8)
        self.region_codes = [province.routes[route].region_code for route in self.routes]
        firsts, ends = self._net.firsts[self.routes], self._net.firsts[self.routes + 1]
        self._segments = self._rng.integers(firsts, ends)
        self._along_m = self._rng.random(count) * self._net.lengths_m[self._segments]

    def _habits(self, count: int) -> None:
        self._limits_ms = _by_kind(self.kinds, LIMITS_KMH) * KMH
        self._intervals_s = _by_kind(self.kinds, INTERVALS_S).astype(np.int64)
        self._accelerations = _by_kind(self.kinds, {kind: ACCELERATION_MS2.get(kind, 0.9) for kind in KIND_SHARES})
        self._duty = _by_kind(self.kinds, DUTIES)
        self._care = self._rng.uniform(0.86, 0.97, count)  # the share of the limit that a driver likes
        self._heeds_night = np.isin(self.kinds, NIGHT_KINDS) & (self._rng.random(count) < 0.97)
        self._uploads_late = self._rng.random(count) < self.behaviour.late_uploaders

    def _start(self, count: int) -> None:
        self.speeds_ms: Floats = np.zeros(count)
        self.odometers_m: Floats = self._rng.uniform(1e6, 4e8, count)
        everyone = np.arange(count)
        parked = self._rng.random(count) >= self._duties(everyone)
        self._worked_s: Floats = self._rng.uniform(0, 2 * self.behaviour.work_s, count)
        self._stay_s: Floats = np.where(parked, self._rng.random(count) * self._rests_s(everyone), 0.0)
        self._resting: Bools = parked
        self._shift_s: Floats = self._rng.exponential(self.behaviour.work_s, count)
        self._speeding_s: Floats = np.zeros(count)
        self._speeding_factor: Floats = np.ones(count)
        self._outage_s: Floats = np.zeros(count)
        self._off_s: Floats = np.zeros(count)
        self._alarm_words: Int32s = np.zeros(count, np.int32)
        self._alarm_s: Floats = np.zeros(count)
        self._due_s: Rows = self._rng.integers(0, self._intervals_s)
        self._seen_e7: NDArray[np.int64] = np.stack(self._true_e7(), axis=1)
        self._stored: list[Reports] = []
        self._held: list[tuple[int, Reports]] = []
        self._again: Reports | None = None

    def _duties(self, rows: Rows) -> Floats:
        hour = _shanghai_hour(self.now_ms)
        now = self.behaviour.activity * (DAY_DUTY if 6 <= hour < 22 else NIGHT_DUTY)
        return np.minimum(self._duty[rows] * now, DUTY_MAX)

    def _rests_s(self, rows: Rows) -> Floats:
        """As long after the work done as the duty asks."""
        duties = self._duties(rows)
        return np.asarray(self._worked_s[rows] * (1 - duties) / duties * self._rng.uniform(0.5, 1.5, len(rows)))

    def _turn_to(self) -> None:
        """What begins and ends this second: speeding, outages, switching off, alarms."""
        behaviour, moving = self.behaviour, self.speeds_ms > 3
        for timer in (self._speeding_s, self._outage_s, self._off_s, self._alarm_s):
            np.subtract(timer, 1.0, out=timer, where=timer > 0)
        begins = self._happens(behaviour.speedings) & moving & (self._speeding_s <= 0)
        self._speeding_s[begins] = self._rng.uniform(*behaviour.speeding_s, int(begins.sum()))
        self._speeding_factor[begins] = self._rng.uniform(1.05, 1.5, int(begins.sum()))
        begins = self._happens(behaviour.outages) & (self._outage_s <= 0)
        self._outage_s[begins] = self._rng.uniform(*behaviour.outage_s, int(begins.sum()))
        begins = self._happens(behaviour.switch_offs) & moving & (self._off_s <= 0)
        self._off_s[begins] = self._rng.uniform(*behaviour.switch_off_s, int(begins.sum()))
        self._turn_alarms()

    def _turn_alarms(self) -> None:
        self._alarm_words[self._alarm_s <= 0] = 0
        rows = np.flatnonzero(self._happens(self.behaviour.terminal_alarms) & (self._alarm_s <= 0))
        bits = self._rng.choice([0, 2, 4, 5, 8, 11, 18, 29], len(rows), p=[0.1, 0.3, 0.15, 0.1, 0.1, 0.1, 0.1, 0.05])
        self._alarm_words[rows] = np.left_shift(1, bits)
        self._alarm_s[rows] = np.where(bits == 0, 40.0, self._rng.uniform(60, 1200, len(rows)))

    def _happens(self, a_vehicle_and_hour: float) -> Bools:
        return np.asarray(self._rng.random(len(self)) < a_vehicle_and_hour / HOUR_S)

    def _move(self) -> None:
        net, segments = self._net, self._segments
        self._stay_s = np.maximum(self._stay_s - 1.0, 0.0)
        staying = self._stay_s > 0
        self._resting &= staying
        self._worked_s += ~self._resting
        left_m = net.lengths_m[segments] - self._along_m
        braking = np.sqrt(net.end_speeds_ms[segments] ** 2 + 2 * BRAKE_MS2 * left_m)
        wanted = np.minimum(self._cruise_ms(), braking)
        change = np.clip(wanted - self.speeds_ms, -2.5, self._accelerations)
        speeds = np.maximum(self.speeds_ms + change, 1.0)
        self.speeds_ms = np.where(staying, 0.0, speeds)
        self._along_m += self.speeds_ms
        self.odometers_m += self.speeds_ms
        self._pass_vertices()

    def _cruise_ms(self) -> Floats:
        limits = np.minimum(self._net.limits_ms[self._segments], self._limits_ms)
        night = self._heeds_night & _is_night(self.now_ms)
        speeding = np.where(self._speeding_s > 0, self._speeding_factor, self._care)
        return limits * speeding * np.where(night, 0.8, 1.0)

    def _pass_vertices(self) -> None:
        net = self._net
        rows = np.flatnonzero(self._along_m >= net.lengths_m[self._segments])
        while len(rows):
            passed = self._segments[rows]
            self._along_m[rows] -= net.lengths_m[passed]
            self._segments[rows] = net.next_segments(passed)
            stopping = rows[net.stops_s[passed] > 0]
            self._stop(stopping, net.stops_s[passed[net.stops_s[passed] > 0]])
            rows = rows[self._along_m[rows] >= net.lengths_m[self._segments[rows]]]

    def _stop(self, rows: Rows, stops_s: Floats) -> None:
        """Stay as long as the stop asks, or rest when the work is done."""
        stays = stops_s * self._rng.uniform(0.7, 1.3, len(rows))
        done = self._worked_s[rows] >= self._shift_s[rows]
        self._stay_s[rows] = np.where(done, self._rests_s(rows), stays)
        self._shift_s[rows[done]] = self._rng.exponential(self.behaviour.work_s, int(done.sum()))
        self._worked_s[rows[done]] = 0.0
        self._resting[rows] = done
        self._along_m[rows] = 0.0
        self.speeds_ms[rows] = 0.0

    def _report(self) -> Reports:
        self._due_s -= 1
        due = np.flatnonzero((self._due_s <= 0) & (self._off_s <= 0))
        self._due_s[due] = np.where(self._resting[due], PARKED_INTERVAL_S, self._intervals_s[due])
        reports = self._observed(due)
        cut = (self._outage_s[due] > 0) | (self._net.signals[self._segments[due]] == Signal.NO_NETWORK)
        if cut.any():
            stored = reports.take(cut)
            stored.blind[:] = True
            self._stored.append(stored)
        return self._sent(reports.take(~cut))

    def _sent(self, live: Reports) -> Reports:
        """Live reports with the stored ones of the same vehicles before them (well after them, for late uploaders)."""
        parts = [live]
        if self._stored:
            stored = joined(self._stored)
            back = np.isin(stored.vehicles, live.vehicles)
            self._stored = [stored.take(~back)] if not back.all() else []
            late = self._uploads_late[stored.vehicles]
            parts.insert(0, stored.take(back & ~late))
            if (back & late).any():
                self._held.append((self.now_ms + LATE_UPLOAD_MS, stored.take(back & late)))
        parts += [held for due_ms, held in self._held if due_ms <= self.now_ms]
        self._held = [(due_ms, held) for due_ms, held in self._held if due_ms > self.now_ms]
        if self._again is not None and len(self._again):
            parts.insert(0, self._again)
        repeated = self._rng.random(len(live)) < self.behaviour.duplicates
        self._again = live.take(repeated) if repeated.any() else None
        return joined(parts)

    def _true_e7(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        share = self._along_m / self._net.lengths_m[self._segments]
        longitudes = self._net.longitudes[self._segments] + share * self._net.longitude_steps[self._segments]
        latitudes = self._net.latitudes[self._segments] + share * self._net.latitude_steps[self._segments]
        return np.rint(longitudes * 1e6).astype(np.int64) * 10, np.rint(latitudes * 1e6).astype(np.int64) * 10

    def _observed(self, rows: Rows) -> Reports:
        """What the receivers of `rows` see: the true place with noise, or the last place in a tunnel."""
        moving = self.speeds_ms[rows] > 0
        fixed = self._net.signals[self._segments[rows]] != Signal.NO_FIX
        noise_e6 = self._rng.normal(0, self.behaviour.noise_m * 9.0, (len(rows), 2)) * moving[:, None]
        places = (
            np.stack([column[rows] for column in self._true_e7()], axis=1) + np.rint(noise_e6).astype(np.int64) * 10
        )
        self._seen_e7[rows[fixed]] = places[fixed]
        seen = self._seen_e7[rows]
        speeds = np.maximum(np.rint(self.speeds_ms[rows] * 36 + self._rng.normal(0, 3, len(rows)) * moving), 0)
        headings = np.rint(self._net.headings_deg[self._segments[rows]]) % 360
        altitudes = 40 + np.maximum(112.0 - seen[:, 0] / 1e7, 0) * 130
        status = ~self._resting[rows] * 1 | fixed * 2 | 3 << 18 | moving * (1 << 22)
        return Reports(
            vehicles=rows.astype(np.int32),
            fix_times_ms=np.full(len(rows), self.now_ms // 1000 * 1000, np.int64),
            longitudes_e7=seen[:, 0].astype(np.int32),
            latitudes_e7=seen[:, 1].astype(np.int32),
            speeds_01kmh=speeds.astype(np.int32),
            headings_deg=headings.astype(np.int32),
            altitudes_m=altitudes.astype(np.int32),
            alarm_words=self._alarm_words[rows],
            status_words=status.astype(np.int32),
            odometers_01km=(self.odometers_m[rows] / 100).astype(np.int32),
            blind=np.zeros(len(rows), np.bool_),
        )


def _by_kind(kinds: NDArray[np.int8], table: dict[Kind, float] | dict[Kind, int]) -> Floats:
    return np.array([0.0, *(float(table[kind]) for kind in sorted(table))])[kinds]


def _is_night(instant_ms: int) -> bool:
    return not 5 <= _shanghai_hour(instant_ms) < 22


def _shanghai_hour(instant_ms: int) -> int:
    return (instant_ms + SHANGHAI_MS) // 3_600_000 % 24
