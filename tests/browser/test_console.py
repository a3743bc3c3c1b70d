"""The console in a real browser, against every real role and a fleet that speaks JT/T 808."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import PHONE, Opened, axe_source, sign_in
from tests.browser.stack import Platform

pytestmark = [
    pytest.mark.enable_socket,
    pytest.mark.slow,
    pytest.mark.timeout(420),
    pytest.mark.services("postgres", "redis", "chromium"),
]
OPERATOR_FIRST_PASSWORD = "first-pass-word-1"
OPERATOR_PASSWORD = "second-pass-word-2"


def test_a_wrong_password_is_refused_with_what_to_do(opened: Opened) -> None:
    page = opened(expected=("401",))
    sign_in(page, "admin", "not the password")
    expect(page.get_by_role("alert")).to_contain_text("账号或密码不对")


def test_vehicles_are_seen_and_move(signed_in: Opened) -> None:
    page = signed_in()
    page.get_by_role("button", name=re.compile("^行驶")).first.click()
    _vehicles(page).first.click()
    card = page.locator("article.card")
    expect(card).to_contain_text("已定位")
    before = _coordinates(card)
    assert _becomes(page, lambda: _coordinates(card) != before, seconds=60)
    canvas = page.locator("canvas.maplibregl-canvas")
    sight = canvas.screenshot()
    assert _becomes(page, lambda: canvas.screenshot() != sight, seconds=30)


def test_the_list_is_searched_by_plate_and_filtered_by_kind(signed_in: Opened) -> None:
    page = signed_in()
    first = _vehicles(page).first.locator(".plate")
    plate = first.inner_text().replace("·", "")
    page.get_by_label("按车牌查找").fill(plate)
    expect(_vehicles(page)).to_have_count(1)
    page.get_by_role("button", name="清除筛选").first.click()
    page.get_by_text("类型 / 市州").click()
    page.get_by_role("group", name="类型").get_by_role("button", name="出租车").click()
    expect(_vehicles(page).first).to_contain_text("出租车")
    expect(_vehicles(page).filter(has_text="班线客车")).to_have_count(0)


def test_a_drawn_fence_raises_an_alarm_that_is_acknowledged(signed_in: Opened) -> None:
    page = signed_in()
    page.get_by_role("tab", name="围栏").click()
    page.get_by_role("button", name="新建围栏：多边形").click()
    for x, y in ((620, 120), (1300, 120), (1300, 900), (620, 900)):  # most of the province
        page.mouse.click(x, y)
        page.wait_for_timeout(350)
    page.keyboard.press("Enter")
    page.get_by_label("名称").fill("浏览器画的围栏")
    page.get_by_role("button", name="高", exact=True).first.click()
    page.get_by_role("button", name="保存").click()
    expect(page.get_by_text("围栏已保存")).to_be_visible()
    expect(page.get_by_role("button", name="编辑 浏览器画的围栏")).to_be_visible()

    alarm = page.locator("li.alarm", has_text="围栏「浏览器画的围栏」").first
    alarm.wait_for(timeout=60_000)
    alarm_id = alarm.get_attribute("id")
    alarm.locator(".head").click()
    opened = page.locator(f"[id='{alarm_id}']")
    opened.get_by_label("处理意见").fill("已核实，正常运输")
    opened.get_by_role("button", name="确认").click()
    expect(page.get_by_text("报警已确认")).to_be_visible()
    expect(opened).to_have_count(0)
    page.get_by_role("tab", name="历史").click()
    page.get_by_label("处理状态").select_option("acknowledged")
    done = page.locator("li.alarm", has_text="已确认").first
    done.locator(".head").click()
    expect(done).to_contain_text("已核实，正常运输")
    _delete_fence(page, "浏览器画的围栏")


def test_circles_and_corridors_are_drawn_and_edited(signed_in: Opened) -> None:
    page = signed_in()
    page.get_by_role("tab", name="围栏").click()
    page.get_by_role("button", name="新建围栏：圆形").click()
    page.mouse.click(900, 500)
    page.wait_for_timeout(350)
    page.mouse.click(960, 500)
    page.get_by_label("名称").fill("圆")
    page.get_by_label("半径（米）").fill("4321")
    page.get_by_role("button", name="保存").click()
    page.get_by_role("button", name="编辑 圆").click()
    expect(page.get_by_label("半径（米）")).to_have_value("4321")
    page.get_by_role("button", name="关闭", exact=True).first.click()
    page.get_by_role("button", name="全省").click()
    page.wait_for_timeout(900)
    page.get_by_role("button", name="新建围栏：线路").click()
    for x, y in ((800, 400), (900, 420), (1000, 400)):
        page.mouse.click(x, y)
        page.wait_for_timeout(350)
    page.get_by_role("button", name="完成绘制").click()
    page.get_by_label("名称").fill("线")
    page.get_by_role("button", name="保存").click()
    _delete_fence(page, "线")
    _delete_fence(page, "圆")


def test_a_track_is_loaded_and_played(signed_in: Opened) -> None:
    page = signed_in()
    page.get_by_role("button", name=re.compile("^行驶")).first.click()
    _vehicles(page).first.click()
    page.get_by_role("button", name="查看轨迹").click()
    dock = page.get_by_label("轨迹回放")
    expect(dock).to_contain_text("定位点")
    slider = dock.get_by_label("回放进度")
    before = float(slider.input_value())
    dock.get_by_role("button", name="播放").click()
    assert _becomes(page, lambda: float(slider.input_value()) > before, seconds=10)
    expect(page.locator(".track-arrow")).to_be_visible()


def test_a_gateway_that_dies_is_reconnected_without_signing_in_again(signed_in: Opened, platform: Platform) -> None:
    page = signed_in(expected=("WebSocket", "ERR_CONNECTION", "503", "502", "500"))
    expect(page.get_by_text("实时")).to_be_visible()
    platform.stack.kill("gateway")
    expect(page.get_by_text("与服务器的连接已断开").first).to_be_visible()
    platform.stack.start("gateway")
    expect(page.get_by_text("实时")).to_be_visible(timeout=60_000)
    expect(page.get_by_text("与服务器的连接已断开")).to_have_count(0)
    expect(_vehicles(page).first).to_be_visible()


def test_an_admin_makes_an_account_whose_owner_chooses_a_password(signed_in: Opened, opened: Opened) -> None:
    page = signed_in()
    page.get_by_role("button", name=re.compile("^账号菜单")).click()
    page.get_by_role("menuitem", name="账号管理").click()
    page.get_by_role("button", name="新建账号").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("账号", exact=True).fill("zhiban")
    dialog.get_by_label(re.compile("初始密码")).fill(OPERATOR_FIRST_PASSWORD)
    dialog.get_by_role("button", name="保存").click()
    expect(dialog.get_by_role("row", name=re.compile("zhiban"))).to_contain_text("值班员")

    page.close()
    own = opened()
    sign_in(own, "zhiban", OPERATOR_FIRST_PASSWORD)
    form = own.get_by_role("dialog")
    expect(form).to_contain_text("初始密码")
    form.get_by_label("当前密码").fill(OPERATOR_FIRST_PASSWORD)
    form.get_by_label(re.compile("^新密码")).fill(OPERATOR_PASSWORD)
    form.get_by_label("再输一次新密码").fill(OPERATOR_PASSWORD)
    form.get_by_role("button", name="保存").click()
    expect(own.get_by_text("密码已修改")).to_be_visible()
    own.get_by_role("button", name=re.compile("^账号菜单")).click()
    expect(own.get_by_role("menuitem", name="账号管理")).to_have_count(0)
    own.get_by_role("menuitem", name="退出登录").click()
    sign_in(own, "zhiban", OPERATOR_PASSWORD)
    expect(own.get_by_text("实时")).to_be_visible()


def test_the_language_is_switched_and_kept(signed_in: Opened) -> None:
    page = signed_in()
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("tab", name="Vehicles")).to_be_visible()
    page.reload()
    expect(page.get_by_role("tab", name="Vehicles")).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="中文").click()
    expect(page.get_by_role("tab", name="车辆")).to_be_visible()


def test_it_works_on_a_phone(signed_in: Opened) -> None:
    page = signed_in(PHONE, touch=True)
    tabs = page.locator("nav.phone-tabs")
    tabs.get_by_role("button", name="车辆").tap()
    _vehicles(page).first.tap()
    expect(page.locator("article.card")).to_be_visible()
    tabs.get_by_role("button", name=re.compile("报警")).tap()
    expect(page.get_by_role("tab", name=re.compile("待处理"))).to_be_visible()
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= PHONE["width"]


@pytest.mark.parametrize("place", ["sign-in", "console", "card", "fence form", "accounts"])
def test_nothing_is_without_a_name_or_unreadable(opened: Opened, platform: Platform, place: str) -> None:
    page = opened()
    if place != "sign-in":
        sign_in(page, "admin", platform.password)
        page.get_by_role("dialog").wait_for()
        page.keyboard.press("Escape")
        _vehicles(page).first.wait_for()
    if place == "card":
        _vehicles(page).first.click()
        expect(page.locator("article.card")).to_contain_text("状态位")
    if place == "fence form":
        page.get_by_role("tab", name="围栏").click()
        page.get_by_role("button", name=re.compile("^编辑 ")).first.click()
    if place == "accounts":
        page.get_by_role("button", name=re.compile("^账号菜单")).click()
        page.get_by_role("menuitem", name="账号管理").click()
    page.wait_for_timeout(400)
    assert _violations(page) == []


def test_the_keyboard_reaches_and_works_the_list(signed_in: Opened) -> None:
    page = signed_in()
    _vehicles(page).first.wait_for()
    page.get_by_role("listbox").focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator("[role=option][aria-selected=true]")).to_have_count(1)
    expect(page.locator("article.card")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("article.card")).to_have_count(0)


def _vehicles(page: Page) -> Locator:
    return page.get_by_role("listbox", name="车辆").get_by_role("option")


def _violations(page: Page) -> list[str]:
    page.evaluate(axe_source())
    found: dict[str, Any] = page.evaluate(
        "axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'], resultTypes: ['violations']})"
    )
    return [
        f"{violation['id']}: {node['target']} {node['failureSummary']}"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]


def _delete_fence(page: Page, name: str) -> None:
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name=f"编辑 {name}").click()
    page.get_by_role("button", name="删除", exact=True).click()
    expect(page.get_by_role("button", name=f"编辑 {name}")).to_have_count(0)


def _coordinates(card: Locator) -> str:
    return card.locator("dt:has-text('经纬度') + dd").inner_text()


def _becomes(page: Page, holds: Any, *, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if holds():
            return True
        page.wait_for_timeout(250)
    return False
