"""The compiled part for location bodies: base block and every standard additional item, alone or in batches."""
# numba compiles these functions: loops over rows and bytes are what they are for.

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from services.vehicle_tracking.domain.positions import PositionSource
from services.vehicle_tracking.terminals.jt808.columns import Item, Reason

Octets = NDArray[np.uint8]

NOTHING = 0  # no flaw
BASE_BYTES = 28
_TIME_AT = 22
_TIME_ZONE_S = 8 * 3600  # the wire says GMT+8
_BODY_SHORT, _BCD_TIME = int(Reason.BODY_SHORT), int(Reason.BCD_TIME)
_COORDINATE, _BATCH_ITEM = int(Reason.COORDINATE), int(Reason.BATCH_ITEM)
_POSITIONED, _SOUTH, _WEST = 2, 4, 8
_LATITUDE_E6_MAX, _LONGITUDE_E6_MAX = 90_000_000, 180_000_000
_TERMINAL, _BLIND_AREA = int(PositionSource.TERMINAL), int(PositionSource.BLIND_AREA)
_BATCH_BLIND_AREA = 1
_BAD = -1

# Items by their bit, as plain numbers for the compiler.
_ODOMETER, _FUEL, _RECORDER_SPEED = 1 << Item.ODOMETER, 1 << Item.FUEL, 1 << Item.RECORDER_SPEED
_ALARM_EVENT, _TYRES = 1 << Item.ALARM_EVENT, 1 << Item.TYRES
_CABIN_TEMPERATURE, _OVERSPEED_AREA = 1 << Item.CABIN_TEMPERATURE, 1 << Item.OVERSPEED_AREA
_CROSSED_AREA, _SEGMENT, _VIDEO_ALARM = 1 << Item.CROSSED_AREA, 1 << Item.SEGMENT, 1 << Item.VIDEO_ALARM
_LOST_CHANNELS, _OCCLUDED_CHANNELS = 1 << Item.LOST_CHANNELS, 1 << Item.OCCLUDED_CHANNELS
_STORAGE_FAULTS, _ABNORMAL_DRIVING = 1 << Item.STORAGE_FAULTS, 1 << Item.ABNORMAL_DRIVING
_SIGNALS, _IO_STATES, _ANALOGUES = 1 << Item.SIGNALS, 1 << Item.IO_STATES, 1 << Item.ANALOGUES
_SIGNAL_STRENGTH, _SATELLITES, _UNREAD = 1 << Item.SIGNAL_STRENGTH, 1 << Item.SATELLITES, 1 << Item.UNREAD


@numba.njit(cache=True, nogil=True)
def location(content: Octets, start: int, end: int, frame: int, locations: Any, index: int) -> int:
    """Read a location body into locations[index]; 0 or a reason."""
    if end - start < BASE_BYTES:
        return _BODY_SHORT
    fix_time_s = instant_s(content, start + _TIME_AT)
    if fix_time_s < 0:
        return _BCD_TIME
    status, latitude, longitude = _u32(content, start + 4), _u32(content, start + 8), _u32(content, start + 12)
    if latitude > _LATITUDE_E6_MAX or longitude > _LONGITUDE_E6_MAX:
        if status & _POSITIONED:
            return _COORDINATE
        latitude = longitude = 0  # without a fix they say nothing, but the alarm word does
    row = locations[index]
    row.fix_time_ms = fix_time_s * 1000
    row.frame = frame
    row.longitude_e7 = -longitude * 10 if status & _WEST else longitude * 10
    row.latitude_e7 = -latitude * 10 if status & _SOUTH else latitude * 10
    row.altitude_m = np.int16(_u16(content, start + 16))  # Turpan lies below the sea
    row.alarm_word = np.int32(_u32(content, start))
    row.status_word = np.int32(status)
    row.speed_01kmh = _u16(content, start + 18)
    row.heading_deg = _u16(content, start + 20)
    row.source = _TERMINAL
    row.item_start = start + BASE_BYTES
    row.item_length = end - start - BASE_BYTES
    row.items = _items(content, start + BASE_BYTES, end, row)
    return NOTHING


