"""A running platform, and pages of a browser that may reach nothing else and may log no error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, expect, sync_playwright

from tests.browser.stack import Platform, running_platform

ARGUMENTS = (
    "--no-sandbox",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--ignore-gpu-blocklist",
    "--disable-background-networking",
)
VEHICLES = 60
DESKTOP = ViewportSize(width=1920, height=1080)
PHONE = ViewportSize(width=390, height=844)
ANSWER_MS_MAX = 60_000.0  # a machine that runs every role beside a browser with a software WebGL may be slow
Opened = Callable[..., Page]
expect.set_options(timeout=ANSWER_MS_MAX / 2)


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory, postgres_url: str, redis_url: str) -> Iterator[Platform]:
    """Every role and a small fleet, on the servers of the tests."""
    servers = {"XIANGTONG_POSTGRES": postgres_url, "XIANGTONG_REDIS": redis_url}
    with running_platform(tmp_path_factory.mktemp("platform"), servers, vehicle_count=VEHICLES) as running:
        yield running


@pytest.fixture(scope="module")
def browser(chromium_path: str) -> Iterator[Browser]:
    """Debian's Chromium with a software WebGL."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path, args=list(ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture
def opened(platform: Platform, browser: Browser) -> Iterator[Opened]:
    """Opens the sign-in page. At the end: no error in the log, and no request left this machine's own gateway."""
    contexts: list[BrowserContext] = []
    problems: list[str] = []

    def open_page(viewport: ViewportSize = DESKTOP, *, touch: bool = False, expected: tuple[str, ...] = ()) -> Page:
        context = browser.new_context(viewport=viewport, locale="zh-CN", has_touch=touch, is_mobile=touch)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(ANSWER_MS_MAX)
        _watch(page, platform.url, problems, expected)
        page.goto(platform.url)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert problems == []


@pytest.fixture
def signed_in(opened: Opened, platform: Platform) -> Opened:
    """Opens the console as admin."""

    def open_page(viewport: ViewportSize = DESKTOP, *, touch: bool = False, expected: tuple[str, ...] = ()) -> Page:
        page = opened(viewport, touch=touch, expected=expected)
        sign_in(page, "admin", platform.password)
        page.get_by_role("dialog").wait_for()  # the first password is still in use, and the console says so
        page.keyboard.press("Escape")
        return page

    return open_page


def sign_in(page: Page, name: str, password: str) -> None:
    """Fill in the form and send it."""
    page.get_by_label("账号", exact=True).fill(name)
    page.get_by_label("密码", exact=True).fill(password)
    page.get_by_role("button", name="登录").click()


def axe_source() -> str:
    """The accessibility checker, from the console's development packages."""
    root = Path(__file__).resolve().parents[2]
    return (root / "web" / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


def _watch(page: Page, url: str, problems: list[str], expected: tuple[str, ...]) -> None:
    def noted(problem: str) -> None:
        if not any(part in problem for part in expected):
            problems.append(problem)

    page.on("pageerror", lambda error: noted(f"page: {error}"))
    page.on("console", lambda message: noted(f"console: {message.text}") if message.type == "error" else None)
    own = (url, url.replace("http", "ws"), "data:", f"blob:{url}")
    page.on("request", lambda request: None if request.url.startswith(own) else noted(f"outside: {request.url}"))
