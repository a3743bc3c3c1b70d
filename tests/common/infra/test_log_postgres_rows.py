"""Headers survive being packed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from common.infra.log_postgres_rows import packed, unpacked

headers = st.lists(st.tuples(st.text(st.characters(exclude_categories=["Cs"])), st.binary())).map(tuple)


@given(headers)
def test_unpacking_inverts_packing(given_headers: tuple[tuple[str, bytes], ...]) -> None:
    assert unpacked(packed(given_headers)) == given_headers


def test_a_record_without_headers_stores_none() -> None:
    assert packed(()) is None
    assert unpacked(None) == ()