@numba.njit(cache=True, nogil=True)
def batch(
    content: Octets,
    header: Any,
    frame: int,
    locations: Any,
    location_count: int,
    rejections: Any,
    rejection_count: int,
) -> tuple[int, int, int]:
    """Add the locations of a 0x0704 body; an item that is no use is rejected alone. Returns how many rows there are of
    locations and rejections then, and 0 or a reason for the whole."""
    start, end = int(header.body_start), int(header.body_start + header.body_length)
    if end - start < 3:
        return location_count, rejection_count, _BODY_SHORT
    count, kind, at = _u16(content, start), content[start + 2], start + 3
    before = location_count
    for _ in range(count):
        if at + 2 > end or at + 2 + _u16(content, at) > end:
            return location_count, rejection_count, _BATCH_ITEM  # the rest cannot be found; what came before stays
        length = _u16(content, at)
        at += 2
        flaw = location(content, at, at + length, frame, locations, location_count)
        if flaw == NOTHING:
            locations[location_count].source = _BLIND_AREA if kind == _BATCH_BLIND_AREA else _TERMINAL
            location_count += 1
        else:
            rejection = rejections[rejection_count]
            rejection.offset, rejection.length = header.offset, length
            rejection.link, rejection.reason = header.link, flaw
            rejection_count += 1
            if location_count == before:
                header.reason = flaw
        at += length
    if location_count > before:
        header.reason = NOTHING
    return location_count, rejection_count, NOTHING


@numba.njit(cache=True, nogil=True)
def located_answer(content: Octets, start: int, end: int) -> int:
    """Where the location begins in a 0x0201 body: behind the answered serial, which 2011 does not have."""
    # With a serial, the heading's high byte stands where 2011 has the year, and it is 0 or 1.
    timed = end - start >= BASE_BYTES and instant_s(content, start + _TIME_AT) >= 0
    return start if timed and content[start + _TIME_AT] > 1 else start + 2


@numba.njit(cache=True, nogil=True)
def instant_s(content: Octets, at: int) -> int:
    """Seconds since 1970 in UTC of six BCD bytes in GMT+8; -1 when they are no time."""
    year, month, day = _bcd(content[at]), _bcd(content[at + 1]), _bcd(content[at + 2])
    hour, minute, second = _bcd(content[at + 3]), _bcd(content[at + 4]), _bcd(content[at + 5])
    if min(year, hour, minute, second) < 0 or month < 1 or month > 12 or day < 1:
        return _BAD
    if hour > 23 or minute > 59 or second > 59 or day > _month_days(year, month):
        return _BAD
    shifted = month - 3 if month > 2 else month + 9  # years that begin in March put the leap day last
    years = year if month > 2 else year - 1
    leap_days = (years + 4) // 4 - 1  # from March 2000 on: 2000 to 2099 has no exception
    days = years * 365 + leap_days + (153 * shifted + 2) // 5 + day - 1 + 11_017  # 2000-03-01
    return days * 86_400 + hour * 3600 + minute * 60 + second - _TIME_ZONE_S


@numba.njit(cache=True, nogil=True)
def gather(content: Octets, starts: NDArray[np.int32], lengths: NDArray[np.int32], out: Octets) -> None:
    """Write the pieces of `content` one behind the other."""
    at = 0
    for row in range(len(starts)):
        start = starts[row]
        for k in range(lengths[row]):
            out[at + k] = content[start + k]
        at += lengths[row]


@numba.njit(cache=True, nogil=True, inline="always")
def _u16(content: Octets, at: int) -> int:
    return int(np.int64(content[at]) << 8 | np.int64(content[at + 1]))


@numba.njit(cache=True, nogil=True, inline="always")
def _u32(content: Octets, at: int) -> int:
    return _u16(content, at) << 16 | _u16(content, at + 2)


@numba.njit(cache=True, nogil=True, inline="always")
def _bcd(octet: int) -> int:
    high, low = int(octet >> 4), int(octet & 15)
    return high * 10 + low if high < 10 and low < 10 else _BAD


@numba.njit(cache=True, nogil=True, inline="always")
def _month_days(year: int, month: int) -> int:
    if month == 2:
        return 29 if year % 4 == 0 else 28  # 2000 is a leap year, 2100 is out of range
    return 30 + (month + (month >> 3)) % 2


