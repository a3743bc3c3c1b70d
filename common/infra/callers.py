"""Who is calling: a bearer token or a client certificate, or nobody in particular on the loopback interface."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from common.errors import NotAuthenticated

_HASH_HEX_LENGTH = 64


@dataclass(frozen=True, slots=True)
class Caller:
    """A program that calls. `name`: of the token or the certificate's common name; `by`: how it was identified."""

    name: str
    by: Literal["token", "certificate", "loopback"]


LOOPBACK_CALLER = Caller("local", "loopback")

_caller: ContextVar[Caller] = ContextVar("caller")


class Callers:
    """Tells callers apart. `names_by_hash`: SHA-256 in hex of each token, to its owner's name."""

    def __init__(self, names_by_hash: Mapping[str, str], *, anonymous: Caller | None) -> None:
        self._names_by_hash = dict(names_by_hash)
        self._anonymous = anonymous

    def identified(self, *, authorization: str | None, common_names: Sequence[bytes]) -> Caller:
        """The caller behind an `authorization` header or a verified certificate. Raises NotAuthenticated."""
        if authorization is not None:
            return Caller(self._token_owner(authorization), "token")
        if common_names:
            return Caller(common_names[0].decode("utf-8", "replace"), "certificate")
        if self._anonymous is not None:
            return self._anonymous
        raise NotAuthenticated

    def _token_owner(self, authorization: str) -> str:
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise NotAuthenticated("send the header `authorization: Bearer <token>`")
        found = token_hash(token)
        owner = None
        for known, name in self._names_by_hash.items():
            if hmac.compare_digest(known, found):
                owner = name
        if owner is None:
            raise NotAuthenticated("the token is not known here")
        return owner


def caller() -> Caller:
    """Who makes the call that is being answered."""
    return _caller.get(LOOPBACK_CALLER)


def set_caller(found: Caller) -> None:
    """What follows in this task is done for `found`."""
    _caller.set(found)


def token_hash(token: str) -> str:
    """How a token is kept: SHA-256 in hex. Tokens are long random strings, so a slow hash would add nothing."""
    return hashlib.sha256(token.encode()).hexdigest()


def read_token_hashes(path: Path) -> dict[str, str]:
    """Names by hash from lines of `name hash`; `#` begins a comment. Raises ValueError naming a bad line."""
    names: dict[str, str] = {}
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        if len(words) != 2 or not _is_hash(words[1].lower()):
            raise ValueError(f"{path.name} line {number}: expected a name and the SHA-256 of its token in hex")
        names[words[1].lower()] = words[0]
    return names


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server bound to `host`."""
    if host == "localhost" or host.startswith("unix:"):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _is_hash(text: str) -> bool:
    return len(text) == _HASH_HEX_LENGTH and all(digit in "0123456789abcdef" for digit in text)
