"""What the additional items of a location say, each by its name in its unit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from services.vehicle_tracking.terminals.jt808 import names
from services.vehicle_tracking.terminals.jt808.columns import Decoded, Item

Described = dict[str, object]

_WHEEL_ABSENT = 255


def items_described(decoded: Decoded, place: Any) -> Described:
    """The items of one location in their order, and what stands behind the last whole one."""
    places = list(_item_places(decoded, place))
    end = int(place["item_start"]) + int(place["item_length"])
    start = places[-1][0] + 2 + places[-1][1] if places else int(place["item_start"])
    stray = {"stray_bytes": decoded.content[start:end].tobytes().hex()} if start < end else {}
    return {"items": [_item_described(decoded, place, at, size) for at, size in places], **stray}


def _item_places(decoded: Decoded, place: Any) -> Iterator[tuple[int, int]]:
    """Where each item begins, and how long its value is."""
    at, end = int(place["item_start"]), int(place["item_start"]) + int(place["item_length"])
    while at + 2 <= end and at + 2 + int(decoded.content[at + 1]) <= end:
        yield at, int(decoded.content[at + 1])
        at += 2 + int(decoded.content[at + 1])


def _item_described(decoded: Decoded, place: Any, at: int, size: int) -> Described:
    number, raw = int(decoded.content[at]), decoded.content[at + 2 : at + 2 + size].tobytes()
    described: Described = {"id": f"0x{number:02x}", "raw": raw.hex()}
    if number not in _ITEMS:
        return described | {"name": "unknown, kept raw 未知，原样保留"}
    bit, name, values = _ITEMS[number]
    described["name"] = name
    if int(place["items"]) >> bit & 1:
        return described | values(place, decoded)
    return described | {"note": f"{size} bytes are no length that the standard has 长度不符合标准"}


def _tyres(place: Any, decoded: Decoded) -> Described:
    start = int(place["tyre_start"])
    wheels = enumerate(decoded.content[start : start + 30].tolist(), 1)
    return {"pressures_pa": {wheel: pressure for wheel, pressure in wheels if pressure != _WHEEL_ABSENT}}


def _channels(word: int) -> list[int]:
    return [channel + 1 for channel in range(32) if int(word) >> channel & 1]


_ITEMS: dict[int, tuple[Item, str, Callable[[Any, Decoded], Described]]] = {
    0x01: (Item.ODOMETER, "odometer 里程", lambda p, _: {"distance_km": int(p["odometer_01km"]) / 10}),
    0x02: (Item.FUEL, "fuel 油量", lambda p, _: {"fuel_l": int(p["fuel_01l"]) / 10}),
    0x03: (
        Item.RECORDER_SPEED,
        "recorder speed 行驶记录功能获取的速度",
        lambda p, _: {"speed_kmh": int(p["recorder_speed_01kmh"]) / 10},
    ),
    0x04: (
        Item.ALARM_EVENT,
        "alarm event to confirm 需人工确认报警事件",
        lambda p, _: {"alarm_event_id": int(p["alarm_event_id"])},
    ),
    0x05: (Item.TYRES, "tyre pressures 胎压", _tyres),
    0x06: (
        Item.CABIN_TEMPERATURE,
        "cabin temperature 车厢温度",
        lambda p, _: {"temperature_c": int(p["cabin_temperature_c"])},
    ),
    0x11: (
        Item.OVERSPEED_AREA,
        "overspeed place 超速报警附加信息",
        lambda p, _: {
            "area_kind": names.AREA_KINDS.get(int(p["overspeed_area_kind"]), str(p["overspeed_area_kind"])),
            "area_id": int(p["overspeed_area_id"]),
        },
    ),
    0x12: (
        Item.CROSSED_AREA,
        "in or out of an area or route 进出区域/路线报警附加信息",
        lambda p, _: {
            "area_kind": names.AREA_KINDS.get(int(p["crossed_area_kind"]), str(p["crossed_area_kind"])),
            "area_id": int(p["crossed_area_id"]),
            "direction": "out 出" if p["crossed_outwards"] else "in 进",
        },
    ),
    0x13: (
        Item.SEGMENT,
        "segment time 路段行驶时间",
        lambda p, _: {
            "segment_id": int(p["segment_id"]),
            "duration_s": int(p["segment_s"]),
            "result": "too long 过长" if p["segment_too_long"] else "too short 不足",
        },
    ),
    0x14: (
        Item.VIDEO_ALARM,
        "video alarms 视频相关报警",
        lambda p, _: {"alarms": names.bit_names(int(p["video_alarm_word"]), names.VIDEO_ALARMS)},
    ),
    0x15: (
        Item.LOST_CHANNELS,
        "video signal lost 视频信号丢失",
        lambda p, _: {"channels": _channels(p["lost_channels"])},
    ),
    0x16: (
        Item.OCCLUDED_CHANNELS,
        "video signal occluded 视频信号遮挡",
        lambda p, _: {"channels": _channels(p["occluded_channels"])},
    ),
    0x17: (
        Item.STORAGE_FAULTS,
        "storage faults 存储器故障",
        lambda p, _: {"units": _channels(p["storage_faults"])},
    ),
    0x18: (
        Item.ABNORMAL_DRIVING,
        "abnormal driving 异常驾驶行为",
        lambda p, _: {
            "behaviours": names.bit_names(int(p["abnormal_driving"]), names.ABNORMAL_DRIVING),
            "fatigue_degree": int(p["fatigue_degree"]),
        },
    ),
    0x25: (
        Item.SIGNALS,
        "vehicle signals 扩展车辆信号状态",
        lambda p, _: {"signals": names.bit_names(int(p["signals"]), names.SIGNALS)},
    ),
    0x2A: (
        Item.IO_STATES,
        "IO states IO状态",
        lambda p, _: {"states": names.bit_names(int(p["io_states"]), names.IO_STATES)},
    ),
    0x2B: (
        Item.ANALOGUES,
        "analogue inputs 模拟量",
        lambda p, _: {"ad0": int(p["analogue_0"]), "ad1": int(p["analogue_1"])},
    ),
    0x30: (
        Item.SIGNAL_STRENGTH,
        "radio signal strength 无线通信网络信号强度",
        lambda p, _: {"signal_strength": int(p["signal_strength"])},
    ),
    0x31: (Item.SATELLITES, "satellites GNSS定位卫星数", lambda p, _: {"satellite_count": int(p["satellites"])}),
}
