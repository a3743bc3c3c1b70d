"""TrackingService over the loopback interface, on real PostgreSQL and Redis: vehicles, watches, tracks, alarms."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
import pytest_asyncio
from google.protobuf.timestamp_pb2 import Timestamp
from xiangtong.tracking.v1 import alarms_pb2
from xiangtong.tracking.v1 import tracking_service_pb2 as pb
from xiangtong.tracking.v1.registry_service_pb2 import DeleteVehicleRequest

from services.vehicle_tracking.convert.live import ALARMS_CHANNEL
from services.vehicle_tracking.domain.alarm_filters import AlarmFilter
from services.vehicle_tracking.server import alarm_feed, alarms, watch_positions
from tests.vehicle_tracking.server.api_serving import Api, refusal, running_api

pytestmark = [pytest.mark.enable_socket, pytest.mark.services("postgres", "redis")]
INVALID = grpc.StatusCode.INVALID_ARGUMENT


@pytest_asyncio.fixture
async def api(postgres_url: str, redis_url: str) -> AsyncIterator[Api]:
    async with running_api(postgres_url, redis_url) as running:
        with running.pool.connection() as connection:
            connection.execute("TRUNCATE vehicles, terminals, enterprises, fences, request_ids, audit_log")
        yield running


async def next_change(watch: Any, *, vehicle_id: int = 0) -> pb.WatchPositionsResponse:
    """The next message that is about something (about `vehicle_id`, when given)."""
    async with asyncio.timeout(5):
        while True:
            message: pb.WatchPositionsResponse = await watch.read()
            told = [*message.positions.vehicle_ids, *message.gone_vehicle_ids]
            if told and (not vehicle_id or vehicle_id in told):
                return message


async def online(api: Api, vehicle_id: int) -> pb.TrackedVehicle:
    request = pb.GetTrackedVehicleRequest(vehicle_id=vehicle_id)
    async with asyncio.timeout(5):
        while True:
            found: pb.TrackedVehicle = (await api.tracking.GetTrackedVehicle(request)).vehicle
            if found.online:
                return found
            await asyncio.sleep(0.02)


def alarm(alarm_id: str, raise_s: int = 1, **values: Any) -> alarms_pb2.Alarm:
    state = alarms_pb2.ALARM_STATE_OPEN
    return alarms_pb2.Alarm(alarm_id=alarm_id, raise_time=Timestamp(seconds=raise_s), **{"state": state} | values)


async def test_a_vehicle_comes_with_its_latest_position(api: Api) -> None:
    key = await api.add_vehicle("湘A50001")
    unseen = (await api.tracking.GetTrackedVehicle(pb.GetTrackedVehicleRequest(vehicle_id=key))).vehicle
    assert not unseen.HasField("latest_position")
    await api.move(key, 1000, lon_e7=1_130_000_000)
    assert (await online(api, key)).latest_position.longitude_e7 == 1_130_000_000


async def test_a_batch_comes_in_the_order_asked_without_unknown_ones(api: Api) -> None:
    first, second = await api.add_vehicle("湘A50002"), await api.add_vehicle("湘A50003")
    request = pb.BatchGetTrackedVehiclesRequest(vehicle_ids=[second, 999_999, first])
    found = (await api.tracking.BatchGetTrackedVehicles(request)).vehicles
    assert [vehicle.vehicle.vehicle_id for vehicle in found] == [second, first]
    assert not (await api.tracking.BatchGetTrackedVehicles(pb.BatchGetTrackedVehiclesRequest())).vehicles


async def test_a_batch_is_bounded(api: Api) -> None:
    request = pb.BatchGetTrackedVehiclesRequest(vehicle_ids=range(1, 1002))
    assert await refusal(lambda: api.tracking.BatchGetTrackedVehicles(request)) == (
        INVALID,
        "INVALID_INPUT",
        ["vehicle_ids"],
    )


async def test_a_list_by_box_holds_those_inside(api: Api) -> None:
    inside, outside = await api.add_vehicle("湘A50004"), await api.add_vehicle("湘A50005")
    await api.move(outside, 1000, lon_e7=0)
    await api.move(inside, 1000)
    await online(api, inside)
    await asyncio.sleep(0.7)  # the table learns of new vehicles twice a second
    box = pb.BoundingBox(west_e7=1_100_000_000, south_e7=0, east_e7=1_140_000_000, north_e7=300_000_000)
    request = pb.ListTrackedVehiclesRequest(filter=pb.PositionFilter(bounding_box=box))
    found = (await api.tracking.ListTrackedVehicles(request)).vehicles
    assert [vehicle.vehicle.vehicle_id for vehicle in found] == [inside]


async def test_a_watch_tells_a_snapshot_then_changes_then_who_is_gone(api: Api) -> None:
    key = await api.add_vehicle("湘A50006")
    box = pb.BoundingBox(west_e7=1_100_000_000, south_e7=0, east_e7=1_140_000_000, north_e7=300_000_000)
    request = pb.WatchPositionsRequest(filter=pb.PositionFilter(bounding_box=box), interval_ms=200)
    watch = api.tracking.WatchPositions(request)
    snapshot = await watch.read()
    assert (snapshot.step, len(snapshot.positions.vehicle_ids)) == (pb.WATCH_STEP_SNAPSHOT_END, 0)
    await api.move(key, 1000)
    change = await next_change(watch)
    assert (change.step, list(change.positions.fix_times_ms)) == (pb.WATCH_STEP_CHANGE, [1000])
    await api.move(key, 2000, lon_e7=0)
    assert list((await next_change(watch)).gone_vehicle_ids) == [key]
    watch.cancel()


async def test_a_watch_resumes_where_it_ended(api: Api) -> None:
    still, moving = await api.add_vehicle("湘A50007"), await api.add_vehicle("湘A50008")
    await api.move(still, 1000)
    await api.move(moving, 1000)
    watch = api.tracking.WatchPositions(pb.WatchPositionsRequest(interval_ms=200))
    told: set[int] = set()
    while told != {still, moving}:
        message = await next_change(watch)
        told |= set(message.positions.vehicle_ids)
    watch.cancel()
    await api.move(moving, 2000)
    again = api.tracking.WatchPositions(pb.WatchPositionsRequest(interval_ms=200, resume_token=message.resume_token))
    change = await next_change(again)
    assert (change.step, list(change.positions.vehicle_ids)) == (pb.WATCH_STEP_CHANGE, [moving])
    again.cancel()


async def test_a_token_of_another_process_begins_anew(api: Api) -> None:
    watch = api.tracking.WatchPositions(pb.WatchPositionsRequest(resume_token="elsewhere:7"))
    assert (await watch.read()).step == pb.WATCH_STEP_SNAPSHOT_END
    watch.cancel()


async def test_a_vehicle_that_is_removed_is_gone(api: Api) -> None:
    key = await api.add_vehicle("湘A50009")
    await api.move(key, 1000)
    watch = api.tracking.WatchPositions(pb.WatchPositionsRequest(interval_ms=200))
    await next_change(watch, vehicle_id=key)
    await api.registry.DeleteVehicle(DeleteVehicleRequest(vehicle_id=key))
    assert list((await next_change(watch, vehicle_id=key)).gone_vehicle_ids) == [key]
    watch.cancel()


async def test_watches_that_are_quiet_beat(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_positions, "HEARTBEAT_S", 0.3)
    monkeypatch.setattr(alarms, "HEARTBEAT_S", 0.3)
    positions = api.tracking.WatchPositions(pb.WatchPositionsRequest(interval_ms=200))
    of_alarms = api.tracking.WatchAlarms(pb.WatchAlarmsRequest())
    for watch in (positions, of_alarms):
        steps = [(await watch.read()).step for _ in range(2)]
        assert steps == [pb.WATCH_STEP_SNAPSHOT_END, pb.WATCH_STEP_HEARTBEAT]
        watch.cancel()


async def test_a_watcher_that_does_not_read_is_dropped(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_positions, "SLOW_S_MAX", -1.0)

    async def call() -> None:
        async for _ in api.tracking.WatchPositions(pb.WatchPositionsRequest()):
            pass

    assert (await refusal(call))[:2] == (grpc.StatusCode.RESOURCE_EXHAUSTED, "WATCHER_TOO_SLOW")


@pytest.mark.parametrize(
    ("request_message", "field"),
    [
        (pb.WatchPositionsRequest(interval_ms=5), "interval_ms"),
        (pb.WatchPositionsRequest(resume_token="x"), "resume_token"),
        (pb.WatchPositionsRequest(filter=pb.PositionFilter(region_codes=["x"])), "filter.region_codes"),
        (pb.WatchPositionsRequest(filter=pb.PositionFilter(enterprise_ids=[1] * 1001)), "filter.enterprise_ids"),
        (
            pb.WatchPositionsRequest(filter=pb.PositionFilter(bounding_box=pb.BoundingBox(west_e7=2, east_e7=1))),
            "filter.bounding_box",
        ),
    ],
)
async def test_a_watch_names_the_field_that_is_wrong(api: Api, request_message: Any, field: str) -> None:
    async def call() -> None:
        async for _ in api.tracking.WatchPositions(request_message):
            break

    assert await refusal(call) == (INVALID, "INVALID_INPUT", [field])


async def test_alarms_are_listed_newest_first_page_by_page(api: Api) -> None:
    api.alarms.by_id = {key: alarm(key, n) for n, key in enumerate("abcde")}
    request, found = pb.ListAlarmsRequest(page_size=2), ""
    while True:
        page = await api.tracking.ListAlarms(request)
        found += "".join(one.alarm_id for one in page.alarms)
        request.page_token = page.next_page_token
        if not request.page_token:
            break
    assert found == "edcba"


async def test_a_watch_tells_the_open_alarms_and_then_each_that_comes(api: Api) -> None:
    api.alarms.by_id = {"a": alarm("a"), "b": alarm("b", state=alarms_pb2.ALARM_STATE_ACKNOWLEDGED)}
    watch = api.tracking.WatchAlarms(pb.WatchAlarmsRequest(filter=pb.AlarmFilter(rules=["", "overspeed"])))
    snapshot = await watch.read()
    assert (snapshot.step, [one.alarm_id for one in snapshot.alarms]) == (pb.WATCH_STEP_SNAPSHOT_END, ["a"])
    await api.redis.publish(ALARMS_CHANNEL, alarm("x", rule="offline").SerializeToString())
    await api.redis.publish(ALARMS_CHANNEL, alarm("c", rule="overspeed").SerializeToString())
    change = await watch.read()
    assert (change.step, [one.alarm_id for one in change.alarms]) == (pb.WATCH_STEP_CHANGE, ["c"])
    watch.cancel()
    await api.redis.publish(ALARMS_CHANNEL, alarm("d", rule="overspeed").SerializeToString())
    again = api.tracking.WatchAlarms(pb.WatchAlarmsRequest(resume_token=change.resume_token))
    assert [one.alarm_id for one in (await again.read()).alarms] == ["d"]
    again.cancel()


async def test_a_watcher_with_too_many_unread_alarms_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alarm_feed, "PENDING_MAX", 3)
    feed = alarm_feed.AlarmFeed()
    watcher = feed.join(AlarmFilter())
    for n in range(4):
        feed.take(alarm(str(n)).SerializeToString())
    assert (watcher.too_slow, len(watcher.pending)) == (True, 0)


async def test_after_a_lost_channel_every_watcher_begins_anew(api: Api) -> None:
    watch = api.tracking.WatchAlarms(pb.WatchAlarmsRequest())
    await watch.read()
    api.alarms.by_id = {"a": alarm("a")}
    for client in await api.redis.client_list(_type="pubsub"):
        await api.redis.client_kill_filter(_id=client["id"])
    async with asyncio.timeout(10):
        message = await watch.read()
    assert (message.step, [one.alarm_id for one in message.alarms]) == (pb.WATCH_STEP_SNAPSHOT_END, ["a"])
    watch.cancel()


async def test_an_alarm_is_acknowledged_for_the_operator(api: Api) -> None:
    api.alarms.by_id = {"a": alarm("a", etag="1")}
    request = pb.AcknowledgeAlarmRequest(alarm_id="a", remark="已联系", operator="值班员")
    found = (await api.tracking.AcknowledgeAlarm(request)).alarm
    assert (found.state, found.acknowledged_by, found.remark) == (2, "值班员", "已联系")
    stale = pb.AcknowledgeAlarmRequest(alarm_id="a", etag="0")
    assert (await refusal(lambda: api.tracking.AcknowledgeAlarm(stale)))[:2] == (grpc.StatusCode.ABORTED, "STALE_ETAG")
    missing = pb.AcknowledgeAlarmRequest(alarm_id="z")
    assert (await refusal(lambda: api.tracking.AcknowledgeAlarm(missing)))[1] == "ALARM_NOT_FOUND"
    long = pb.AcknowledgeAlarmRequest(alarm_id="a", remark="x" * 501)
    assert (await refusal(lambda: api.tracking.AcknowledgeAlarm(long)))[2] == ["remark"]
