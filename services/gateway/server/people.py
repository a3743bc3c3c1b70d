"""Signing in and out, and the accounts."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Request
from starlette.responses import Response

from common.errors import InvalidInput, NotAuthenticated, Violation
from common.metrics import metrics
from services.gateway.adapters.accounts import StoredAccount
from services.gateway.adapters.passwords import check_password
from services.gateway.convert.bodies import AccountChange, MyChoice, NewAccount, PasswordChange, SignIn
from services.gateway.server.cookies import end_session, session_token, set_session
from services.gateway.server.pages import PageSize, PageToken, cut, place
from services.gateway.server.parts import address_of, answer, noted, parts_of, person_of

NEWEST = 2**62
NO_CONTENT = 204
CREATED = 201


class WrongNameOrPassword(NotAuthenticated):
    """Says neither which of the two nor whether the account is disabled."""

    def __init__(self) -> None:
        super().__init__("the name or the password is wrong")
        self.reason = "WRONG_NAME_OR_PASSWORD"


async def sign_in(request: Request, body: SignIn) -> Response:
    """Open a session. Raises TooMuch after too many wrong attempts."""
    parts, address = parts_of(request), address_of(request)
    try:
        account = await _proven(request, body.name, body.password)
    except Exception as error:
        metrics.sign_ins.labels(getattr(error, "reason", "INTERNAL").lower()).inc()
        raise
    metrics.sign_ins.labels("ok").inc()
    if before := await parts.sessions.find(session_token(request, parts.settings)):
        await parts.sessions.end(before.session)
    async with parts.audit.noted(account.name, address, "sign_in", "session"):
        better = (
            await parts.passwords.hashed(body.password) if parts.passwords.outdated(account.password_hash) else None
        )
        await parts.accounts.note_sign_in(account.account_id, better)
        response = answer(account.me().model_dump())
        set_session(response, await parts.sessions.open(account.account_id, address), parts.settings)
    return response


async def sign_out(request: Request) -> Response:
    """End the session."""
    parts = parts_of(request)
    async with noted(request, "sign_out", "session"):
        await parts.sessions.end(person_of(request).session)
    parts.streams.recheck()
    response = Response(status_code=NO_CONTENT)
    end_session(response, parts.settings)
    return response


async def me(request: Request) -> Response:
    """Who is signed in."""
    return answer(person_of(request).me().model_dump())


async def choose(request: Request, body: MyChoice) -> Response:
    """Choose one's own language."""
    person = person_of(request)
    await parts_of(request).accounts.set_language(person.account_id, body.language)
    return answer(person.me().model_dump() | {"language": body.language})


async def change_password(request: Request, body: PasswordChange) -> Response:
    """Change one's own password. All sessions end; this browser gets a new one."""
    parts, person = parts_of(request), person_of(request)
    async with noted(request, "change_password", "account", person.account_id):
        account = await _proven(request, person.name, body.password)
        check_password(body.new_password, account.name, "new_password")
        if body.new_password == body.password:
            raise InvalidInput(Violation("new_password", "take another one than before"))
        await parts.accounts.set_password(account.account_id, await parts.passwords.hashed(body.new_password))
    parts.streams.recheck()
    response = answer(person.me().model_dump() | {"password_temporary": False})
    set_session(response, await parts.sessions.open(account.account_id, address_of(request)), parts.settings)
    return response


async def list_accounts(request: Request, page_size: PageSize = 100, page_token: PageToken = "") -> Response:
    """Accounts by id."""
    found = await parts_of(request).accounts.list_after(place(page_token, 0), page_size + 1)
    page, token = cut(found, page_size, lambda account: account.account_id)
    return answer({"accounts": [account.shown().model_dump() for account in page], "next_page_token": token})


async def add_account(request: Request, body: NewAccount) -> Response:
    """Let a person sign in, with a password that they are to change."""
    parts, name = parts_of(request), body.name.strip()
    if not name or not name.isprintable():
        raise InvalidInput(Violation("name", "take printable characters"))
    check_password(body.password, name, "password")
    async with noted(request, "add", "account", name=name, role=body.role) as deed:
        password_hash = await parts.passwords.hashed(body.password)
        account = await parts.accounts.add(
            name=name, password_hash=password_hash, role=body.role, language=body.language
        )
        deed.subject_id = str(account.account_id)
    return answer(account.shown().model_dump(), CREATED)


async def change_account(request: Request, account_id: int, body: AccountChange) -> Response:
    """Change role, language, state or password of an account. Its sessions end."""
    parts = parts_of(request)
    detail = body.model_dump(exclude={"password", "etag"}) | {"password": body.password is not None}
    async with noted(request, "change", "account", account_id, **detail):
        password_hash = None
        if body.password is not None:
            check_password(body.password, (await parts.accounts.get(account_id)).name, "password")
            password_hash = await parts.passwords.hashed(body.password)
        account = await parts.accounts.change(account_id, body, password_hash)
    parts.streams.recheck()
    return answer(account.shown().model_dump())


async def remove_account(request: Request, account_id: int) -> Response:
    """Remove an account with its sessions."""
    parts = parts_of(request)
    async with noted(request, "remove", "account", account_id):
        await parts.accounts.remove(account_id)
    parts.streams.recheck()
    return Response(status_code=NO_CONTENT)


async def list_audit(
    request: Request,
    page_size: PageSize = 100,
    page_token: PageToken = "",
    name: Annotated[str, Query(max_length=100)] = "",
) -> Response:
    """What people did, newest first."""
    found = await parts_of(request).audit.list_before(place(page_token, NEWEST), page_size + 1, name)
    page, token = cut(found, page_size, lambda entry: entry["audit_id"])
    return answer({"entries": page, "next_page_token": token})


async def _proven(request: Request, name: str, password: str) -> StoredAccount:
    """The account whose password this is. Raises WrongNameOrPassword, TooMuch."""
    parts, address = parts_of(request), address_of(request)
    await parts.guesses.attempt(name, address)
    account = await parts.accounts.find(name)
    right = await parts.passwords.matches(password, account.password_hash if account else None)
    if account is None or not right or not account.enabled:
        if account is not None:
            async with parts.audit.noted(account.name, address, "sign_in", "session") as _:
                raise WrongNameOrPassword
        raise WrongNameOrPassword
    await parts.guesses.succeeded(name, address)
    return account
