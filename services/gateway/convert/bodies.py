"""What browsers send and get, as models: they check bodies and write the OpenAPI page."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

NAME_CHARACTERS_MAX = 64
PASSWORD_CHARACTERS_MAX = 256  # argon2 takes any length, but hashing megabytes is work for an attacker to give
REMARK_CHARACTERS_MAX = 500
POINTS_MAX = 100_000
ID_MAX = 2**63 - 1

Role = Literal["operator", "admin", "auditor"]
Language = Literal["zh", "en"]
Kind = Literal["coach", "tour_coach", "charter", "hazmat", "bus", "taxi", "freight", "other"]
Longitude = Annotated[float, Field(ge=-180, le=180)]
Latitude = Annotated[float, Field(ge=-90, le=90)]
Point = tuple[Longitude, Latitude]


class Body(BaseModel):
    """A JSON object of which every field is known."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class SignIn(Body):
    """A name and what proves it."""

    name: str = Field(min_length=1, max_length=NAME_CHARACTERS_MAX)
    password: str = Field(min_length=1, max_length=PASSWORD_CHARACTERS_MAX)


class PasswordChange(Body):
    """The password that is, and the one that shall be."""

    password: str = Field(min_length=1, max_length=PASSWORD_CHARACTERS_MAX)
    new_password: str = Field(max_length=PASSWORD_CHARACTERS_MAX)


class MyChoice(Body):
    """What people choose for themselves."""

    language: Language


class NewAccount(Body):
    """A person who shall be able to sign in."""

    name: str = Field(max_length=NAME_CHARACTERS_MAX)
    password: str = Field(max_length=PASSWORD_CHARACTERS_MAX)
    role: Role
    language: Language = "zh"


class AccountChange(Body):
    """All that can be changed of an account, with the etag that was read."""

    role: Role
    language: Language
    enabled: bool
    etag: str
    password: str | None = Field(default=None, max_length=PASSWORD_CHARACTERS_MAX)


class Acknowledgement(Body):
    """Somebody has seen an alarm."""

    remark: str = Field(default="", max_length=REMARK_CHARACTERS_MAX)
    etag: str = ""


class PolygonShape(Body):
    """Polygons with holes; even-odd over all rings."""

    type: Literal["polygon"]
    rings: list[Annotated[list[Point], Field(max_length=POINTS_MAX)]] = Field(max_length=1000)


class CircleShape(Body):
    """A circle on the ground."""

    type: Literal["circle"]
    centre: Point
    radius_m: int = Field(ge=0, le=10_000_000)


class CorridorShape(Body):
    """A line with its whole width."""

    type: Literal["corridor"]
    line: list[Point] = Field(max_length=POINTS_MAX)
    width_m: int = Field(ge=0, le=10_000_000)


class TimeWindow(Body):
    """A daily or weekly stretch of time, Asia/Shanghai."""

    weekdays: list[Annotated[int, Field(ge=0, le=100)]] = Field(default=[], max_length=7)
    start_minute: int = Field(ge=0, le=10_000)
    end_minute: int = Field(ge=0, le=10_000)


class FenceBody(Body):
    """A fence to add or to replace."""

    name: str = Field(max_length=1000)
    shape: Annotated[PolygonShape | CircleShape | CorridorShape, Field(discriminator="type")]
    vehicle_kinds: list[Kind] = Field(default=[], max_length=100)
    triggers: list[Literal["enter", "exit", "cross"]] = Field(default=[], max_length=100)
    level: Literal["low", "medium", "high"] = "medium"
    speed_kmh_max: int = Field(default=0, ge=0, le=10_000)
    dwell_s: float = Field(default=0, ge=0, le=10_000_000)
    hysteresis_m: int = Field(default=0, ge=0, le=10_000_000)
    time_windows: list[TimeWindow] = Field(default=[], max_length=100)
    source_datum: Literal["WGS84", "GCJ02", "BD09"] = "WGS84"
    enabled: bool = True
    etag: str = ""
    request_id: str = Field(default="", max_length=100)
    fence_id: int = Field(default=0, ge=0, le=ID_MAX)
    update_time_ms: int | None = None


class Resume(Body):
    """The last numbers that a browser has seen."""

    epoch: int = Field(ge=0, lt=2**32)
    number: int = Field(ge=0, lt=2**53)
    alarm_number: int = Field(ge=0, lt=2**53)


class LiveView(Body):
    """What a browser wants to see."""

    type: Literal["view"]
    bounding_box: tuple[Longitude, Latitude, Longitude, Latitude] | None = None
    kinds: list[Kind] = Field(default=[], max_length=100)
    region_codes: list[Annotated[str, Field(pattern="^[0-9]{6}$")]] = Field(default=[], max_length=1000)
    enterprise_ids: list[Annotated[int, Field(ge=0, le=ID_MAX)]] = Field(default=[], max_length=1000)
    resume: Resume | None = None


class LiveSeen(Body):
    """A browser has drawn a frame."""

    type: Literal["seen"]
    number: int = Field(ge=0, lt=2**53)


class Me(Body):
    """Who is signed in."""

    name: str
    role: Role
    language: Language
    password_temporary: bool


class Account(Body):
    """A person who can sign in."""

    account_id: int
    name: str
    role: Role
    language: Language
    enabled: bool
    password_temporary: bool
    create_time_ms: int
    sign_in_time_ms: int | None
    etag: str


class ErrorBody(Body):
    """What every refusal looks like."""

    reason: str
    message: str
    fields: dict[str, str]
    retry_after_ms: int | None = None
