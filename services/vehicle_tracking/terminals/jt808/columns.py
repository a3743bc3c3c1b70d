"""The tables that one pass of the decoder fills: a row per frame, per location and per rejection."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

Table = NDArray[Any]  # a structured array; its fields are the columns

FRAME_BYTES_MAX = 2 * (21 + 1023 + 1)  # every byte escaped; a correct frame cannot need more between its delimiters
PADDING_BYTES = 32  # the decoder copies blocks: this much room follows what is written


class Reason(IntEnum):
    """Why a frame, or a position in a frame, could not be used. The list is closed."""

    # The frame, whose header is no use: it cannot be answered.
    SHORT = 1  # fewer bytes than a header and a check byte
    TOO_LONG = 2  # more bytes than a correct frame can have
    ESCAPE = 3  # 7d before anything but 01 and 02
    CHECKSUM = 4
    LENGTH_MISMATCH = 5  # what came fits the header of no edition
    PHONE = 6  # digits that are none, or more than 18
    # The body under a good header, or one item of a batch.
    ENCRYPTED = 7
    BODY_SHORT = 8
    BCD_TIME = 9  # no time of this century
    COORDINATE = 10  # off the globe, and said to be positioned
    PART_INDEX = 11  # 0, or more than there are parts
    BATCH_ITEM = 12  # runs past the end of the body
    # Parts of a message that came to nothing.
    PART_BOUNDS = 13
    PART_TIMEOUT = 14


FRAME = np.dtype(
    [
        ("phone", np.int64),
        ("link", np.int32),  # which link of the call it came from
        ("offset", np.int32),  # where its first byte stands in the stream
        ("header_start", np.int32),  # where its header begins in `content`
        ("body_start", np.int32),
        ("body_length", np.int32),
        ("first_location", np.int32),
        ("location_count", np.int32),
        ("message_id", np.uint16),
        ("properties", np.uint16),
        ("serial", np.uint16),
        ("part_count", np.uint16),  # 0: a whole message
        ("part_index", np.uint16),
        ("version", np.uint8),  # the protocol version byte of a 2019 header; NO_VERSION for 2011 and 2013
        ("is_2019", np.bool_),  # by the lengths: bit 14 of the properties may lie
        ("reason", np.uint8),  # 0, or the Reason why its body is no use; the header is good and can be answered
    ],
    align=True,
)

LOCATION = np.dtype(
    [
        ("fix_time_ms", np.int64),
        ("frame", np.int32),  # row in the frames
        ("longitude_e7", np.int32),
        ("latitude_e7", np.int32),
        ("altitude_m", np.int32),
        ("alarm_word", np.int32),
        ("status_word", np.int32),
        ("speed_01kmh", np.int32),
        ("heading_deg", np.int32),
        ("item_start", np.int32),  # in `content`
        ("item_length", np.int32),
        ("items", np.uint32),  # bit Item.X: the item came and its value stands below
        ("odometer_01km", np.uint32),
        ("overspeed_area_id", np.uint32),
        ("crossed_area_id", np.uint32),
        ("segment_id", np.uint32),
        ("video_alarm_word", np.int32),
        ("lost_channels", np.uint32),
        ("occluded_channels", np.uint32),
        ("signals", np.uint32),
        ("fuel_01l", np.uint16),
        ("recorder_speed_01kmh", np.uint16),
        ("alarm_event_id", np.uint16),
        ("cabin_temperature_c", np.int16),
        ("segment_s", np.uint16),
        ("storage_faults", np.uint16),
        ("abnormal_driving", np.uint16),
        ("io_states", np.uint16),
        ("analogue_0", np.uint16),
        ("analogue_1", np.uint16),
        ("tyre_start", np.int32),  # 30 bytes in `content`, one a wheel, 255: none
        ("overspeed_area_kind", np.uint8),
        ("crossed_area_kind", np.uint8),
        ("crossed_outwards", np.uint8),
        ("segment_too_long", np.uint8),
        ("fatigue_degree", np.uint8),
        ("signal_strength", np.uint8),
        ("satellites", np.uint8),
        ("source", np.uint8),  # PositionSource
    ],
    align=True,
)

REJECTION = np.dtype(
    [("offset", np.int32), ("length", np.int32), ("link", np.int32), ("reason", np.uint8)],
    align=True,
)

NO_VERSION = 0


class Item(IntEnum):
    """Bits of a location's `items`, one for each standard additional item."""

    ODOMETER = 0
    FUEL = 1
    RECORDER_SPEED = 2
    ALARM_EVENT = 3
    TYRES = 4
    CABIN_TEMPERATURE = 5
    OVERSPEED_AREA = 6
    CROSSED_AREA = 7
    SEGMENT = 8
    VIDEO_ALARM = 9
    LOST_CHANNELS = 10
    OCCLUDED_CHANNELS = 11
    STORAGE_FAULTS = 12
    ABNORMAL_DRIVING = 13
    SIGNALS = 14
    IO_STATES = 15
    ANALOGUES = 16
    SIGNAL_STRENGTH = 17
    SATELLITES = 18
    UNREAD = 31  # at least one item stayed raw: unknown, or of a length that its standard does not have


@dataclass(frozen=True, slots=True)
class Decoded:
    """What a stream held. Every frame, good or not, is a row of `frames` with reason 0 or one of `rejections`.

    `content`: the unescaped bytes that the starts in the tables point into. `rest_starts`: for each link, where the
    bytes begin that are no complete frame yet (of a frame that is too long already, only enough to know that).
    `frame_count`: complete frames seen, usable or not.
    """

    frames: Table
    locations: Table
    rejections: Table
    content: NDArray[np.uint8]
    rest_starts: NDArray[np.int64]
    frame_count: int

    def body(self, row: int) -> bytes:
        """The unescaped body of frame `row`."""
        frame = self.frames[row]
        start = int(frame["body_start"])
        return self.content[start : start + int(frame["body_length"])].tobytes()

    def rejection_counts(self) -> dict[str, int]:
        """How often each reason occurred."""
        counts = np.bincount(self.rejections["reason"])
        return {Reason(reason).name: int(counts[reason]) for reason in np.flatnonzero(counts).tolist()}
