"""The live stream over a real WebSocket, from a real api role on real PostgreSQL and Redis."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio
from google.protobuf.timestamp_pb2 import Timestamp
from websockets.exceptions import ConnectionClosed, InvalidStatus
from xiangtong.tracking.v1 import alarms_pb2
from xiangtong.tracking.v1.registry_service_pb2 import (
    DeleteVehicleRequest,
    GetVehicleRequest,
    UpdateVehicleRequest,
)

from services.gateway.server import live
from services.vehicle_tracking.convert.live import ALARMS_CHANNEL
from tests.gateway.gateway_serving import VIEW, Gateway, running_gateway
from tests.gateway.live_frames import Screen

pytestmark = [pytest.mark.enable_socket, pytest.mark.services("postgres", "redis")]

NOW_MS = 1_764_000_000_000


@pytest_asyncio.fixture
async def gateway(postgres_url: str, redis_url: str) -> AsyncIterator[Gateway]:
    async with running_gateway(postgres_url, redis_url) as running:
        yield running


async def until(screen: Screen, true: Callable[[], Any], within_s: float = 5) -> None:
    """Listen until something is true."""
    async with asyncio.timeout(within_s):
        while not true():
            await screen.hear()


async def moved(gateway: Gateway, plate: str, **place: Any) -> int:
    """The id of a new vehicle that has sent a position."""
    key = await gateway.api.add_vehicle(plate, kind=place.pop("kind", 1))
    await gateway.api.move(key, NOW_MS, **place)
    async with asyncio.timeout(5):
        while key not in gateway.parts.hub.table.present():  # noqa: ASYNC110 – the table has no event to wait for
            await asyncio.sleep(0.02)
    return key


def alarm(alarm_id: str, vehicle_id: int, **values: Any) -> alarms_pb2.Alarm:
    raised = Timestamp(seconds=NOW_MS // 1000)
    return alarms_pb2.Alarm(alarm_id=alarm_id, vehicle_id=vehicle_id, raise_time=raised, **{"state": 1} | values)


async def test_a_browser_gets_a_snapshot_and_then_what_changes(gateway: Gateway) -> None:
    first, second = await moved(gateway, "湘A70001"), await moved(gateway, "湘A70002")
    async with gateway.socket(await gateway.signed_in("auditor")) as socket:
        screen = Screen(socket)
        await screen.say(VIEW)
        await until(screen, lambda: screen.frames)
        assert screen.frames[0].kind == 1 and set(screen.frames[0].ids) == {first, second}
        assert screen.plates == {first: "湘A70001", second: "湘A70002"}
        assert screen.positions[first]["flags"] == 1
        await gateway.api.move(second, NOW_MS + 1000, lon_e7=1_130_000_000)
        await until(screen, lambda: screen.positions[second]["longitudes_e7"] == 1_130_000_000)
        assert screen.frames[-1].kind == 3 and screen.frames[-1].ids == [second]


async def test_a_vehicle_that_is_new_comes_with_its_plate_and_one_that_is_removed_goes(gateway: Gateway) -> None:
    async with gateway.socket(await gateway.signed_in("operator")) as socket:
        screen = Screen(socket)
        await screen.say(VIEW)
        key = await moved(gateway, "湘A70003")
        await until(screen, lambda: key in screen.positions)
        assert screen.plates[key] == "湘A70003"
        await gateway.api.registry.DeleteVehicle(DeleteVehicleRequest(vehicle_id=key))
        await until(screen, lambda: key not in screen.positions)
        assert screen.frames[-1].gone == [key]


async def test_a_changed_row_of_the_register_is_told_again(gateway: Gateway) -> None:
    key = await moved(gateway, "湘A70004")
    async with gateway.socket(await gateway.signed_in("operator")) as socket:
        screen = Screen(socket)
        await screen.say(VIEW)
        await until(screen, lambda: key in screen.positions)
        vehicle = (await gateway.api.registry.GetVehicle(GetVehicleRequest(vehicle_id=key))).vehicle
        vehicle.plate = "湘A7000X"
        await gateway.api.registry.UpdateVehicle(UpdateVehicleRequest(vehicle=vehicle))
        await until(screen, lambda: screen.plates[key] == "湘A7000X")


async def test_a_view_shows_what_is_in_it_and_lets_go_of_what_leaves(gateway: Gateway) -> None:
    inside = await moved(gateway, "湘A70005", lon_e7=1_129_000_000)
    outside = await moved(gateway, "湘A70006", lon_e7=1_140_000_000)
    async with gateway.socket(await gateway.signed_in("operator")) as socket:
        screen = Screen(socket)
        await screen.say(VIEW | {"bounding_box": [112.5, 27, 113.5, 29]})
        await until(screen, lambda: screen.frames)
        assert set(screen.positions) == {inside}
        await gateway.api.move(outside, NOW_MS + 1000, lon_e7=1_131_000_000)
        await until(screen, lambda: outside in screen.positions)
        await gateway.api.move(inside, NOW_MS + 1000, lon_e7=1_150_000_000)
        await until(screen, lambda: inside not in screen.positions)
        await screen.say(VIEW | {"bounding_box": [114, 27, 116, 29]})
        await until(screen, lambda: set(screen.positions) == {inside})


async def test_a_view_may_ask_for_kinds(gateway: Gateway) -> None:
    coach, hazmat = await moved(gateway, "湘A70007", kind=1), await moved(gateway, "湘A70008", kind=4)
    async with gateway.socket(await gateway.signed_in("operator")) as socket:
        screen = Screen(socket)
        await screen.say(VIEW | {"kinds": ["hazmat"], "region_codes": ["430100"]})
        await until(screen, lambda: screen.frames)
        assert set(screen.positions) == {hazmat}
        await screen.say(VIEW)
        await until(screen, lambda: set(screen.positions) == {coach, hazmat})


async def test_after_a_lost_connection_only_what_changed_comes(gateway: Gateway) -> None:
    kept, changed = await moved(gateway, "湘A70009"), await moved(gateway, "湘A70010")
    client = await gateway.signed_in("operator")
    async with gateway.socket(client) as socket:
        before = Screen(socket)
        await before.say(VIEW)
        await until(before, lambda: len(before.positions) == 2 and before.alarm_number)
    await gateway.api.move(changed, NOW_MS + 1000)
    await asyncio.sleep(0.5)
    async with gateway.socket(client) as socket:
        after = Screen(socket)
        await after.say(VIEW | {"resume": before.resume()})
        await until(after, lambda: after.frames)
        assert after.frames[0].kind == 3 and after.frames[0].ids == [changed]
        assert kept not in after.positions


async def test_a_number_of_another_process_begins_with_a_snapshot(gateway: Gateway) -> None:
    key = await moved(gateway, "湘A70011")
    async with gateway.socket(await gateway.signed_in("operator")) as socket:
        screen = Screen(socket)
        await screen.say(VIEW | {"resume": {"epoch": 1, "number": 1, "alarm_number": 1}})
        await until(screen, lambda: screen.frames)
        assert screen.frames[0].kind == 1 and screen.frames[0].ids == [key]


async def test_open_alarms_come_first_and_then_every_news_with_the_plate(gateway: Gateway) -> None:
    key = await moved(gateway, "湘A70012")
    async with gateway.socket(await gateway.signed_in("operator")) as socket:
        screen = Screen(socket)
        await screen.say(VIEW)
        await until(screen, lambda: screen.alarm_number)
        assert screen.alarms == {}
        await gateway.api.redis.publish(ALARMS_CHANNEL, alarm("n-1", key, rule="overspeed").SerializeToString())
        await until(screen, lambda: screen.alarms)
        assert screen.alarms["n-1"]["plate"] == "湘A70012" and screen.alarms["n-1"]["state"] == "open"
        cleared = alarm("n-1", key, clear_time=Timestamp(seconds=NOW_MS // 1000 + 60))
        await gateway.api.redis.publish(ALARMS_CHANNEL, cleared.SerializeToString())
        await until(screen, lambda: screen.alarms["n-1"]["clear_time_ms"] == NOW_MS + 60_000)
    async with gateway.socket(await gateway.signed_in("operator")) as socket:
        later = Screen(socket)
        await later.say(VIEW)
        await until(later, lambda: later.alarm_number)
        assert set(later.alarms) == {"n-1"}


@pytest.mark.slow
async def test_a_browser_that_does_not_draw_gets_two_frames_and_then_the_latest_of_each(
    gateway: Gateway,
) -> None:
    key = await moved(gateway, "湘A70013")
    async with gateway.socket(await gateway.signed_in("operator")) as socket:
        screen = Screen(socket, see=False)
        await screen.say(VIEW)
        await until(screen, lambda: screen.frames)
        for step in range(1, 6):
            await gateway.api.move(key, NOW_MS + 1000 * step, lon_e7=1_129_000_000 + step)
            await asyncio.sleep(0.3)
        await until(screen, lambda: len(screen.frames) == 2)
        with pytest.raises(TimeoutError):
            await until(screen, lambda: len(screen.frames) > 2, within_s=0.5)
        await screen.say({"type": "seen", "number": screen.frames[-1].number})
        await until(screen, lambda: len(screen.frames) == 3)
        assert screen.positions[key]["longitudes_e7"] == 1_129_000_005


async def test_a_browser_that_never_draws_is_closed(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "SEEN_S_MAX", 0.5)
    async with gateway.socket(await gateway.signed_in("operator")) as socket:
        screen = Screen(socket, see=False)
        await screen.say(VIEW)
        assert (await closed(screen)).code == live.TOO_SLOW


async def test_when_nothing_happens_a_heartbeat_comes(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "HEARTBEAT_S", 0.3)
    monkeypatch.setattr(live, "LOOK_AROUND_S", 0.1)
    async with gateway.socket(await gateway.signed_in("operator")) as socket:
        screen = Screen(socket)
        await screen.say(VIEW)
        await until(screen, lambda: [frame.kind for frame in screen.frames[-2:]] == [4, 4])


async def test_signing_out_closes_the_stream(gateway: Gateway) -> None:
    client = await gateway.signed_in("operator")
    async with gateway.socket(client) as socket:
        screen = Screen(socket)
        await screen.say(VIEW)
        await until(screen, lambda: screen.frames)
        await client.post("/api/sign-out")
        assert (await closed(screen)).code == live.SIGNED_OUT


async def test_a_session_that_ends_elsewhere_closes_the_stream(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "SESSION_CHECK_S", 0.1)
    gateway.parts.streams.recheck()
    async with gateway.socket(await gateway.signed_in("operator")) as socket:
        screen = Screen(socket)
        await screen.say(VIEW)
        await until(screen, lambda: screen.frames)
        with gateway.api.pool.connection() as connection:
            connection.execute("DELETE FROM sessions")
        assert (await closed(screen)).code == live.SIGNED_OUT


async def test_a_browser_that_goes_leaves_nothing_behind(gateway: Gateway) -> None:
    client = await gateway.signed_in("operator")
    async with gateway.socket(client) as socket:
        screen = Screen(socket)
        await screen.say(VIEW)
        await until(screen, lambda: screen.frames)
        assert len(gateway.parts.streams.open) == len(gateway.parts.hub.wakers) == 1
    async with asyncio.timeout(5):
        while gateway.parts.streams.open or gateway.parts.hub.wakers:  # noqa: ASYNC110 – the sets have no event
            await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    "said", [b"\0\1", "{", "[]", '{"type":"dance"}', '{"type":"view","kinds":["tank"]}', '{"type":"seen"}']
)
async def test_a_message_that_cannot_be_read_closes_the_stream_with_the_reason(
    gateway: Gateway, said: str | bytes
) -> None:
    async with gateway.socket(await gateway.signed_in("operator")) as socket:
        await socket.send(said)
        end = await closed(Screen(socket))
        assert end.code == live.UNREADABLE and end.reason


async def test_who_says_nothing_is_closed(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "FIRST_VIEW_S_MAX", 0.1)
    async with gateway.socket(await gateway.signed_in("operator")) as socket:
        assert (await closed(Screen(socket))).code == live.UNREADABLE


@pytest.mark.parametrize(
    ("headers", "status"),
    [({"Origin": "https://evil.example"}, 403), ({"Cookie": "xiangtong_session=wrong"}, 401)],
)
async def test_a_foreign_page_and_a_stranger_are_refused_before_it_opens(
    gateway: Gateway, headers: dict[str, str], status: int
) -> None:
    with pytest.raises(InvalidStatus) as refusal:
        async with gateway.socket(await gateway.signed_in("operator"), **headers):
            pass
    assert refusal.value.response.status_code == status
    assert json.loads(refusal.value.response.body)["reason"] in ("FOREIGN_ORIGIN", "NOT_AUTHENTICATED")


async def test_a_browser_is_told_when_the_api_is_lost_and_found(gateway: Gateway) -> None:
    async with gateway.socket(await gateway.signed_in("operator")) as socket:
        screen = Screen(socket)
        await screen.say(VIEW)
        await until(screen, lambda: screen.frames)
        gateway.parts.hub._lost.add("positions")
        gateway.parts.hub._wake()
        await until(screen, lambda: not screen.live)
        await moved(gateway, "湘A70014")
        await until(screen, lambda: screen.live)


async def test_without_an_api_a_browser_is_asked_to_come_later(
    postgres_url: str, redis_url: str, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "READY_S_MAX", 0.2)
    async with (
        running_gateway(postgres_url, redis_url, gateway_api=f"127.0.0.1:{free_port}") as gateway,
        gateway.socket(await gateway.signed_in("operator")) as socket,
    ):
        assert (await closed(Screen(socket))).code == live.TRY_LATER


async def test_beyond_as_many_streams_as_are_set_one_is_asked_to_come_later(postgres_url: str, redis_url: str) -> None:
    async with running_gateway(postgres_url, redis_url, gateway_browsers_max=1) as gateway:
        client = await gateway.signed_in("operator")
        async with gateway.socket(client) as first, gateway.socket(client) as second:
            screen = Screen(first)
            await screen.say(VIEW)
            assert (await closed(Screen(second))).code == live.TRY_LATER
            await until(screen, lambda: screen.frames)


async def closed(screen: Screen) -> Any:
    """The close frame that came, after whatever came before it."""
    with pytest.raises(ConnectionClosed) as end:
        async with asyncio.timeout(5):
            while True:
                await screen.hear()
    return end.value.rcvd
