"""Fences in PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from common.errors import NotFound
from services.vehicle_tracking.adapters.changes import Pool, change
from services.vehicle_tracking.adapters.fences import add_fence, find_fences, get_fence, load_fences, remove_fence
from services.vehicle_tracking.domain.fences import Circle, Fence, FenceTrigger, TimeWindow
from services.vehicle_tracking.domain.vehicles import VehicleKind
from tests.vehicle_tracking.server.api_serving import migrated_pool

pytestmark = [pytest.mark.enable_socket, pytest.mark.services("postgres")]
FENCE = Fence(
    0, "甲", Circle(1, 2, 3), (VehicleKind.BUS,), (TimeWindow((1,), 60, 30),), (FenceTrigger.ENTER,), dwell_ms=1500
)


@pytest.fixture
def pool(postgres_url: str) -> Iterator[Pool]:
    with migrated_pool(postgres_url) as opened:
        yield opened


def test_every_attribute_is_kept(pool: Pool) -> None:
    with change(pool, "test") as writing:
        stored = add_fence(writing, FENCE)
    found = get_fence(pool, stored.fence_id)
    assert (found.shape, found.vehicle_kinds, found.time_windows) == (
        FENCE.shape,
        FENCE.vehicle_kinds,
        FENCE.time_windows,
    )
    assert (found.triggers, found.dwell_ms, found.enabled) == (FENCE.triggers, 1500, True)


def test_a_write_that_fails_leaves_nothing(pool: Pool) -> None:
    since = load_fences(pool, 0).sequence
    with pytest.raises(NotFound), change(pool, "test") as writing:
        add_fence(writing, FENCE)
        remove_fence(writing, 999_999, etag="")
    assert load_fences(pool, since) == ([], [], since)
    assert find_fences(pool, [999_999]) == []
