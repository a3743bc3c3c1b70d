"""Ticks: how much is taken at once, and what is counted."""

from __future__ import annotations

import asyncio

import pytest

from common.metrics import metrics
from services.vehicle_tracking.adapters import access_ticks
from simulation import frames
from tests.vehicle_tracking.access_world import BlockingLog, Client, MemoryRegistrar, access, fix, known

pytestmark = pytest.mark.enable_socket


def reports(client: Client, count: int) -> list[bytes]:
    return [client.frame(frames.LOCATION, frames.location_body(fix(second))) for second in range(count)]


async def test_a_tick_takes_no_more_than_its_bytes_and_the_next_takes_the_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(access_ticks, "TICK_BYTES_MAX", 200)
    log, phones = BlockingLog(), [str(13_900_000_100 + n) for n in range(8)]
    async with access(log, MemoryRegistrar(*(known(phone, n + 1) for n, phone in enumerate(phones)))) as world:
        clients = [await world.logged_in(frames.Identity(phone, "湘A00001", 2)) for phone in phones]
        for client in clients:
            client.send(*reports(client, 5))
        for client in clients:
            assert [await client.result() for _ in range(5)] == [0] * 5
        assert log.position_count() == 40


async def test_frames_rejections_bytes_and_answers_are_counted() -> None:
    frame_count, byte_count = metrics.frames.labels("jt808", "location")._value, metrics.received_bytes.labels("jt808")
    damaged_count = metrics.rejections.labels("terminal", "CHECKSUM")._value
    before = frame_count.get(), byte_count._value.get(), damaged_count.get()
    async with access() as world:
        client = await world.logged_in()
        one, two, three = reports(client, 3)
        spoilt = bytearray(two)
        spoilt[9] ^= 1
        client.send(one, bytes(spoilt), three)
        assert [await client.result() for _ in range(2)] == [0, 0]
    assert frame_count.get() == before[0] + 2
    assert damaged_count.get() == before[2] + 1
    assert byte_count._value.get() >= before[1] + len(one + two + three)


async def test_links_ended_by_a_fault_of_ours_do_not_stop_the_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    async with access() as world:
        client = await world.logged_in()
        with monkeypatch.context() as broken:
            broken.setattr(access_ticks, "judgement", lambda *_: 1 / 0)
            loop = asyncio.get_running_loop()
            seen: list[object] = []
            loop.set_exception_handler(lambda _, context: seen.append(context))
            client.send(*reports(client, 1))
            assert await client.silent()
            assert seen
        loop.set_exception_handler(None)
        assert await client.report() == 0
