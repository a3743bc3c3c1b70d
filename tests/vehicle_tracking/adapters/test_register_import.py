"""Many register rows in one write."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from services.vehicle_tracking.adapters.changes import Pool, change
from services.vehicle_tracking.adapters.register_import import RowOutcome, import_rows
from services.vehicle_tracking.adapters.registry import load_terminals, load_vehicles
from services.vehicle_tracking.domain.register import RegisterRow
from tests.vehicle_tracking.server.api_serving import migrated_pool

pytestmark = [pytest.mark.enable_socket, pytest.mark.services("postgres")]
ROW = RegisterRow("湘A80001", 2, 1, "430100", "甲公司", 0, "13900000031")


@pytest.fixture
def pool(postgres_url: str) -> Iterator[Pool]:
    with migrated_pool(postgres_url) as opened:
        yield opened


def outcomes(pool: Pool, *rows: RegisterRow) -> list[RowOutcome]:
    with change(pool, "test") as writing:
        return [result.outcome for result in import_rows(writing, rows)]


def test_a_row_is_new_then_the_same_then_changed(pool: Pool) -> None:
    assert outcomes(pool, ROW) == [RowOutcome.CREATED]
    assert outcomes(pool, ROW) == [RowOutcome.UNCHANGED]
    assert outcomes(pool, replace(ROW, phone="13900000032")) == [RowOutcome.UPDATED]
    assert outcomes(pool, replace(ROW, vin="LSVAA4182E2184847")) == [RowOutcome.UPDATED]
    assert outcomes(pool, replace(ROW, plate="湘A80002")) == [RowOutcome.REJECTED]  # its phone is taken


def test_five_thousand_rows_take_seconds_and_get_dense_ids(pool: Pool) -> None:
    rows = [replace(ROW, plate=f"湘B{n:05d}", phone=str(13_800_000_000 + n)) for n in range(5000)]
    before = load_vehicles(pool, 0)
    start_s = time.monotonic()
    assert set(outcomes(pool, *rows)) == {RowOutcome.CREATED}
    assert time.monotonic() - start_s < 20
    added = sorted(load_vehicles(pool, before.sequence).rows.vehicle_ids.tolist())
    assert added == list(range(added[0], added[0] + 5000))
    assert len(load_terminals(pool, before.sequence).terminals) >= 5000
