"""The latest position of every vehicle in memory, kept up to date from Redis: what an api process answers from."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from redis.asyncio import Redis
from redis.exceptions import RedisError

from common import ids
from common.infra import diagnostics
from services.vehicle_tracking.convert.live import ID_TYPE, LIVE_CHANGE, LIVE_CHANNEL, live_key
from services.vehicle_tracking.domain.latest_rows import LIVE_RECORD
from services.vehicle_tracking.domain.live_filters import Filter
from services.vehicle_tracking.domain.positions import PositionBatch, batch
from services.vehicle_tracking.domain.vehicle_columns import VehicleRows

VEHICLE_ID_MAX = 1 << 24  # bounds the table to about 1.3 GB; twice the vehicles of the largest province
SCAN_COUNT = 20_000  # fields a reply, so that a snapshot of millions does not stop Redis
RECONNECT_S = 0.5
MESSAGE_WAIT_S = 5.0

log = diagnostics.logger(__name__)

Ids = NDArray[np.int64]


class LiveTable:
    """Columns indexed by vehicle id. Every change gets the next change number, so that a watcher can ask for what
    changed after the number it has. `epoch`: tells this table's numbers from another's."""

    def __init__(self) -> None:
        self.epoch = ids.request_id()[:12]
        self.change = 0
        self._records = np.zeros(0, LIVE_RECORD)
        self._changes = np.zeros(0, np.int64)
        self._registered = np.zeros(0, np.bool_)
        self._regions = np.zeros(0, np.int32)
        self._enterprises = np.zeros(0, np.int64)
        self._kinds = np.zeros(0, np.uint8)

    def apply(self, vehicle_ids: NDArray[Any], records: NDArray[Any]) -> None:
        """Take records of vehicles, (n,) each; the last of a vehicle counts, unless an older fix than the known."""
        rows = vehicle_ids.astype(np.int64)
        usable = (rows > 0) & (rows < VEHICLE_ID_MAX)
        rows, records = rows[usable], records[usable]
        if not len(rows):
            return
        self._reserve(int(rows.max()) + 1)
        newer = records["fix_time_ms"] >= self._records["fix_time_ms"][rows]
        self.change += 1
        self._records[rows[newer]] = records[newer]
        self._changes[rows[newer]] = self.change

    def register(self, vehicles: VehicleRows) -> None:
        """Take what changed in the register: filters look at it, and a vehicle that is removed is gone."""
        known = vehicles.vehicle_ids < VEHICLE_ID_MAX
        rows = vehicles.vehicle_ids[known]
        if not len(rows):
            return
        self._reserve(int(rows.max()) + 1)
        self.change += 1
        self._regions[rows] = vehicles.region_codes[known]
        self._enterprises[rows] = vehicles.enterprise_ids[known]
        self._kinds[rows] = vehicles.kinds[known]
        self._registered[rows] = ~vehicles.deleted[known]
        self._changes[rows] = self.change

    def changed(self, since: int) -> Ids:
        """Ids of the vehicles that changed after change number `since`."""
        return np.flatnonzero(self._changes > since)

    def matching(self, vehicle_ids: Ids, wanted: Filter) -> NDArray[np.bool_]:
        """Which of the vehicles are registered, have a position and match."""
        records = self._records[vehicle_ids]
        mask: NDArray[np.bool_] = self._registered[vehicle_ids] & (records["fix_time_ms"] > 0)
        if wanted.region_codes:
            mask &= np.isin(self._regions[vehicle_ids], [int(code) for code in wanted.region_codes])
        if wanted.enterprise_ids:
            mask &= np.isin(self._enterprises[vehicle_ids], list(wanted.enterprise_ids))
        if wanted.kinds:
            mask &= np.isin(self._kinds[vehicle_ids], list(wanted.kinds))
        if wanted.box_e7 is not None:
            west, south, east, north = wanted.box_e7
            lon, lat = records["longitude_e7"], records["latitude_e7"]
            mask &= (lon >= west) & (lon <= east) & (lat >= south) & (lat <= north)
        return mask

    def positions(self, vehicle_ids: Ids, received_time_ms: int) -> PositionBatch:
        """The latest positions of these vehicles."""
        records = self._records[vehicle_ids]
        return batch(
            received_time_ms,
            vehicle_ids=vehicle_ids,
            fix_times_ms=records["fix_time_ms"],
            longitudes_e7=records["longitude_e7"],
            latitudes_e7=records["latitude_e7"],
            speeds_01kmh=records["speed_01kmh"],
            headings_deg=records["heading_deg"],
            altitudes_m=records["altitude_m"],
            alarm_words=records["alarm_word"],
            status_words=records["status_word"],
            sources=records["source"],
            odometers_01km=records["odometer_01km"],
        )

    def online(self, vehicle_ids: Ids) -> NDArray[np.bool_]:
        """Whether these vehicles are online by the offline rule."""
        return np.asarray(self._records["online"][vehicle_ids] != 0)

    def find(self, vehicle_id: int) -> np.void | None:
        """The LIVE_RECORD of a vehicle; None before its first position."""
        if not 0 < vehicle_id < len(self._records) or not self._records["fix_time_ms"][vehicle_id]:
            return None
        found: np.void = self._records[vehicle_id]
        return found

    def _reserve(self, count: int) -> None:
        if count <= len(self._records):
            return
        more = max(count, 2 * len(self._records), 1024) - len(self._records)
        for name in ("_records", "_changes", "_registered", "_regions", "_enterprises", "_kinds"):
            column = getattr(self, name)
            setattr(self, name, np.concatenate([column, np.zeros(more, column.dtype)]))


class Subscription:
    """One Redis channel, read for good. `resync` runs once subscribed and again after every lost connection, when
    messages may have been missed; `take` gets each message."""

    def __init__(
        self, client: Redis, channel: str, resync: Callable[[], Awaitable[None]], take: Callable[[bytes], None]
    ) -> None:
        self._client = client
        self._channel = channel
        self._resync = resync
        self._take = take
        self._missed = True
        self.ready = asyncio.Event()

    async def run(self) -> None:
        """Read until cancelled."""
        while True:
            try:
                async with self._client.pubsub() as subscription:
                    await self._read(subscription)
            except (RedisError, OSError) as error:
                log.warning("channel lost", channel=self._channel, error=str(error))
                await asyncio.sleep(RECONNECT_S)

    async def _read(self, subscription: Any) -> None:
        await subscription.subscribe(self._channel)
        subscription.connection.register_connect_callback(self._reconnected)
        self._missed = True
        while True:
            if self._missed:
                self._missed = False
                await self._resync()
                self.ready.set()
            message = await subscription.get_message(ignore_subscribe_messages=True, timeout=MESSAGE_WAIT_S)
            if message is not None:
                self._take(message["data"])

    async def _reconnected(self, _: Any) -> None:
        self._missed = True


def live_subscription(client: Redis, table: LiveTable, partition_count: int) -> Subscription:
    """Keeps `table` like the live state in Redis."""

    async def resync() -> None:
        for partition in range(partition_count):
            await _load(client, table, partition)

    def take(message: bytes) -> None:
        if len(message) % LIVE_CHANGE.itemsize:
            log.error("live message of a strange length", length=len(message))
            return
        changes = np.frombuffer(message, LIVE_CHANGE)
        table.apply(changes["vehicle_id"], changes["record"])

    return Subscription(client, LIVE_CHANNEL, resync, take)


async def _load(client: Redis, table: LiveTable, partition: int) -> None:
    cursor = 0
    while True:
        cursor, scanned = await client.hscan(live_key(partition), cursor, count=SCAN_COUNT)
        found = cast("dict[bytes, bytes]", scanned)  # the client answers with bytes
        whole = {key: value for key, value in found.items() if len(key) == 8 and len(value) == LIVE_RECORD.itemsize}
        if whole:
            table.apply(np.frombuffer(b"".join(whole), ID_TYPE), np.frombuffer(b"".join(whole.values()), LIVE_RECORD))
        if not cursor:
            return
