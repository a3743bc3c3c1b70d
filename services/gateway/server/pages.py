"""Lists in pages, of our own tables and of the api's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, TypeVar

from fastapi import Query

from common.errors import InvalidInput, Violation

PAGE_SIZE_MAX = 1000

PageSize = Annotated[int, Query(ge=1, le=PAGE_SIZE_MAX)]
PageToken = Annotated[str, Query(max_length=1000)]
Text = Annotated[str, Query(max_length=100)]
Words = Annotated[list[str], Query(max_length=100)]
Ids = Annotated[list[int], Query(max_length=1000)]

RowT = TypeVar("RowT")


def place(token: str, start: int) -> int:
    """Where a page of our own tables begins. Raises InvalidInput."""
    if token and not (token.isascii() and token.isdigit() and len(token) < 19):
        raise InvalidInput(Violation("page_token", "send the token of the page before as it came, or none"))
    return int(token) if token else start


def cut(found: Sequence[RowT], size: int, key: Callable[[RowT], int]) -> tuple[Sequence[RowT], str]:
    """The page of rows that were asked for with one more, and the token of the next."""
    return found[:size], str(key(found[size - 1])) if len(found) > size else ""
