"""Decoded locations as a PositionBatch.

Contract. `positions` takes what a tick decoded and the vehicle of each frame; 0 leaves its locations out. The batch
owns its memory, so the decoder's room may be used again. Additional items go along as they came, read or not.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from services.vehicle_tracking.domain.positions import ABSENT, PositionBatch, batch
from services.vehicle_tracking.terminals.jt808.columns import Decoded, Item, Table
from services.vehicle_tracking.terminals.jt808.kernel_location import gather

_ODOMETER_MAX = np.iinfo(np.int32).max  # 214 million km; more is no odometer


def positions(decoded: Decoded, vehicle_ids: NDArray[np.int64], *, received_time_ms: int) -> PositionBatch:
    """The locations of all frames with a vehicle, in order of arrival. `vehicle_ids`: (n,) one for each frame."""
    owners = vehicle_ids[decoded.locations["frame"]]
    places = decoded.locations[owners != 0]
    return batch(
        received_time_ms,
        vehicle_ids=owners[owners != 0],
        fix_times_ms=places["fix_time_ms"],
        longitudes_e7=places["longitude_e7"],
        latitudes_e7=places["latitude_e7"],
        speeds_01kmh=places["speed_01kmh"],
        headings_deg=places["heading_deg"],
        altitudes_m=places["altitude_m"],
        alarm_words=places["alarm_word"],
        status_words=places["status_word"],
        sources=places["source"],
        odometers_01km=_present(places, Item.ODOMETER, np.minimum(places["odometer_01km"], _ODOMETER_MAX)),
        recorder_speeds_01kmh=_present(places, Item.RECORDER_SPEED, places["recorder_speed_01kmh"]),
        video_alarm_words=places["video_alarm_word"],
        item_lengths=places["item_length"],
        item_blob=_item_blob(decoded, places),
    )


def _present(places: Table, item: Item, values: NDArray[np.generic]) -> NDArray[np.int64]:
    return np.where(places["items"] & np.uint32(1 << item), values.astype(np.int64), ABSENT)


def _item_blob(decoded: Decoded, places: Table) -> bytes:
    out = np.empty(int(places["item_length"].sum(dtype=np.int64)), np.uint8)
    gather(decoded.content, places["item_start"], places["item_length"], out)
    return out.tobytes()
