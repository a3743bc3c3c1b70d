"""The cookie that holds a session's id."""

from __future__ import annotations

from starlette.requests import HTTPConnection
from starlette.responses import Response

from services.gateway.settings import GatewaySettings

NAME = "xiangtong_session"


def cookie_name(settings: GatewaySettings) -> str:
    """Its name; over HTTPS browsers then hold that no other host or path can set it."""
    return f"__Host-{NAME}" if settings.https else NAME


def session_token(connection: HTTPConnection, settings: GatewaySettings) -> str:
    """What the browser sent; empty for nothing."""
    return connection.cookies.get(cookie_name(settings), "")


def set_session(response: Response, token: str, settings: GatewaySettings) -> None:
    """Let the browser keep the session's id."""
    response.set_cookie(
        cookie_name(settings),
        token,
        max_age=settings.session_age_s,
        path="/",
        secure=settings.https,
        httponly=True,
        samesite="strict",
    )


def end_session(response: Response, settings: GatewaySettings) -> None:
    """Let the browser forget it."""
    response.delete_cookie(cookie_name(settings), path="/", secure=settings.https, httponly=True, samesite="strict")
