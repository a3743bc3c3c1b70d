"""The live stream's messages: binary frames of positions, text frames of vehicles and alarms, and what browsers say."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError
from xiangtong.tracking.v1 import registry_service_pb2
from xiangtong.tracking.v1 import tracking_service_pb2 as pb

from common.errors import InvalidInput, Violation
from services.gateway.convert.bodies import LiveSeen, LiveView
from services.gateway.convert.values import e7
from services.gateway.convert.words import KINDS

VERSION = 1
HEADER = struct.Struct("<BBHIIIdd")
BYTES_A_VEHICLE = 18
AGE_S_MAX = 65535
HEADING_STEP_DEG = 2
MESSAGE_CHARACTERS_MAX = 64 * 1024

ONLINE, IGNITION, POSITIONED, ALARMED = 1, 2, 4, 8
STATUS_IGNITION, STATUS_POSITIONED = 1, 2  # bits 0 and 1 of the status word, JT/T 808 4.3

Ids = NDArray[np.int64]

RECORD = np.dtype(
    [
        ("fix_time_ms", "<i8"),
        ("longitude_e7", "<i4"),
        ("latitude_e7", "<i4"),
        ("speed_01kmh", "<u2"),
        ("heading", "u1"),
        ("flags", "u1"),
    ]
)


class FrameKind(IntEnum):
    """What a binary frame is."""

    SNAPSHOT = 1
    SNAPSHOT_MORE = 2
    CHANGE = 3
    HEARTBEAT = 4


@dataclass(frozen=True, slots=True)
class View:
    """Which vehicles a browser wants to see; what is empty or None does not matter. `regions`: codes as numbers."""

    box_e7: tuple[int, int, int, int] | None = None
    kinds: frozenset[int] = frozenset()
    regions: frozenset[int] = frozenset()
    enterprises: frozenset[int] = frozenset()


def records_of(message: pb.WatchPositionsResponse) -> tuple[Ids, NDArray[Any]]:
    """The vehicles of a message and a RECORD of each."""
    positions = message.positions
    ids = np.array(positions.vehicle_ids, np.int64)
    records = np.zeros(len(ids), RECORD)
    records["fix_time_ms"] = positions.fix_times_ms
    records["longitude_e7"] = positions.longitudes_e7
    records["latitude_e7"] = positions.latitudes_e7
    records["speed_01kmh"] = np.clip(np.array(positions.speeds_01kmh, np.int32), 0, 65535)
    records["heading"] = np.array(positions.headings_deg, np.int32) % 360 // HEADING_STEP_DEG
    status = np.array(positions.status_words, np.int32)
    online = np.array(message.online, np.bool_) if len(message.online) == len(ids) else np.ones(len(ids), np.bool_)
    records["flags"] = (
        online * ONLINE
        + (status & STATUS_IGNITION != 0) * IGNITION
        + (status & STATUS_POSITIONED != 0) * POSITIONED
        + (np.array(positions.alarm_words, np.int32) != 0) * ALARMED
    )
    return ids, records


def frame(
    kind: FrameKind, ids: Ids, records: NDArray[Any], gone: Ids, *, epoch: int, number: int, base_time_ms: int
) -> bytes:
    """A binary frame: a header, then column after column, widest first so that each is aligned."""
    ages_s = np.clip((base_time_ms - records["fix_time_ms"]) // 1000, 0, AGE_S_MAX).astype("<u2")
    return b"".join(
        (
            HEADER.pack(VERSION, kind, 0, len(ids), len(gone), epoch, float(base_time_ms), float(number)),
            ids.astype("<u4").tobytes(),
            records["longitude_e7"].tobytes(),
            records["latitude_e7"].tobytes(),
            gone.astype("<u4").tobytes(),
            records["speed_01kmh"].tobytes(),
            ages_s.tobytes(),
            records["heading"].tobytes(),
            records["flags"].tobytes(),
        )
    )


def vehicles_text(vehicles: list[registry_service_pb2.Vehicle]) -> str:
    """A text frame with what the register says of vehicles, as columns."""
    return _text(
        {
            "type": "vehicles",
            "vehicle_ids": [v.vehicle_id for v in vehicles],
            "plates": [v.plate for v in vehicles],
            "plate_colours": [v.plate_colour for v in vehicles],
            "kinds": [int(v.kind) for v in vehicles],
            "enterprise_ids": [v.enterprise_id for v in vehicles],
            "region_codes": [v.region_code for v in vehicles],
        }
    )


def alarms_text(alarms: list[dict[str, Any]], *, snapshot: bool, number: int) -> str:
    """A text frame with alarms."""
    return _text({"type": "alarms", "snapshot": snapshot, "alarms": alarms, "alarm_number": number})


def source_text(*, live: bool) -> str:
    """A text frame that says whether what a browser sees is up to date."""
    return _text({"type": "source", "live": live})


def said(text: str) -> LiveView | LiveSeen:
    """What a browser says. Raises InvalidInput."""
    try:
        value = json.loads(text[: MESSAGE_CHARACTERS_MAX + 1])
        kind = value["type"]
        return LiveSeen.model_validate(value) if kind == "seen" else LiveView.model_validate(value)
    except ValidationError as error:
        problems = [Violation(".".join(map(str, found["loc"])), found["msg"]) for found in error.errors()]
        raise InvalidInput(*problems) from None
    except (ValueError, TypeError, KeyError, RecursionError):
        raise InvalidInput(Violation("message", 'send {"type": "view", …} or {"type": "seen", …}')) from None


def view_of(message: LiveView) -> View:
    """Which vehicles a browser wants to see."""
    box = message.bounding_box
    return View(
        None if box is None else (e7(box[0]), e7(box[1]), e7(box[2]), e7(box[3])),
        frozenset(KINDS.numbers(message.kinds, "kinds")),
        frozenset(map(int, message.region_codes)),
        frozenset(message.enterprise_ids),
    )


def _text(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
