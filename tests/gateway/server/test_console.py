"""The console's files: what is served, how long it is kept, and what never leaves the folder."""

from __future__ import annotations

import asyncio
import gzip
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from services.gateway.server import console
from services.gateway.server.console import console_file, find_file
from services.gateway.settings import GatewaySettings

SCRIPT = "console.log('湘通');" * 200


@pytest.fixture
def built(tmp_path: Path) -> Path:
    folder = tmp_path / "dist"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html>")
    (folder / "assets" / "index-B1zJ3k9Q.js").write_text(SCRIPT)
    (folder / "map.geojson").write_text("{}")
    (folder / ".sources").write_text("secret")
    (tmp_path / "outside.txt").write_text("secret")
    return folder


async def get(folder: Path, path: str, **headers: str) -> Response:
    """The answer to GET /path."""
    app = SimpleNamespace(
        state=SimpleNamespace(parts=SimpleNamespace(settings=GatewaySettings(gateway_console=folder)))
    )
    fields = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope: dict[str, Any] = {"type": "http", "method": "GET", "path": f"/{path}", "headers": fields, "app": app}
    return await console_file(Request(scope), path)


async def test_every_address_without_a_file_is_the_index_page_and_is_asked_for_anew(built: Path) -> None:
    for path in ("", "index.html", "vehicles/7"):
        response = await get(built, path)
        assert response.body == b"<!doctype html>" and response.headers["cache-control"] == "no-cache"
        assert response.headers["content-type"] == "text/html; charset=utf-8"


async def test_a_file_with_a_digest_in_its_name_is_kept_for_good(built: Path) -> None:
    response = await get(built, "assets/index-B1zJ3k9Q.js")
    assert "immutable" in response.headers["cache-control"]
    assert response.headers["content-type"] == "text/javascript; charset=utf-8"
    assert (await get(built, "map.geojson")).headers["cache-control"] == "no-cache"


async def test_a_large_file_comes_compressed_to_who_understands(built: Path) -> None:
    response = await get(built, "assets/index-B1zJ3k9Q.js", accept_encoding="br, gzip")
    assert response.headers["content-encoding"] == "gzip"
    assert gzip.decompress(bytes(response.body)).decode() == SCRIPT


async def test_what_has_not_changed_is_not_sent_again(built: Path) -> None:
    etag = (await get(built, "map.geojson")).headers["etag"]
    assert (await get(built, "map.geojson", if_none_match=etag)).status_code == 304
    (built / "map.geojson").write_text('{"type": "FeatureCollection"}')
    assert (await get(built, "map.geojson", if_none_match=etag)).status_code == 200


@pytest.mark.parametrize("path", ["assets/gone.js", "api/nothing", "api"])
async def test_a_file_that_is_not_there_is_not_the_index_page(built: Path, path: str) -> None:
    with pytest.raises(HTTPException):
        await get(built, path)


@pytest.mark.parametrize("path", ["../outside.txt", "assets/../../outside.txt", ".sources", "assets\0", "//etc/passwd"])
def test_nothing_outside_of_the_folder_and_nothing_hidden_is_served(built: Path, path: str) -> None:
    assert find_file(built, path) is None


async def test_a_large_file_is_read_in_ranges(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "STREAMED_FROM_BYTES", 100)
    (built / "hunan.pmtiles").write_bytes(bytes(range(200)))
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        await asyncio.sleep(60)

    response = await get(built, "hunan.pmtiles")
    scope = {"type": "http", "method": "GET", "headers": [(b"range", b"bytes=10-19")]}
    await response(scope, receive, send)
    assert sent[0]["status"] == 206 and b"".join(part.get("body", b"") for part in sent[1:]) == bytes(range(10, 20))


async def test_a_console_that_is_not_built_says_what_to_do(tmp_path: Path) -> None:
    response = await get(tmp_path / "nowhere", "")
    assert response.status_code == 503 and b"make web" in response.body
