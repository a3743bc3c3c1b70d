"""Messages in parts on real TCP."""

from __future__ import annotations

import asyncio
import struct

import pytest

from common.clock import ManualClock
from simulation import frames
from tests.vehicle_tracking.access_world import BlockingLog, Client, access, fix

pytestmark = pytest.mark.enable_socket

NOW_MS = 1_767_225_600_000
FIXES = 40


def parts(client: Client, *, message_id: int = frames.LOCATION_BATCH, count: int = 4) -> list[bytes]:
    """A blind-area batch that is too long for one frame, in parts with consecutive serial numbers."""
    bodies = [frames.location_body(fix(n)) for n in range(FIXES)]
    items = b"".join(struct.pack(">H", len(body)) + body for body in bodies)
    whole = struct.pack(">HB", FIXES, 1) + items
    size = -(-len(whole) // count)
    return [client.frame(message_id, whole[n * size : (n + 1) * size], part=(count, n + 1)) for n in range(count)]


async def test_the_last_part_is_answered_after_all_positions_are_durable() -> None:
    log = BlockingLog()
    async with access(log) as world:
        client = await world.logged_in()
        *some, last = parts(client)
        for one in some:
            client.send(one)
            assert await client.result() == 0
        log.go_on.clear()
        client.send(last)
        assert await client.silent()
        log.go_on.set()
        assert await client.result() == 0
    positions = log.positions()
    assert positions is not None
    assert positions.fix_times_ms.tolist() == [fix(n).fix_time_ms for n in range(FIXES)]
    assert positions.vehicle_ids.tolist() == [7] * FIXES


async def test_parts_may_come_in_any_order_and_in_one_go() -> None:
    log = BlockingLog()
    async with access(log) as world:
        client = await world.logged_in()
        one, two, three, four = parts(client)
        client.send(three, one, four, two)
        assert [await client.result() for _ in range(4)] == [0] * 4
        assert log.position_count() == FIXES


async def test_missing_parts_are_asked_for_again() -> None:
    clock, log = ManualClock(NOW_MS), BlockingLog()
    async with access(log, clock=clock) as world:
        client = await world.logged_in()
        one, two, three, four = parts(client)
        client.send(one, four)
        assert [await client.result() for _ in range(2)] == [0, 0]
        clock.advance(11_000)
        world.server.sweep()
        wanted = await client.message()
        assert wanted.message_id == frames.RESEND_PARTS
        assert frames.resend_parts(wanted.body) == (client.serial - 4, (2, 3))
        client.send(two, three)
        assert [await client.result() for _ in range(2)] == [0, 0]
        assert log.position_count() == FIXES


async def test_what_never_becomes_complete_is_given_up() -> None:
    clock, log = ManualClock(NOW_MS), BlockingLog()
    async with access(log, clock=clock) as world:
        client = await world.logged_in()
        first, *rest = parts(client)
        client.send(first)
        assert await client.result() == 0
        clock.advance(61_000)
        world.server.sweep()
        client.send(*rest)
        assert [await client.result() for _ in rest] == [0] * len(rest)
        await asyncio.sleep(0.05)
        assert log.position_count() == 0


async def test_parts_of_a_link_that_ends_are_forgotten() -> None:
    log = BlockingLog()
    async with access(log) as world:
        older = await world.logged_in()
        *some, last = parts(older)
        older.send(*some)
        assert [await older.result() for _ in some] == [0] * len(some)
        newer = await world.logged_in()
        world.server.sweep()
        newer.send(last)
        assert await newer.result() == 0
        assert log.position_count() == 0


async def test_parts_before_a_log_in_are_refused() -> None:
    async with access() as world:
        client = await world.connected()
        client.send(*parts(client))
        assert [await client.result() for _ in range(4)] == [1] * 4


async def test_a_whole_that_we_do_not_support_is_said_so_at_its_last_part() -> None:
    async with access() as world:
        client = await world.logged_in()
        client.send(*parts(client, message_id=0x0801))
        assert sorted([await client.result() for _ in range(4)]) == [0, 0, 0, 3]


async def test_a_message_of_too_many_parts_is_not_supported() -> None:
    async with access() as world:
        client = await world.logged_in()
        client.send(client.frame(frames.LOCATION_BATCH, b"x", part=(300, 1)))
        assert await client.result() == 3


async def test_parts_of_all_links_together_are_bounded_and_make_room_again(monkeypatch: pytest.MonkeyPatch) -> None:
    log = BlockingLog()
    async with access(log) as world:
        client = await world.logged_in()
        messages = parts(client)
        monkeypatch.setattr("services.vehicle_tracking.terminals.jt808.parts.BYTES_MAX", len(messages[0]))
        client.send(*messages[:2])
        assert await client.result() == 0
        assert await client.silent()
        await client.close()
        async with asyncio.timeout(5):
            while len(world.server.links):  # noqa: ASYNC110 – it ends by itself
                await asyncio.sleep(0.01)
        world.server.sweep()
        again = await world.logged_in()
        again.send(parts(again)[0])
        assert await again.result() == 0
