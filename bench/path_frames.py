"""Location frames of a simulated fleet by the million, built beforehand so that sending them costs little."""
# numba compiles the loop over frames and bytes.

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from simulation.fleet import Behaviour, Fleet, Reports, joined
from simulation.frames import Identity
from simulation.province import Province
from simulation.register import Car, cars

DELIMITER, ESCAPE = 0x7E, 0x7D
HEADER_2019, HEADER_2013 = 17, 12
BODY_BYTES = 34  # position and odometer
SHANGHAI_MS = 8 * 3_600_000
BEHAVIOUR = Behaviour(activity=4.0, outages=0, switch_offs=0, duplicates=0, late_uploaders=0, terminal_alarms=0.5)


@dataclass(frozen=True)
class Traffic:
    """Frames in order of sending: `vehicles`, `fix_times_ms`, `alarm_words` (n,); the bytes of frame i stand in
    `octets` from `starts[i]` to `starts[i + 1]`."""

    vehicles: NDArray[np.int32]
    fix_times_ms: NDArray[np.int64]
    alarm_words: NDArray[np.int32]
    octets: NDArray[np.uint8]
    starts: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.vehicles)


def fleet_of(land: Province, count: int, *, seed: int, start_ms: int) -> tuple[Fleet, list[Car]]:
    """Vehicles that are always on line, and their rows of the register."""
    fleet = Fleet(land, count, seed=seed, start_ms=start_ms, behaviour=BEHAVIOUR)
    return fleet, cars(fleet.kinds.tolist(), fleet.region_codes, seed=seed)


def traffic(fleet: Fleet, identities: Sequence[Identity], frame_count: int) -> Traffic:
    """The next `frame_count` reports of the fleet as frames."""
    parts: list[Reports] = []
    total = 0
    while total < frame_count:
        parts.append(fleet.step())
        total += len(parts[-1])
    reports = joined(parts).take(np.arange(frame_count))
    contents, lengths = _contents(reports, identities)
    octets = np.empty(int(lengths.sum()) * 2 + 2 * len(reports), np.uint8)
    starts = np.zeros(len(reports) + 1, np.int64)
    _enclose(contents, lengths, octets, starts)
    return Traffic(reports.vehicles, reports.fix_times_ms, reports.alarm_words, octets[: starts[-1]], starts)


def _contents(reports: Reports, identities: Sequence[Identity]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Header and body of each frame, (n, 51), and how many bytes are used."""
    count = len(reports)
    is_2019 = np.array([identity.edition == 2019 for identity in identities])[reports.vehicles]
    phones = np.array([list(bytes.fromhex(identity.phone.zfill(20))) for identity in identities], np.uint8)
    contents = np.zeros((count, HEADER_2019 + BODY_BYTES), np.uint8)
    bodies, serials = _bodies(reports), _serials(reports.vehicles)
    for rows, head, flag in ((np.flatnonzero(is_2019), HEADER_2019, 0x40), (np.flatnonzero(~is_2019), HEADER_2013, 0)):
        contents[rows, :4] = (0x02, 0x00, flag, BODY_BYTES)
        if flag:
            contents[rows, 4] = 1
            contents[rows, 5:15] = phones[reports.vehicles[rows]]
        else:
            contents[rows, 4:10] = phones[reports.vehicles[rows], 4:]
        contents[rows[:, None], np.arange(head - 2, head)] = _big(serials[rows], ">u2")
        contents[rows[:, None], np.arange(head, head + BODY_BYTES)] = bodies[rows]
    return contents, np.where(is_2019, HEADER_2019, HEADER_2013) + BODY_BYTES


def _bodies(reports: Reports) -> NDArray[np.uint8]:
    columns = [
        _big(reports.alarm_words, ">i4"),
        _big(reports.status_words, ">i4"),
        _big(reports.latitudes_e7 // 10, ">u4"),
        _big(reports.longitudes_e7 // 10, ">u4"),
        _big(reports.altitudes_m, ">u2"),
        _big(reports.speeds_01kmh, ">u2"),
        _big(reports.headings_deg, ">u2"),
        _bcd_times(reports.fix_times_ms),
        np.tile(np.array([1, 4], np.uint8), (len(reports), 1)),
        _big(reports.odometers_01km, ">u4"),
    ]
    return np.concatenate(columns, axis=1)


def _serials(vehicles: NDArray[np.int32]) -> NDArray[np.int64]:
    """How many frames of the same vehicle stand before each."""
    order = np.argsort(vehicles, kind="stable")
    firsts = np.flatnonzero(np.diff(vehicles[order], prepend=-1))
    counts = np.arange(len(order)) - np.repeat(firsts, np.diff([*firsts.tolist(), len(order)]))
    serials = np.empty(len(order), np.int64)
    serials[order] = counts + 10
    return serials & 0xFFFF


def _big(values: NDArray[Any], kind: str) -> NDArray[np.uint8]:
    return values.astype(kind).view(np.uint8).reshape(len(values), -1)


def _bcd_times(times_ms: NDArray[np.int64]) -> NDArray[np.uint8]:
    unique, inverse = np.unique(times_ms, return_inverse=True)
    texts = np.datetime_as_string((unique + SHANGHAI_MS).astype("datetime64[ms]"), unit="s")
    packed = [list(bytes.fromhex("".join(c for c in str(text)[2:] if c.isdigit()))) for text in texts]
    return np.array(packed, np.uint8)[inverse]


@numba.njit(cache=True)
def _enclose(
    contents: NDArray[np.uint8], lengths: NDArray[np.int64], octets: NDArray[np.uint8], starts: NDArray[np.int64]
) -> None:
    at = 0
    for row in range(len(contents)):
        octets[at] = DELIMITER
        at += 1
        check = np.uint8(0)
        for column in range(lengths[row] + 1):
            octet = check if column == lengths[row] else contents[row, column]
            check ^= octet
            if octet in (DELIMITER, ESCAPE):
                octets[at] = ESCAPE
                at += 1
                octet = np.uint8(2 if octet == DELIMITER else 1)
            octets[at] = octet
            at += 1
        octets[at] = DELIMITER
        at += 1
        starts[row + 1] = at
