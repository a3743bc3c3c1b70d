"""The register: what a row must hold, and the words that people write for kinds and colours."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from common.errors import Violation
from services.vehicle_tracking.domain.vehicles import Vehicle, VehicleKind

SPEED_KMH_MAX = 200  # no vehicle of ours may go faster; more is a slip of the pen
NAME_CHARACTERS_MAX = 100
TEXT_CHARACTERS_MAX = 50
PHONE_DIGITS_MAX = 20  # JT/T 808-2019 carries 20 BCD digits

NEW_ENERGY_COLOURS = (5, 93, 94)
PLATE_COLOURS = {
    1: ("blue", "蓝"),
    2: ("yellow", "黄"),
    3: ("black", "黑"),
    4: ("white", "白"),
    5: ("green", "绿"),
    9: ("other", "其他"),
    91: ("farm yellow", "农黄"),
    92: ("farm green", "农绿"),
    93: ("yellow green", "黄绿"),
    94: ("gradient green", "渐变绿"),
}
KIND_WORDS = {
    VehicleKind.COACH: ("coach", "班线客车", "客运班车"),
    VehicleKind.TOUR_COACH: ("tour coach", "旅游客车", "旅游包车"),
    VehicleKind.CHARTER: ("charter", "包车", "包车客运"),
    VehicleKind.HAZMAT: ("hazmat", "危险品运输车", "危货", "危险货物运输"),
    VehicleKind.BUS: ("bus", "公交车", "公交"),
    VehicleKind.TAXI: ("taxi", "出租车", "出租汽车"),
    VehicleKind.FREIGHT: ("freight", "普通货车", "货车", "普货"),
    VehicleKind.OTHER: ("other", "其他"),
}

_PROVINCES = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"
_ORDINARY_PLATE = re.compile(rf"[{_PROVINCES}][A-HJ-Z][A-HJ-NP-Z0-9]{{4}}[A-HJ-NP-Z0-9挂学警港澳]")
_NEW_ENERGY_PLATE = re.compile(rf"[{_PROVINCES}][A-HJ-Z](?:[A-HJ-NP-Z][A-HJ-NP-Z0-9][0-9]{{4}}|[0-9]{{5}}[A-HJ-NP-Z])")
_VIN = re.compile(r"[A-HJ-NPR-Z0-9]{17}")
_CREDIT_CODE = re.compile(r"[0-9A-HJ-NPQRTUWXY]{18}")
_PHONE = re.compile(rf"[1-9][0-9]{{0,{PHONE_DIGITS_MAX - 1}}}")


class Region(NamedTuple):
    """A prefecture, or the province, whose `plate_prefix` is empty."""

    region_code: str
    name: str
    english_name: str
    plate_prefix: str


REGIONS = (
    Region("430000", "湖南省", "Hunan", ""),
    Region("430100", "长沙市", "Changsha", "湘A"),
    Region("430200", "株洲市", "Zhuzhou", "湘B"),
    Region("430300", "湘潭市", "Xiangtan", "湘C"),
    Region("430400", "衡阳市", "Hengyang", "湘D"),
    Region("430500", "邵阳市", "Shaoyang", "湘E"),
    Region("430600", "岳阳市", "Yueyang", "湘F"),
    Region("430700", "常德市", "Changde", "湘J"),
    Region("430800", "张家界市", "Zhangjiajie", "湘G"),
    Region("430900", "益阳市", "Yiyang", "湘H"),
    Region("431000", "郴州市", "Chenzhou", "湘L"),
    Region("431100", "永州市", "Yongzhou", "湘M"),
    Region("431200", "怀化市", "Huaihua", "湘N"),
    Region("431300", "娄底市", "Loudi", "湘K"),
    Region("433100", "湘西土家族苗族自治州", "Xiangxi", "湘U"),
)
_REGION_CODES = frozenset(region.region_code for region in REGIONS)


@dataclass(frozen=True, slots=True)
class Terminal:
    """A device on a vehicle. `phone`: digits without leading zeros; `protocol_year`: 0 until it has spoken."""

    phone: str
    vehicle_id: int
    auth_code: str = ""
    protocol_year: int = 0
    terminal_number: str = ""
    maker: str = ""
    model: str = ""
    etag: str = ""
    update_time_ms: int = 0


@dataclass(frozen=True, slots=True)
class Enterprise:
    """A firm that runs vehicles."""

    enterprise_id: int
    name: str
    region_code: str
    credit_code: str = ""
    etag: str = ""
    update_time_ms: int = 0


@dataclass(frozen=True, slots=True)
class RegisterRow:
    """One row of an import: a vehicle with its enterprise by name and its terminal; `kind` 0 when nobody said."""

    plate: str
    plate_colour: int
    kind: int
    region_code: str
    enterprise_name: str = ""
    speed_kmh_max: int = 0
    phone: str = ""
    vin: str = ""


def row_violations(row: RegisterRow) -> list[Violation]:
    """What is wrong with an import row, a violation per field; empty when nothing is."""
    found = _vehicle_violations(row.plate, row.plate_colour, row.kind, row.region_code, row.speed_kmh_max, row.vin)
    if len(row.enterprise_name) > NAME_CHARACTERS_MAX:
        found.append(Violation("enterprise_name", f"shorten it to {NAME_CHARACTERS_MAX} characters"))
    if row.phone:
        found += phone_violations(row.phone)
    return found


def vehicle_violations(vehicle: Vehicle) -> list[Violation]:
    """What is wrong with a vehicle, a violation per field."""
    return _vehicle_violations(
        vehicle.plate, vehicle.plate_colour, vehicle.kind, vehicle.region_code, vehicle.speed_kmh_max, vehicle.vin
    )


def terminal_violations(terminal: Terminal) -> list[Violation]:
    """What is wrong with a terminal, a violation per field."""
    found = phone_violations(terminal.phone)
    if terminal.vehicle_id < 1:
        found.append(Violation("vehicle_id", "say which vehicle it is on"))
    for field in ("terminal_number", "maker", "model"):
        if len(getattr(terminal, field)) > TEXT_CHARACTERS_MAX:
            found.append(Violation(field, f"shorten it to {TEXT_CHARACTERS_MAX} characters"))
    return found


def enterprise_violations(enterprise: Enterprise) -> list[Violation]:
    """What is wrong with an enterprise, a violation per field."""
    found = []
    if not 1 <= len(enterprise.name.strip()) <= NAME_CHARACTERS_MAX:
        found.append(Violation("name", f"give a name of 1 to {NAME_CHARACTERS_MAX} characters"))
    if enterprise.credit_code and not _CREDIT_CODE.fullmatch(enterprise.credit_code):
        found.append(Violation("credit_code", "a unified social credit code has 18 digits and capital letters"))
    return found + _region_violations(enterprise.region_code)


def phone_violations(phone: str) -> list[Violation]:
    """What is wrong with a terminal's phone."""
    if _PHONE.fullmatch(phone):
        return []
    return [Violation("phone", f"give 1 to {PHONE_DIGITS_MAX} digits without leading zeros")]


