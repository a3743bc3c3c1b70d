"""Binary frames of the live stream, read as the README describes them and as a browser does."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from websockets.asyncio.client import ClientConnection

COLUMNS = (
    ("longitudes_e7", "<i4"),
    ("latitudes_e7", "<i4"),
    ("gone", "<u4"),
    ("speeds_01kmh", "<u2"),
    ("ages_s", "<u2"),
    ("headings", "u1"),
    ("flags", "u1"),
)


@dataclass
class Frame:
    """A frame's header and columns."""

    kind: int
    epoch: int
    base_time_ms: float
    number: float
    columns: dict[str, list[int]]

    @property
    def ids(self) -> list[int]:
        return self.columns["ids"]

    @property
    def gone(self) -> list[int]:
        return self.columns["gone"]


def read(wire: bytes) -> Frame:
    """The frame in `wire`, to its last byte."""
    version, kind, zero, count, gone_count = struct.unpack_from("<BBHII", wire)
    (epoch,) = struct.unpack_from("<I", wire, 12)
    base_time_ms, number = struct.unpack_from("<dd", wire, 16)
    assert (version, zero) == (1, 0)
    at, columns = 32, {}
    for name, dtype in (("ids", "<u4"), *COLUMNS):
        size = gone_count if name == "gone" else count
        assert at % np.dtype(dtype).itemsize == 0
        columns[name] = np.frombuffer(wire, dtype, size, at).tolist()
        at += size * np.dtype(dtype).itemsize
    assert at == len(wire)
    return Frame(kind, epoch, base_time_ms, number, columns)


@dataclass
class Screen:
    """What a browser has on its map after what it was sent."""

    socket: ClientConnection
    see: bool = True
    positions: dict[int, dict[str, int]] = field(default_factory=dict)
    plates: dict[int, str] = field(default_factory=dict)
    alarms: dict[str, dict[str, Any]] = field(default_factory=dict)
    frames: list[Frame] = field(default_factory=list)
    alarm_number: int = 0
    live: bool = True

    async def say(self, message: dict[str, Any]) -> None:
        await self.socket.send(json.dumps(message))

    async def hear(self) -> Frame | None:
        """Take one message; returns it when it is a frame."""
        message = await self.socket.recv()
        if isinstance(message, str):
            self._hear_text(json.loads(message))
            return None
        frame = read(message)
        self.frames.append(frame)
        if frame.kind == 1:
            self.positions.clear()
        for row, key in enumerate(frame.ids):
            assert key in self.plates, "a vehicle's row comes before its first position"
            self.positions[key] = {name: frame.columns[name][row] for name, _ in COLUMNS if name != "gone"}
        for key in frame.gone:
            self.positions.pop(key, None)
        if self.see and frame.number:
            await self.say({"type": "seen", "number": frame.number})
        return frame

    def _hear_text(self, message: dict[str, Any]) -> None:
        if message["type"] == "vehicles":
            self.plates.update(zip(message["vehicle_ids"], message["plates"], strict=True))
            return
        if message["type"] == "source":
            self.live = message["live"]
            return
        assert message["type"] == "alarms"
        if message["snapshot"]:
            self.alarms.clear()
        self.alarms.update((alarm["alarm_id"], alarm) for alarm in message["alarms"])
        self.alarm_number = message["alarm_number"]

    def resume(self) -> dict[str, int]:
        """Where to go on after a lost connection."""
        frame = [frame for frame in self.frames if frame.number][-1]
        return {"epoch": frame.epoch, "number": int(frame.number), "alarm_number": self.alarm_number}
