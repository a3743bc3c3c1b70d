"""Imports and exports on the command line, against the running api."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from services.vehicle_tracking import commands_fences, commands_register
from tests.vehicle_tracking.server.api_serving import running_api

pytestmark = [pytest.mark.enable_socket, pytest.mark.services("postgres", "redis")]
ROOT = Path(__file__).resolve().parents[2]
REGISTER = "车牌号,车牌颜色,车辆类型,地区,终端手机号\n湘A70001,黄,出租车,长沙,013900000021\n坏,黄,出租车,长沙,\n"
FENCES = """{"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {"name": "甲", "radius_m": 9},
"geometry": {"type": "Point", "coordinates": [112.9, 28.2]}}, {"type": "Feature", "properties": {"name": "乙"},
"geometry": {"type": "Point", "coordinates": [112.9, 28.2]}}]}"""


async def run(module: object, *arguments: str | Path) -> tuple[int, str]:
    program = f"from {module.__name__} import app; app()"  # type: ignore[attr-defined]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, *map(str, arguments),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, cwd=ROOT,
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'gen'}", "COLUMNS": "200", "LANG": "C.UTF-8"},
    )  # fmt: skip
    out, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode()


async def test_files_go_in_and_come_out(postgres_url: str, redis_url: str, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text(REGISTER, "gb18030")
    (tmp_path / "in.geojson").write_text(FENCES, "utf-8")
    async with running_api(postgres_url, redis_url) as api:
        code, out = await run(commands_register, "import", tmp_path / "in.csv", "--api", api.address)
        assert (code, "1 new" in out, "row 3, plate:" in out) == (1, True, True), out
        assert "3,plate," in (tmp_path / "in.csv.errors.csv").read_text("utf-8-sig")
        code, out = await run(commands_register, "export", tmp_path / "out.csv", "--api", api.address)
        assert code == 0, out
        assert "湘A70001,yellow,taxi,,430100,0,13900000021," in (tmp_path / "out.csv").read_text("utf-8-sig")
        fences = (tmp_path / "in.geojson", "--datum", "GCJ02", "--api", api.address)
        code, out = await run(commands_fences, "import", *fences)
        assert (code, "feature 2: circle.radius_m" in out) == (1, True), out
        code, out = await run(commands_fences, "export", tmp_path / "out.kml", "--datum", "WGS84", "--api", api.address)
        assert code == 0, out
        assert "<name>甲</name>" in (tmp_path / "out.kml").read_text("utf-8")


async def test_an_api_that_is_away_is_an_error_that_says_so(tmp_path: Path) -> None:
    code, out = await run(commands_register, "export", tmp_path / "out.csv", "--api", "127.0.0.1:1")
    assert (code, "127.0.0.1:1 refused: UNAVAILABLE" in out) == (1, True), out
