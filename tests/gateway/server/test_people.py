"""Signing in and out, sessions, passwords and accounts, over HTTP on real PostgreSQL and Redis."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from common.metrics import metrics
from tests.gateway.gateway_serving import PASSWORD, Gateway, reason, running_gateway

pytestmark = [pytest.mark.enable_socket, pytest.mark.services("postgres", "redis")]

OTHER = "another-good-password"


@pytest_asyncio.fixture
async def gateway(postgres_url: str, redis_url: str) -> AsyncIterator[Gateway]:
    async with running_gateway(postgres_url, redis_url) as running:
        yield running


async def test_who_signs_in_is_known_until_they_sign_out(gateway: Gateway) -> None:
    client = await gateway.signed_in("operator")
    me = {"name": "operator-1", "role": "operator", "language": "zh", "password_temporary": True}
    assert (await client.get("/api/me")).json() == me
    assert (await client.post("/api/sign-out")).status_code == 204
    assert reason(await client.get("/api/me")) == (401, "NOT_AUTHENTICATED")


async def test_the_cookie_is_out_of_reach_of_scripts_and_of_other_sites(gateway: Gateway) -> None:
    await gateway.add_account("li", "operator")
    client = await gateway.browser()
    response = await client.post("/api/sign-in", json={"name": "LI", "password": PASSWORD})
    cookie = response.headers["set-cookie"]
    assert cookie.startswith("xiangtong_session=") and "HttpOnly" in cookie and "SameSite=strict" in cookie
    assert "Secure" not in cookie


async def test_only_the_hash_of_a_session_is_stored(gateway: Gateway) -> None:
    client = await gateway.signed_in("operator")
    with gateway.api.pool.connection() as connection:
        stored = connection.execute("SELECT * FROM sessions").fetchall()
    assert len(stored) == 1 and client.cookies["xiangtong_session"] not in str(stored)


async def test_an_ended_session_cannot_be_used_again(gateway: Gateway) -> None:
    client = await gateway.signed_in("operator")
    stolen = await gateway.browser(Cookie=f"xiangtong_session={client.cookies['xiangtong_session']}")
    assert (await stolen.get("/api/me")).status_code == 200
    await client.post("/api/sign-out")
    assert reason(await stolen.get("/api/me")) == (401, "NOT_AUTHENTICATED")


@pytest.mark.parametrize("name", ["li", "nobody"])
async def test_a_wrong_password_and_a_wrong_name_are_refused_alike(gateway: Gateway, name: str) -> None:
    await gateway.add_account("li", "operator")
    client = await gateway.browser()
    response = await client.post("/api/sign-in", json={"name": name, "password": "wrong"})
    assert reason(response) == (401, "WRONG_NAME_OR_PASSWORD")
    assert response.json()["message"] == "the name or the password is wrong"


async def test_a_disabled_account_is_out_at_once_and_cannot_come_back(gateway: Gateway) -> None:
    admin, client = await gateway.signed_in("admin"), await gateway.signed_in("operator")
    account = next(a for a in (await admin.get("/api/accounts")).json()["accounts"] if a["role"] == "operator")
    body = {"role": "operator", "language": "zh", "enabled": False, "etag": account["etag"]}
    changed = await admin.put(f"/api/accounts/{account['account_id']}", json=body)
    assert changed.status_code == 200 and not changed.json()["enabled"]
    assert reason(await client.get("/api/me")) == (401, "NOT_AUTHENTICATED")
    again = await client.post("/api/sign-in", json={"name": "operator-1", "password": PASSWORD})
    assert reason(again) == (401, "WRONG_NAME_OR_PASSWORD")


async def test_after_five_wrong_passwords_an_account_waits_also_with_the_right_one(gateway: Gateway) -> None:
    await gateway.add_account("wang", "operator")
    client = await gateway.browser()
    before = metrics.sign_ins.labels("too_many_attempts")._value.get()
    for _ in range(5):
        wrong = await client.post("/api/sign-in", json={"name": "wang", "password": "wrong"})
        assert reason(wrong) == (401, "WRONG_NAME_OR_PASSWORD")
    response = await client.post("/api/sign-in", json={"name": "wang", "password": PASSWORD})
    assert reason(response) == (429, "TOO_MANY_ATTEMPTS")
    assert 0 < response.json()["retry_after_ms"] <= 1000 and response.headers["retry-after"] == "1"
    assert metrics.sign_ins.labels("too_many_attempts")._value.get() == before + 1


async def test_a_changed_password_ends_every_other_session(gateway: Gateway) -> None:
    client, elsewhere = await gateway.signed_in("auditor"), await gateway.signed_in("auditor")
    changed = await client.post("/api/password", json={"password": PASSWORD, "new_password": OTHER})
    assert changed.json()["password_temporary"] is False
    assert (await client.get("/api/me")).json()["password_temporary"] is False
    assert reason(await elsewhere.get("/api/me")) == (401, "NOT_AUTHENTICATED")
    assert reason(await elsewhere.post("/api/sign-in", json={"name": "auditor-1", "password": PASSWORD})) == (
        401,
        "WRONG_NAME_OR_PASSWORD",
    )


@pytest.mark.parametrize("password", ["short", "aaaaaaaaaaaaaaa", "my-operator-1-pass", PASSWORD])
async def test_a_password_that_is_easy_to_guess_is_refused_with_the_reason(gateway: Gateway, password: str) -> None:
    client = await gateway.signed_in("operator")
    response = await client.post("/api/password", json={"password": PASSWORD, "new_password": password})
    assert reason(response) == (400, "INVALID_INPUT") and "new_password" in response.json()["fields"]


async def test_who_holds_a_session_but_not_the_password_cannot_change_it(gateway: Gateway) -> None:
    client = await gateway.signed_in("operator")
    response = await client.post("/api/password", json={"password": "wrong", "new_password": OTHER})
    assert reason(response) == (401, "WRONG_NAME_OR_PASSWORD")


async def test_people_choose_their_language(gateway: Gateway) -> None:
    client = await gateway.signed_in("operator")
    assert (await client.put("/api/me", json={"language": "en"})).json()["language"] == "en"
    assert (await client.get("/api/me")).json()["language"] == "en"


async def test_an_admin_adds_a_person_who_then_signs_in(gateway: Gateway) -> None:
    admin = await gateway.signed_in("admin")
    body = {"name": "zhao", "password": OTHER, "role": "auditor"}
    added = await admin.post("/api/accounts", json=body)
    assert added.status_code == 201 and added.json()["password_temporary"] is True
    assert reason(await admin.post("/api/accounts", json=body | {"name": "ZHAO"})) == (409, "NAME_TAKEN")
    client = await gateway.browser()
    assert (await client.post("/api/sign-in", json={"name": "zhao", "password": OTHER})).json()["role"] == "auditor"


async def test_accounts_come_in_pages(gateway: Gateway) -> None:
    admin = await gateway.signed_in("admin")
    for name in ("a-1", "a-2"):
        await gateway.add_account(name, "operator")
    first = (await admin.get("/api/accounts?page_size=2")).json()
    rest = (await admin.get("/api/accounts", params={"page_token": first["next_page_token"]})).json()
    assert [a["name"] for a in first["accounts"] + rest["accounts"]] == ["admin-1", "a-1", "a-2"]
    assert rest["next_page_token"] == ""
    assert reason(await admin.get("/api/accounts?page_token=junk")) == (400, "INVALID_INPUT")


async def test_an_edit_of_an_older_version_is_refused(gateway: Gateway) -> None:
    admin = await gateway.signed_in("admin")
    account_id = await gateway.add_account("sun", "operator")
    body = {"role": "auditor", "language": "en", "enabled": True, "etag": "7"}
    assert reason(await admin.put(f"/api/accounts/{account_id}", json=body)) == (412, "STALE_ETAG")
    assert reason(await admin.put("/api/accounts/999999999", json=body)) == (404, "ACCOUNT_NOT_FOUND")


async def test_a_password_set_by_an_admin_is_temporary_and_ends_sessions(gateway: Gateway) -> None:
    admin, client = await gateway.signed_in("admin"), await gateway.signed_in("operator")
    account = (await admin.get("/api/accounts")).json()["accounts"][1]
    body = {"role": "operator", "language": "zh", "enabled": True, "etag": account["etag"], "password": OTHER}
    changed = (await admin.put(f"/api/accounts/{account['account_id']}", json=body)).json()
    assert changed["password_temporary"] is True
    assert reason(await client.get("/api/me")) == (401, "NOT_AUTHENTICATED")
    assert (await client.post("/api/sign-in", json={"name": "operator-1", "password": OTHER})).status_code == 200


async def test_the_last_admin_stays(gateway: Gateway) -> None:
    admin = await gateway.signed_in("admin")
    account = (await admin.get("/api/accounts")).json()["accounts"][0]
    path = f"/api/accounts/{account['account_id']}"
    assert reason(await admin.delete(path)) == (409, "LAST_ADMIN")
    body = {"role": "operator", "language": "zh", "enabled": True, "etag": account["etag"]}
    assert reason(await admin.put(path, json=body)) == (409, "LAST_ADMIN")
    second = await gateway.add_account("second", "admin")
    assert (await admin.delete(f"/api/accounts/{second}")).status_code == 204
    assert reason(await admin.delete(f"/api/accounts/{second}")) == (404, "ACCOUNT_NOT_FOUND")


async def test_what_people_do_is_noted_with_how_it_ended(gateway: Gateway) -> None:
    admin, auditor = await gateway.signed_in("admin"), await gateway.signed_in("auditor")
    await admin.post("/api/accounts", json={"name": "qian", "password": OTHER, "role": "operator"})
    await admin.post("/api/accounts", json={"name": "qian", "password": OTHER, "role": "operator"})
    page = (await auditor.get("/api/audit?name=admin-1&page_size=2")).json()
    told = [(e["action"], e["subject"], e["detail"].get("name"), e["outcome"]) for e in page["entries"]]
    assert told == [("add", "account", "qian", "NAME_TAKEN"), ("add", "account", "qian", "DONE")]
    assert OTHER not in str(page) and page["entries"][0]["address"] == "127.0.0.1"
    rest = (await auditor.get("/api/audit", params={"name": "admin-1", "page_token": page["next_page_token"]})).json()
    assert [entry["action"] for entry in rest["entries"]] == ["sign_in"]