@numba.njit(cache=True, nogil=True, inline="always")
def _items(content: Octets, at: int, end: int, row: Any) -> int:
    """Read the additional items into `row`; the bits of those read. An item that runs past the end ends the list."""
    bits = 0
    while at + 2 <= end:
        item, size = int(content[at]), int(content[at + 1])
        at += 2
        if at + size > end:
            break
        if item <= 0x06:
            bits |= _item_of_vehicle(content, at, item, size, row)
        elif item >= 0x25:
            bits |= _item_of_equipment(content, at, item, size, row)
        elif item <= 0x13:
            bits |= _item_of_area(content, at, item, size, row)
        else:
            bits |= _item_of_video(content, at, item, size, row)
        at += size
    return bits


@numba.njit(cache=True, nogil=True, inline="always")
def _item_of_vehicle(content: Octets, at: int, item: int, size: int, row: Any) -> int:
    if item == 0x01 and size == 4:
        row.odometer_01km = _u32(content, at)
        return _ODOMETER
    if item == 0x02 and size == 2:
        row.fuel_01l = _u16(content, at)
        return _FUEL
    if item == 0x03 and size == 2:
        row.recorder_speed_01kmh = _u16(content, at)
        return _RECORDER_SPEED
    if item == 0x04 and size == 2:
        row.alarm_event_id = _u16(content, at)
        return _ALARM_EVENT
    if item == 0x05 and size == 30:
        row.tyre_start = at
        return _TYRES
    if item == 0x06 and size == 2:  # sign and magnitude, not two's complement
        word = _u16(content, at)
        row.cabin_temperature_c = -(word & 0x7FFF) if word & 0x8000 else word
        return _CABIN_TEMPERATURE
    return _UNREAD


@numba.njit(cache=True, nogil=True)
def _item_of_area(content: Octets, at: int, item: int, size: int, row: Any) -> int:
    if item == 0x11 and (size == 5 or (size == 1 and content[at] == 0)):
        row.overspeed_area_kind = content[at]
        row.overspeed_area_id = _u32(content, at + 1) if size == 5 else 0
        return _OVERSPEED_AREA
    if item == 0x12 and size == 6:
        row.crossed_area_kind = content[at]
        row.crossed_area_id = _u32(content, at + 1)
        row.crossed_outwards = content[at + 5]
        return _CROSSED_AREA
    if item == 0x13 and (size == 7 or size == 8):  # 2011 prints two bytes for the result
        row.segment_id = _u32(content, at)
        row.segment_s = _u16(content, at + 4)
        row.segment_too_long = content[at + size - 1]
        return _SEGMENT
    return _UNREAD


@numba.njit(cache=True, nogil=True)
def _item_of_video(content: Octets, at: int, item: int, size: int, row: Any) -> int:
    if item == 0x14 and size == 4:
        row.video_alarm_word = np.int32(_u32(content, at))
        return _VIDEO_ALARM
    if item == 0x15 and size == 4:
        row.lost_channels = _u32(content, at)
        return _LOST_CHANNELS
    if item == 0x16 and size == 4:
        row.occluded_channels = _u32(content, at)
        return _OCCLUDED_CHANNELS
    if item == 0x17 and size == 2:
        row.storage_faults = _u16(content, at)
        return _STORAGE_FAULTS
    if item == 0x18 and (size == 2 or size == 3):  # printed as two, the table holds three
        row.abnormal_driving = _u16(content, at)
        row.fatigue_degree = content[at + 2] if size == 3 else 0
        return _ABNORMAL_DRIVING
    return _UNREAD


@numba.njit(cache=True, nogil=True, inline="always")
def _item_of_equipment(content: Octets, at: int, item: int, size: int, row: Any) -> int:
    if item == 0x30 and size == 1:
        row.signal_strength = content[at]
        return _SIGNAL_STRENGTH
    if item == 0x31 and size == 1:
        row.satellites = content[at]
        return _SATELLITES
    if item == 0x25 and size == 4:
        row.signals = _u32(content, at)
        return _SIGNALS
    if item == 0x2A and size == 2:
        row.io_states = _u16(content, at)
        return _IO_STATES
    if item == 0x2B and size == 4:  # AD0 is the low half
        row.analogue_1 = _u16(content, at)
        row.analogue_0 = _u16(content, at + 2)
        return _ANALOGUES
    return _UNREAD