def normal_phone(phone: str) -> str:
    """The phone without the zeros that the wire pads it with."""
    return phone.strip().lstrip("0")


def find_kind(word: str) -> VehicleKind | None:
    """The kind that a person means by a Chinese or English word or its number."""
    plain = word.strip().lower().replace("_", " ")
    for kind, words in KIND_WORDS.items():
        if plain == str(int(kind)) or plain in words:
            return kind
    return None


def find_plate_colour(word: str) -> int | None:
    """The colour code that a person means by a Chinese or English word or its number."""
    plain = word.strip().lower().replace("_", " ")
    for code, (english, chinese) in PLATE_COLOURS.items():
        if plain in (str(code), english, chinese, chinese + "色"):
            return code
    return None


def find_region_code(word: str) -> str | None:
    """The region code that a person means by a code or a Chinese or English name."""
    plain = word.strip()
    for region in REGIONS:
        if plain in (region.region_code, region.name, region.name[:-1]) or plain.lower() == region.english_name.lower():
            return region.region_code
    return None


def _vehicle_violations(
    plate: str, plate_colour: int, kind: int, region_code: str, speed_kmh_max: int, vin: str
) -> list[Violation]:
    found = _plate_violations(plate, plate_colour)
    if kind not in tuple(VehicleKind):
        found.append(Violation("kind", "say what the vehicle is used for"))
    found += _region_violations(region_code)
    if not 0 <= speed_kmh_max <= SPEED_KMH_MAX:
        found.append(Violation("speed_kmh_max", f"give 0 (the default of its kind) to {SPEED_KMH_MAX} km/h"))
    if vin and not _VIN.fullmatch(vin):
        found.append(Violation("vin", "a VIN has 17 digits and capital letters, none of them I, O or Q"))
    return found


def _plate_violations(plate: str, plate_colour: int) -> list[Violation]:
    found = []
    new_energy = _NEW_ENERGY_PLATE.fullmatch(plate) is not None
    if not new_energy and not _ORDINARY_PLATE.fullmatch(plate):
        found.append(Violation("plate", "expected a plate such as 湘A12345, or 湘AD12345 for new energy"))
    if plate_colour not in PLATE_COLOURS:
        codes = ", ".join(f"{code} {english}" for code, (english, _) in PLATE_COLOURS.items())
        found.append(Violation("plate_colour", f"expected one of {codes}"))
    elif new_energy and plate_colour not in NEW_ENERGY_COLOURS:
        found.append(Violation("plate_colour", "a plate of 8 characters is new energy: 5, 93 or 94"))
    return found


def _region_violations(region_code: str) -> list[Violation]:
    if region_code in _REGION_CODES:
        return []
    return [Violation("region_code", "expected the six-digit code of Hunan or one of its prefectures, such as 430100")]
