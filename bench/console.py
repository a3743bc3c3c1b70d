"""console: 20,000 vehicles that all move every second, in headless Chromium, against a page with a GeoJSON source."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from statistics import median
from typing import Any

from playwright.sync_api import CDPSession, Page, sync_playwright

from bench.console_page import Fleet, serving
from bench.results import Result

VEHICLE_COUNT, SEED = 20_000, 20_240_607
SCRIPT_MS_MAX, BYTES_MAX, GROWTH_MB_MAX = 8.0, 20.0, 5.0
WINDOWS = 6
LONG_S, BASELINE_S, WARM_UP_S = 600.0, 20.0, 15.0
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = ("--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist")
EVERY = ("--disable-background-networking", "--js-flags=--expose-gc")
MB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Measured:
    """What a page cost. `script_ms`: per batch in each window, all script of the main thread. `growth_mb`: of the heap
    after a collection, from warm to the end. `handler_ms`: the console's own handler, the median by the clock."""

    script_ms: list[float]
    bytes_a_change: float
    growth_mb: float
    handler_ms: float
    frames: int


def run(*, vehicle_count: int = VEHICLE_COUNT, long_s: float = LONG_S) -> list[Result]:
    """Script a batch, bytes a change, growth of memory."""
    with serving(Fleet(vehicle_count, SEED)) as address:
        console = _measured(f"{address}/", long_s)
        plain = _measured(f"{address}/baseline", min(BASELINE_S, long_s))
    script, baseline = median(console.script_ms), median(plain.script_ms)
    what = f"{vehicle_count:,} changes a batch, {console.frames} batches in {long_s:.0f} s"
    return [
        Result(
            slug="console",
            figure=round(script, 3),
            unit="ms of main-thread script a batch",
            target=f"≤ {SCRIPT_MS_MAX:.0f} ms",
            met=script <= SCRIPT_MS_MAX,
            ratio=round(baseline / script, 2),
            baseline=f"GeoJSON source fed JSON rows: {baseline:.1f} ms",
            note=f"{what}; of it the handler {console.handler_ms:.1f} ms, the rest panels and MapLibre's redraws",
            spread=(round(min(console.script_ms), 3), round(max(console.script_ms), 3)),
        ),
        Result(
            slug="console-bytes",
            figure=round(console.bytes_a_change, 3),
            unit="bytes a change on the wire",
            target=f"≤ {BYTES_MAX:.0f} bytes",
            met=console.bytes_a_change <= BYTES_MAX,
            ratio=round(plain.bytes_a_change / console.bytes_a_change, 2),
            baseline=f"JSON rows: {plain.bytes_a_change:.0f} bytes",
            note="columns of 18 bytes a vehicle and a header of 32",
        ),
        Result(
            slug="console-memory",
            figure=round(console.growth_mb, 3),
            unit="MB grown",
            target=f"≤ {GROWTH_MB_MAX:.0f} MB in 10 min",
            met=console.growth_mb <= GROWTH_MB_MAX,
            note=f"heap after a collection, first {WARM_UP_S:.0f} s left out; {what}",
        ),
    ]


def _measured(url: str, seconds: float) -> Measured:
    path = next(filter(None, map(shutil.which, CHROMIUM)), None)
    assert path, "no Chromium: run `make services`"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*ARGUMENTS, *EVERY])
        try:
            page = browser.new_page(viewport={"width": 1920, "height": 1080})
            page.add_init_script("localStorage.setItem('xiangtong.signed_in', '1')")
            page.goto(url)
            page.wait_for_function("window.xiangtongStatistics?.frames > 2", timeout=60_000)
            page.wait_for_timeout(min(WARM_UP_S, seconds) * 1000)
            return _watched(page, page.context.new_cdp_session(page), seconds)
        finally:
            browser.close()


def _watched(page: Page, devtools: CDPSession, seconds: float) -> Measured:
    devtools.send("Performance.enable", {"timeDomain": "threadTicks"})  # the thread's own time, whoever else computes
    heap_before = _heap_bytes(devtools)
    first = _told(page)
    script_ms = []
    for _ in range(WINDOWS):
        before, frames = _metrics(devtools)["ScriptDuration"], _told(page)["frames"]
        page.wait_for_timeout(seconds / WINDOWS * 1000)
        count = max(1, _told(page)["frames"] - frames)
        script_ms.append((_metrics(devtools)["ScriptDuration"] - before) * 1000 / count)
    last = _told(page)
    return Measured(
        script_ms=script_ms,
        bytes_a_change=(last["bytes"] - first["bytes"]) / max(1, last["changes"] - first["changes"]),
        growth_mb=(_heap_bytes(devtools) - heap_before) / MB,
        handler_ms=last["handler"],
        frames=int(last["frames"] - first["frames"]),
    )


def _told(page: Page) -> dict[str, float]:
    script = """() => {
        const { frames, changes, bytes, scriptMs } = window.xiangtongStatistics;
        const sorted = [...(scriptMs ?? [0])].slice(0, Math.max(1, frames)).sort((a, b) => a - b);
        return { frames, changes, bytes, handler: sorted[sorted.length >> 1] };
    }"""
    found: dict[str, float] = page.evaluate(script)
    return found


def _metrics(devtools: CDPSession) -> dict[str, float]:
    found: dict[str, Any] = devtools.send("Performance.getMetrics")
    return {metric["name"]: metric["value"] for metric in found["metrics"]}


def _heap_bytes(devtools: CDPSession) -> float:
    devtools.send("HeapProfiler.collectGarbage")
    devtools.send("HeapProfiler.collectGarbage")
    return _metrics(devtools)["JSHeapUsedSize"]
