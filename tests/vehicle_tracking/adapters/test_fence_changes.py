"""Changes of the register and the fences while a role runs."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from common.errors import Unavailable
from services.vehicle_tracking.adapters import register_rows
from services.vehicle_tracking.adapters.changes import Pool, change
from services.vehicle_tracking.adapters.fence_changes import Register, RuleSource, Watch
from services.vehicle_tracking.adapters.fences import add_fence, remove_fence, replace_fence
from services.vehicle_tracking.adapters.registry import register_terminal
from services.vehicle_tracking.domain.fences import Circle, Fence
from services.vehicle_tracking.domain.register import Terminal
from services.vehicle_tracking.domain.vehicles import Vehicle, VehicleKind
from tests.vehicle_tracking.server.api_serving import migrated_pool

pytestmark = [pytest.mark.enable_socket, pytest.mark.services("postgres")]
DEPOT = Fence(0, "车场", Circle(1129000000, 282000000, 500))


@pytest.fixture(scope="module")
def pool(postgres_url: str) -> Iterator[Pool]:
    with migrated_pool(postgres_url) as opened:
        yield opened


def add_vehicle(pool: Pool, plate: str) -> int:
    with change(pool, "test") as writing:
        vehicle = Vehicle(0, plate, 2, VehicleKind.TAXI, region_code="430100")
        return register_rows.add_vehicle(writing, vehicle).vehicle_id


def test_changes_are_taken_once(pool: Pool) -> None:
    source = RuleSource(pool)
    vehicle_id = add_vehicle(pool, "湘A70001")
    with change(pool, "test") as writing:
        fence = add_fence(writing, DEPOT)
    source.look()
    found = source.take()
    assert (fence.fence_id in found.fences, vehicle_id in found.vehicles[0].vehicle_ids) == (True, True)
    source.look()
    assert not source.take()


def test_the_newest_of_several_changes_counts(pool: Pool) -> None:
    source = RuleSource(pool)
    with change(pool, "test") as writing:
        kept, gone = add_fence(writing, DEPOT), add_fence(writing, DEPOT)
    source.look()
    with change(pool, "test") as writing:
        replace_fence(writing, Fence(kept.fence_id, "新", DEPOT.shape, etag=kept.etag))
        remove_fence(writing, gone.fence_id, etag="")
    source.look()
    found = source.take()
    assert found.fences[kept.fence_id].name == "新"
    assert gone.fence_id not in found.fences
    assert gone.fence_id in found.removed_fence_ids


def test_access_knows_the_vehicles_and_terminals_that_there_are(pool: Pool) -> None:
    register = Register(pool)
    vehicle_id = add_vehicle(pool, "湘A70002")
    register_terminal(pool, Terminal("13900000021", 0), plate="湘A70003", plate_colour=2, region_code="430100")
    register.look()
    terminal = register.find_terminal("13900000021")
    assert terminal is not None
    assert register.known_vehicles()[[0, vehicle_id, terminal.vehicle_id]].tolist() == [False, True, True]
    with change(pool, "test") as writing:
        register_rows.remove_vehicle(writing, vehicle_id, etag="")
    register.look()
    assert not register.known_vehicles()[vehicle_id]


def test_a_terminal_that_was_registered_here_is_known_at_once(pool: Pool) -> None:
    register = Register(pool)
    register.note(Terminal("13900000022", 3))
    assert register.find_terminal("13900000022") is not None
    assert np.count_nonzero(register.known_vehicles()) == 0


def test_a_watch_looks_on_after_the_database_was_away() -> None:
    looks, enough = list[int](), threading.Event()

    def look() -> None:
        looks.append(1)
        if len(looks) == 2:
            raise Unavailable("AWAY", "away")
        if len(looks) == 4:
            enough.set()

    watch = Watch(look, interval_ms=1, name="test")
    watch.start()
    assert enough.wait(10)
    watch.close()
    seen = len(looks)
    time.sleep(0.02)
    assert len(looks) == seen
