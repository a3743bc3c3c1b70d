"""Rows for COPY are what PostgreSQL itself would write."""

from __future__ import annotations

import numpy as np
import psycopg
import pytest

from services.etc_billing.adapters.copy_rows import HEADER, TRAILER, fixed_rows, with_bodies

pytestmark = [pytest.mark.enable_socket, pytest.mark.services("postgres")]
QUERY = (
    b"COPY (SELECT * FROM (VALUES (1, -2::bigint, '00112233445566778899aabbccddeeff'::uuid, '\\x'::bytea),"
    b" (-3, 4, 'ffeeddccbbaa99887766554433221100', '\\x0102')) AS t) TO STDOUT (FORMAT binary)"
)


def test_rows_are_those_that_the_database_writes(postgres_url: str) -> None:
    keys = [bytes.fromhex("00112233445566778899aabbccddeeff"), bytes.fromhex("ffeeddccbbaa99887766554433221100")]
    rows = fixed_rows([np.array([1, -3], np.int32), np.array([-2, 4]), np.array(keys, "V16")], fields_more=1)
    with psycopg.connect(postgres_url) as connection, connection.cursor().copy(QUERY) as copy:
        assert b"".join(copy) == HEADER + with_bodies(rows, [b"", b"\1\2"]) + TRAILER
