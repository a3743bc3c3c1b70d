"""Pages: sizes within bounds, and tokens that say where the next page begins."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Any, TypeVar

from google.protobuf.message import Message

from common.errors import InvalidInput, Violation

SIZE_DEFAULT = 100
SIZE_MAX = 1000
_HASH_BYTES = 8

Row = TypeVar("Row")


def page_size(given: int, *, default: int = SIZE_DEFAULT, most: int = SIZE_MAX) -> int:
    """Rows a page: 0 means `default`, more than `most` counts as `most`. Raises InvalidInput when negative."""
    if given < 0:
        raise InvalidInput(Violation("page_size", f"give 1 to {most}, or 0 for {default}"))
    return min(given or default, most)


def place(request: Any, first: Callable[[str], Row]) -> Row:
    """Where the page of `request` begins, read by `first` from the text that its token holds ("" for page one)."""
    try:
        return first(_text(request))
    except (ValueError, binascii.Error) as error:
        raise InvalidInput(
            Violation("page_token", "send the token of the page before with the same filters, or none")
        ) from error


def id_after(text: str) -> int:
    """The id that a page begins after; 0 for page one."""
    return int(text or 0)


def cut(rows: Sequence[Row], size: int, request: Message, key: Callable[[Row], object]) -> tuple[Sequence[Row], str]:
    """The page among `size` + 1 rows that were looked up, and the token of the next; empty at the end."""
    if len(rows) <= size:
        return rows, ""
    return rows[:size], token(request, str(key(rows[size - 1])))


def token(request: Message, text: str) -> str:
    """The token of the page that begins after `text`, good for the filters of `request` only."""
    return base64.urlsafe_b64encode(_filters_hash(request) + text.encode()).decode()


def _text(request: Any) -> str:
    if not request.page_token:
        return ""
    raw = base64.b64decode(request.page_token.encode("ascii"), altchars=b"-_", validate=True)
    if raw[:_HASH_BYTES] != _filters_hash(request):
        raise ValueError("the token belongs to other filters")
    return raw[_HASH_BYTES:].decode()


def _filters_hash(request: Message) -> bytes:
    plain: Any = type(request)()
    plain.CopyFrom(request)
    plain.ClearField("page_token")
    plain.ClearField("page_size")
    body = plain.SerializeToString(deterministic=True)
    return blake2b(body, digest_size=_HASH_BYTES, person=plain.DESCRIPTOR.name[:16].encode()).digest()
