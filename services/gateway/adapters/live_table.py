"""The latest position of every vehicle and its row of the register, in columns by vehicle id.

Every change gets the next number, so that a browser is told what changed since the number it has. A vehicle is present
from its first position on, once its row is known, until it is removed.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from xiangtong.tracking.v1.registry_service_pb2 import Vehicle

from services.gateway.convert.live import RECORD, Ids, View

VEHICLE_ID_MAX = 1 << 24  # bounds the columns to about 1 GB; the api's own table ends there too

Mask = NDArray[np.bool_]


class LiveTable:
    """`epoch`: tells the numbers of this table from another's."""

    def __init__(self) -> None:
        self.epoch = secrets.randbits(32)
        self.number = 1  # 0 means "more follows" in a frame
        self.vehicles: dict[int, Vehicle] = {}
        self._records = np.zeros(0, RECORD)
        self._changes = np.zeros(0, np.int64)
        self._row_changes = np.zeros(0, np.int64)
        self._present = np.zeros(0, np.bool_)
        self._known = np.zeros(0, np.bool_)
        self._kinds = np.zeros(0, np.int8)
        self._regions = np.zeros(0, np.int32)
        self._enterprises = np.zeros(0, np.int64)

    @property
    def size(self) -> int:
        """How many ids the columns hold."""
        return len(self._records)

    def take(self, ids: Ids, records: NDArray[Any]) -> Ids:
        """Take RECORDs of vehicles, (n,) each. Returns those told again though nothing moved: then their row of the
        register has changed."""
        usable = (ids > 0) & (ids < VEHICLE_ID_MAX)
        ids, records = ids[usable], records[usable]
        self._reserve(int(ids.max(initial=0)) + 1)
        again: Ids = ids[self._present[ids] & (self._records[ids] == records)]
        self._records[ids] = records
        self._present[ids] = True
        self._touch(self._changes, ids)
        return again

    def remove(self, ids: Ids) -> None:
        """Forget vehicles."""
        ids = ids[(ids > 0) & (ids < self.size)]
        ids = ids[self._present[ids]]
        self._present[ids] = False
        self._touch(self._changes, ids)

    def present(self) -> Ids:
        """Ids of the vehicles that are there."""
        return np.flatnonzero(self._present)

    def unknown(self, ids: Ids) -> Ids:
        """Those of the vehicles whose row is not known yet."""
        ids = ids[(ids > 0) & (ids < VEHICLE_ID_MAX)]
        self._reserve(int(ids.max(initial=0)) + 1)
        unknown: Ids = ids[~self._known[ids]]
        return unknown

    def learn(self, vehicles: Sequence[Vehicle]) -> None:
        """Take rows of the register. Rows that changed count as changes: filters look at them."""
        new = [v for v in vehicles if 0 < v.vehicle_id < VEHICLE_ID_MAX and self.vehicles.get(v.vehicle_id) != v]
        if not new:
            return
        ids = np.array([v.vehicle_id for v in new], np.int64)
        self._reserve(int(ids.max()) + 1)
        self.vehicles.update((v.vehicle_id, v) for v in new)
        self._kinds[ids] = [v.kind for v in new]
        self._regions[ids] = [int(v.region_code) if v.region_code.isdecimal() else 0 for v in new]
        self._enterprises[ids] = [v.enterprise_id for v in new]
        self._known[ids] = True
        self._touch(self._row_changes, ids)
        self._changes[ids] = self.number

    def changed(self, since: int) -> Ids:
        """Ids of the vehicles that changed after `since`."""
        return np.flatnonzero(self._changes > since)

    def rows_changed(self, ids: Ids, since: int) -> Mask:
        """Which of the vehicles have another row than at `since`."""
        found: Mask = self._row_changes[ids] > since
        return found

    def matching(self, ids: Ids, view: View) -> Mask:
        """Which of the vehicles are there and in view."""
        mask: Mask = self._present[ids] & self._known[ids]
        if view.kinds:
            mask &= np.isin(self._kinds[ids], list(view.kinds))
        if view.regions:
            mask &= np.isin(self._regions[ids], list(view.regions))
        if view.enterprises:
            mask &= np.isin(self._enterprises[ids], list(view.enterprises))
        if view.box_e7 is not None:
            west, south, east, north = view.box_e7
            lon, lat = self._records["longitude_e7"][ids], self._records["latitude_e7"][ids]
            mask &= (lon >= west) & (lon <= east) & (lat >= south) & (lat <= north)
        return mask

    def records(self, ids: Ids) -> NDArray[Any]:
        """The latest RECORD of each."""
        return self._records[ids]

    def plate(self, vehicle_id: int) -> str:
        """The plate; empty where the row is not known."""
        vehicle = self.vehicles.get(vehicle_id)
        return vehicle.plate if vehicle else ""

    def rows(self, ids: Iterable[int]) -> list[Vehicle]:
        """The rows of vehicles that are known."""
        return [self.vehicles[key] for key in ids]

    def _touch(self, changes: NDArray[np.int64], ids: Ids) -> None:
        if len(ids):
            self.number += 1
            changes[ids] = self.number

    def _reserve(self, count: int) -> None:
        if count <= self.size:
            return
        more = max(count, 2 * self.size, 1024) - self.size
        for name in ("records", "changes", "row_changes", "present", "known", "kinds", "regions", "enterprises"):
            column = getattr(self, f"_{name}")
            setattr(self, f"_{name}", np.concatenate([column, np.zeros(more, column.dtype)]))
