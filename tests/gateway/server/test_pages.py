"""Pages of our own tables, cookies, and the map's tiles."""

from __future__ import annotations

import pytest
from starlette.responses import Response

from common.errors import InvalidInput
from services.gateway.server.cookies import cookie_name, end_session, set_session
from services.gateway.server.map_config import tile_urls
from services.gateway.server.pages import cut, place
from services.gateway.settings import GatewaySettings

HTTPS = GatewaySettings(gateway_https_outside=True)


def test_a_page_has_a_token_only_while_more_follows() -> None:
    assert cut([1, 2, 3], 2, int) == ([1, 2], "2")
    assert cut([1, 2], 2, int) == ([1, 2], "")
    assert cut([], 2, int) == ([], "")


@pytest.mark.parametrize("token", ["x", "-1", "１", "9" * 30])
def test_a_token_that_is_not_ours_is_refused(token: str) -> None:
    with pytest.raises(InvalidInput):
        place(token, 0)


def test_over_https_the_cookie_is_bound_to_this_host() -> None:
    response = Response()
    set_session(response, "t", HTTPS)
    cookie = response.headers["set-cookie"]
    assert cookie.startswith("__Host-xiangtong_session=t;") and "Secure" in cookie and "Path=/" in cookie
    assert "Domain" not in cookie
    end_session(response, HTTPS)
    assert cookie_name(HTTPS).startswith("__Host-") and "Max-Age=0" in response.headers.getlist("set-cookie")[1]


def test_each_subdomain_has_a_template() -> None:
    settings = GatewaySettings(map_kind="xyz", map_url="https://{s}.example/{z}/{x}/{y}", map_subdomains="a, b")
    assert tile_urls(settings) == ["https://a.example/{z}/{x}/{y}", "https://b.example/{z}/{x}/{y}"]
    assert tile_urls(GatewaySettings(map_kind="xyz", map_url="/{z}/{x}/{y}.png")) == ["/{z}/{x}/{y}.png"]
