"""Vehicles, alarms, fences, words and values between messages and JSON."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from xiangtong.tracking.v1 import tracking_service_pb2 as pb
from xiangtong.tracking.v1.fences_pb2 import Fence

from common.errors import InvalidInput
from services.gateway.convert import alarms, vehicles, words
from services.gateway.convert.bodies import FenceBody
from services.gateway.convert.fences import fence_json, fence_message
from services.gateway.convert.values import degrees, e7, instant, time_ms
from services.vehicle_tracking.domain.vehicles import VehicleKind

DEGREES = st.tuples(st.integers(-1_800_000_000, 1_800_000_000), st.integers(-900_000_000, 900_000_000)).map(
    lambda point: [degrees(point[0]), degrees(point[1])]
)
RINGS = st.lists(st.lists(DEGREES, max_size=5), max_size=3)
SHAPES = st.one_of(
    st.builds(lambda rings: {"type": "polygon", "rings": rings}, RINGS),
    st.builds(lambda at, r: {"type": "circle", "centre": at, "radius_m": r}, DEGREES, st.integers(0, 200_000)),
    st.builds(lambda line, w: {"type": "corridor", "line": line, "width_m": w}, st.lists(DEGREES), st.integers(0, 99)),
)


@given(st.integers(-1_800_000_000, 1_800_000_000))
def test_a_coordinate_survives_as_degrees(value_e7: int) -> None:
    assert e7(degrees(value_e7)) == value_e7


@given(st.integers(0, 4_000_000_000_000))
def test_a_time_survives_as_an_instant(value_ms: int) -> None:
    assert time_ms(instant(value_ms)) == value_ms


@given(SHAPES, st.integers(0, 10**7))
def test_a_fence_survives_as_a_message(shape: dict[str, object], dwell_ms: int) -> None:
    body = FenceBody.model_validate({"name": "f", "shape": shape, "dwell_s": dwell_ms / 1000, "triggers": ["cross"]})
    found = fence_json(Fence.FromString(fence_message(body, 5).SerializeToString()))
    assert found["shape"] == shape and found["dwell_s"] == dwell_ms / 1000
    assert (found["fence_id"], found["triggers"], found["level"]) == (5, ["cross"], "medium")


def test_the_words_for_kinds_are_those_of_the_register() -> None:
    assert words.KINDS.words(int(kind) for kind in VehicleKind) == [kind.name.lower() for kind in VehicleKind]
    assert words.KINDS.word(0) == words.KINDS.word(99) == ""


def test_an_unknown_word_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InvalidInput, match="state: say one of open, acknowledged"):
        alarms.alarm_filter(vehicle_id=0, rules=[], start_time_ms=None, end_time_ms=None, state="closed", fence_id=0)


def test_times_of_a_filter_that_are_not_given_are_absent() -> None:
    wanted = alarms.alarm_filter(vehicle_id=0, rules=[], start_time_ms=0, end_time_ms=None, state="", fence_id=0)
    assert wanted.HasField("start_time") and not wanted.HasField("end_time")


def test_bits_of_words_come_unsigned_and_an_absent_odometer_as_null() -> None:
    latest = pb.LatestPosition(alarm_word=-1, status_word=-(2**31), odometer_01km=-1, speed_01kmh=853)
    found = vehicles.vehicle_json(pb.TrackedVehicle(latest_position=latest))["latest_position"]
    assert (found["alarm_word"], found["status_word"], found["odometer_km"]) == (2**32 - 1, 2**31, None)
    assert found["speed_kmh"] == 85.3


@pytest.mark.parametrize("box", ["1", "a,b,c,d", "1,2,0,3", "0,91,1,92", "nan,0,1,1", ""])
def test_a_box_is_west_south_east_north(box: str) -> None:
    if not box:
        wanted = vehicles.position_filter(kinds=[], region_codes=[], enterprise_ids=[], bounding_box=box)
        assert not wanted.HasField("bounding_box")
        return
    with pytest.raises(InvalidInput):
        vehicles.position_filter(kinds=[], region_codes=[], enterprise_ids=[], bounding_box=box)
