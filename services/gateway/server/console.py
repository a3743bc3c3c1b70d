"""The built console: files with their digests, compressed once, and index.html for every other address."""

from __future__ import annotations

import asyncio
import gzip
import mimetypes
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, PlainTextResponse, Response

from common.ids import etag
from services.gateway.server.parts import parts_of

INDEX = "index.html"
FILES_MAX = 500  # kept in memory; a build has a few dozen
STREAMED_FROM_BYTES = 8 * 1024 * 1024  # a map in one file, of which browsers read ranges
COMPRESSED_FROM_BYTES = 1000
HASHED = re.compile(r"[-.][A-Za-z0-9_-]{8,}\.[a-z0-9]+$")  # names with a digest never change their content
ASSETS = "assets/"

_TYPES = {  # the machine's own table may lack them or say something else
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".wasm": "application/wasm",
    ".pbf": "application/x-protobuf",
    ".pmtiles": "application/octet-stream",
    ".geojson": "application/geo+json",
    ".woff2": "font/woff2",
}


@dataclass(frozen=True, slots=True)
class ConsoleFile:
    """A file as it is sent. `compressed`: gzip; empty where that saves nothing."""

    content: bytes
    compressed: bytes
    media_type: str
    etag: str


async def console_file(request: Request, path: str) -> Response:
    """A file of the console, or its index page."""
    if path == "api" or path.startswith("api/"):
        raise HTTPException(404)
    folder = parts_of(request).settings.console_folder
    found = await asyncio.to_thread(find_file, folder, path)
    if found is None and "." in path.rpartition("/")[2]:
        raise HTTPException(404)
    page = found or await asyncio.to_thread(find_file, folder, INDEX)
    if isinstance(page, Path):
        return FileResponse(page, media_type=_media_type(page), headers={"Cache-Control": "no-cache"})
    if page is None:
        return PlainTextResponse(f"The console is not built: run `make web` ({folder} is not there).\n", 503)
    return _sent(request, page, lasting=found is not None and path.startswith(ASSETS) and bool(HASHED.search(path)))


def find_file(folder: Path, path: str) -> ConsoleFile | Path | None:
    """The file at `path` inside the folder, a large one by its path; None where there is none. Names that begin with a
    dot are not served."""
    root = folder.resolve()
    if "\0" in path or any(part.startswith(".") for part in path.split("/")):
        return None
    found = (root / path).resolve()
    if not found.is_relative_to(root) or not found.is_file():
        return None
    about = found.stat()
    return found if about.st_size >= STREAMED_FROM_BYTES else _loaded(found, about.st_mtime_ns)


@lru_cache(maxsize=FILES_MAX)
def _loaded(path: Path, changed_ns: int) -> ConsoleFile:
    content = path.read_bytes()
    compressed = gzip.compress(content, 9) if len(content) >= COMPRESSED_FROM_BYTES else b""
    media_type = _media_type(path)
    return ConsoleFile(
        content,
        compressed if len(compressed) < 0.9 * len(content) else b"",
        f"{media_type}; charset=utf-8" if media_type.startswith("text/") else media_type,
        f'"{etag(content, changed_ns)}"',
    )


def _media_type(path: Path) -> str:
    return _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"


def _sent(request: Request, found: ConsoleFile, *, lasting: bool) -> Response:
    headers = {
        "Cache-Control": "public, max-age=31536000, immutable" if lasting else "no-cache",
        "ETag": found.etag,
        "Vary": "Accept-Encoding",
    }
    if request.headers.get("if-none-match") == found.etag:
        return Response(status_code=304, headers=headers)
    content = found.content
    if found.compressed and "gzip" in request.headers.get("accept-encoding", ""):
        content = found.compressed
        headers["Content-Encoding"] = "gzip"
    return Response(content, media_type=found.media_type, headers=headers)
