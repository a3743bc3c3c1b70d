"""Tells the console of many moving vehicles in the gateway's own frames, and a plain page in JSON to compare."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import uvicorn
from numpy.typing import NDArray
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket, WebSocketDisconnect

from services.gateway.convert.live import RECORD, FrameKind, frame

ROOT = Path(__file__).resolve().parents[1]
WEB = ROOT / "web"
BASELINE = Path(__file__).parent / "console_baseline.html"
INTERVAL_S = 1.0
START_S_MAX = 20.0
_EMPTY = {"regions": [], "enterprises": [], "fences": [], "alarms": [], "accounts": [], "next_page_token": ""}
_ME = {"name": "bench", "role": "operator", "language": "zh", "password_temporary": False}
_MAP = {"kind": "none", "urls": [], "datum": "WGS84", "attribution": "", "zoom_max": 0}


class Fleet:
    """Vehicles that drive over the province and turn back at its edges; every one moves in every batch."""

    def __init__(self, count: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.ids = np.arange(1, count + 1, dtype=np.int64)
        self._places = np.stack([rng.uniform(109.5, 113.5, count), rng.uniform(25.5, 29.5, count)])
        self._headings = rng.uniform(0, 360, count)
        self._kmh = rng.uniform(20, 110, count)
        self.kinds = rng.integers(1, 9, count)

    def records(self) -> NDArray[np.void]:
        """The live records of now, a second's drive after those before."""
        radians = np.radians(self._headings)
        self._places += self._kmh / 3.6 / 111_195 * np.stack([np.sin(radians) / 0.88, np.cos(radians)])
        out = (self._places < [[109.0], [25.0]]) | (self._places > [[114.0], [30.0]])
        self._headings = np.where(out.any(axis=0), self._headings + 180, self._headings) % 360
        records = np.zeros(len(self.ids), RECORD)
        records["longitude_e7"] = np.rint(self._places[0] * 1e7)
        records["latitude_e7"] = np.rint(self._places[1] * 1e7)
        records["speed_01kmh"] = np.rint(self._kmh * 10)
        records["fix_time_ms"] = now_ms()
        records["heading"] = self._headings // 2
        records["flags"] = 0b111
        return records

    def rows_text(self) -> str:
        """What the register says, as the gateway tells it."""
        rows = {
            "vehicle_ids": self.ids.tolist(),
            "plates": [f"湘A{number:05d}" for number in self.ids.tolist()],
            "plate_colours": [2] * len(self.ids),
            "kinds": self.kinds.tolist(),
            "enterprise_ids": [1] * len(self.ids),
            "region_codes": ["430100"] * len(self.ids),
        }
        return json.dumps({"type": "vehicles", **rows}, ensure_ascii=False)


@contextmanager
def serving(fleet: Fleet) -> Iterator[str]:
    """The address of the server until the end of the block."""
    server = uvicorn.Server(uvicorn.Config(_application(fleet), port=0, log_level="error", ws_max_size=2**20))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until = time.monotonic() + START_S_MAX
    while not server.started and time.monotonic() < until:
        time.sleep(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(START_S_MAX)


def now_ms() -> int:
    """Of the machine's clock."""
    return time.time_ns() // 1_000_000


def _application(fleet: Fleet) -> Starlette:
    async def answer(request: Request) -> Response:
        if request.url.path == "/baseline":
            return FileResponse(BASELINE)
        known = {"/api/me": _ME, "/api/map/config": _MAP}
        return JSONResponse(known.get(request.url.path, _EMPTY))

    async def live(socket: WebSocket) -> None:
        await _told(socket, fleet, binary=True)

    async def rows(socket: WebSocket) -> None:
        await _told(socket, fleet, binary=False)

    return Starlette(
        routes=[
            WebSocketRoute("/api/live", live),
            WebSocketRoute("/baseline/rows", rows),
            Route("/baseline", answer),
            Route("/api/{path:path}", answer),
            Mount("/maplibre", StaticFiles(directory=WEB / "node_modules" / "maplibre-gl" / "dist")),
            Mount("/", StaticFiles(directory=WEB / "dist", html=True)),
        ]
    )


async def _told(socket: WebSocket, fleet: Fleet, *, binary: bool) -> None:
    """A snapshot, then every vehicle again each second."""
    await socket.accept()
    reading = asyncio.create_task(_read(socket))
    try:
        if binary:
            await socket.send_text(fleet.rows_text())
        number = 1
        while not reading.done():
            kind = FrameKind.SNAPSHOT if number == 1 else FrameKind.CHANGE
            records = fleet.records()
            if binary:
                gone = np.zeros(0, np.int64)
                sent = frame(kind, fleet.ids, records, gone, epoch=1, number=number, base_time_ms=now_ms())
                await socket.send_bytes(sent)
            else:
                await socket.send_text(_rows(fleet, records))
            number += 1
            await asyncio.sleep(INTERVAL_S)
    except (WebSocketDisconnect, RuntimeError):
        pass  # the page was closed
    finally:
        reading.cancel()


async def _read(socket: WebSocket) -> None:
    while True:
        await socket.receive_text()


def _rows(fleet: Fleet, records: NDArray[np.void]) -> str:
    """The same positions as JSON rows."""
    names = ("longitude", "latitude", "speed_kmh", "heading_deg", "kind")
    columns = (
        records["longitude_e7"] / 1e7,
        records["latitude_e7"] / 1e7,
        records["speed_01kmh"] / 10,
        records["heading"].astype(int) * 2,
        fleet.kinds,
    )
    rows = zip(fleet.ids.tolist(), *(column.tolist() for column in columns), strict=True)
    return json.dumps([{"vehicle_id": row[0], **dict(zip(names, row[1:], strict=True))} for row in rows])
