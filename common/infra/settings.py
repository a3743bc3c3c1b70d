"""Settings: read once from XIANGTONG_* variables, typed, frozen, refused by name when wrong."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self, TypeVar, get_args, get_origin
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "XIANGTONG_"
BAD_SETTINGS_EXIT_CODE = 2
SECRET_WORDS = ("PASSWORD", "TOKEN", "SECRET", "POSTGRES", "REDIS", "ARCHIVE")  # URLs may hold a password

SettingsT = TypeVar("SettingsT", bound=BaseSettings)


class SettingRow(NamedTuple):
    """One line of the table of settings."""

    variable: str
    kind: str
    default: str
    description: str


def _url(*schemes: str) -> AfterValidator:
    def checked(value: str) -> str:
        if urlsplit(value).scheme not in schemes:
            raise ValueError(f"expected a URL that begins with {' or '.join(f'{scheme}://' for scheme in schemes)}")
        return value

    return AfterValidator(checked)


def _broker_addresses(value: str) -> str:
    for address in value.split(","):
        host, _, port = address.strip().rpartition(":")
        if not host or not port.isdigit() or not 0 < int(port) < 65536:
            raise ValueError("expected host:port, or several of them separated by commas")
    return value


def _archive_place(value: str) -> str:
    scheme = urlsplit(value).scheme
    if scheme not in ("", "file", "s3"):
        raise ValueError("expected a folder, or s3://bucket/prefix?endpoint_override=host:port&scheme=http")
    return value


def _readable_file(value: Path) -> Path:
    if not value.is_file() or not os.access(value, os.R_OK):
        raise ValueError("expected the path of a readable file")
    return value


PostgresUrl = Annotated[str, _url("postgresql", "postgres")]
RedisUrl = Annotated[str, _url("redis", "rediss", "unix")]
BrokerAddresses = Annotated[str, AfterValidator(_broker_addresses)]
ArchivePlace = Annotated[str, AfterValidator(_archive_place)]
ReadableFile = Annotated[Path, AfterValidator(_readable_file)]
Port = Annotated[int, Field(ge=0, le=65535)]


class InfraSettings(BaseSettings):
    """What every role needs; each service's settings.py adds its own to it."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore", env_ignore_empty=True)

    kafka: BrokerAddresses | None = Field(
        default=None, description="Kafka brokers, host:port[,host:port]; unset: the event log is kept in PostgreSQL"
    )
    postgres: PostgresUrl | None = Field(
        default=None, description="PostgreSQL URL; unset: a server of our own under the data folder"
    )
    redis: RedisUrl | None = Field(
        default=None, description="Redis URL; unset: a server of our own under the data folder"
    )
    archive: ArchivePlace | None = Field(
        default=None, description="where tracks are archived, a folder or an s3:// URL; unset: data folder/archive"
    )
    data: Path = Field(default=Path(".run"), description="folder of the embedded servers and of everything defaulted")
    partition_count: int = Field(
        default=8, ge=1, le=1024, description="partitions of positions and alarms; fixed once topics exist"
    )
    log_format: Literal["json", "console"] = Field(default="console", description="how log lines are written")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="the least that is logged"
    )
    metrics_host: str = Field(default="127.0.0.1", description="address that /metrics, /healthz and /readyz listen on")
    metrics_port: Port = Field(default=0, description="port of /metrics, /healthz and /readyz; 0: not served")
    drain_s: float = Field(
        default=10.0, ge=0, le=300, description="seconds that running work gets to end after SIGTERM"
    )


class GrpcSettings(InfraSettings):
    """What a role that serves or calls gRPC needs besides."""

    grpc_certificate: ReadableFile | None = Field(
        default=None, description="PEM certificate chain of this server; with it the server speaks TLS only"
    )
    grpc_private_key: ReadableFile | None = Field(default=None, description="PEM private key of grpc_certificate")
    grpc_client_authority: ReadableFile | None = Field(
        default=None, description="PEM authorities whose client certificates identify callers (mutual TLS)"
    )
    grpc_server_authority: ReadableFile | None = Field(
        default=None,
        description="PEM authorities that this role, as a client, trusts servers by; set: it calls with TLS",
    )
    grpc_token: str | None = Field(default=None, description="bearer token that this role, as a client, sends")
    grpc_token_hashes: ReadableFile | None = Field(
        default=None, description="file of callers that may call: a line each, name and SHA-256 of the token in hex"
    )
    grpc_message_bytes_max: int = Field(
        default=16 * 1024 * 1024, ge=65536, le=256 * 1024 * 1024, description="largest request or response"
    )
    grpc_streams_max: int = Field(
        default=1000, ge=1, le=100_000, description="calls and watches at once on one connection"
    )
    grpc_calls_max: int = Field(
        default=5000, ge=1, le=1_000_000, description="calls and watches at once on all connections"
    )
    grpc_deadline_default_s: float = Field(
        default=15.0, gt=0, le=600, description="deadline of a call that sets none (watches have none)"
    )
    grpc_deadline_max_s: float = Field(
        default=120.0, gt=0, le=3600, description="longest deadline that a caller gets (watches have none)"
    )

    @model_validator(mode="after")
    def _certificate_and_key_together(self) -> Self:
        if (self.grpc_certificate is None) != (self.grpc_private_key is None):
            raise ValueError("XIANGTONG_GRPC_CERTIFICATE and XIANGTONG_GRPC_PRIVATE_KEY: set both or neither")
        if self.grpc_client_authority is not None and self.grpc_certificate is None:
            raise ValueError("XIANGTONG_GRPC_CLIENT_AUTHORITY: needs XIANGTONG_GRPC_CERTIFICATE too")
        return self


def load(settings_class: type[SettingsT]) -> SettingsT:
    """The settings of this process. Exits with code 2 and one line per bad value, named by its variable."""
    try:
        return settings_class()
    except ValidationError as error:
        for line in _complaints(error):
            print(line, file=sys.stderr)  # noqa: T201 – logging is not configured before settings are read
        raise SystemExit(BAD_SETTINGS_EXIT_CODE) from None


def variables(settings_class: type[BaseSettings]) -> frozenset[str]:
    """The names of every variable that `settings_class` reads."""
    return frozenset(row.variable for row in table(settings_class))


def table(settings_class: type[BaseSettings]) -> list[SettingRow]:
    """A row per setting, in the order of declaration, to be printed."""
    prefix = settings_class.model_config.get("env_prefix", PREFIX)
    return [
        SettingRow(
            variable=f"{prefix}{name}".upper(),
            kind=_kind(field.annotation),
            default="" if field.is_required() or field.default is None else str(field.default),
            description=field.description or "",
        )
        for name, field in settings_class.model_fields.items()
    ]


def _complaints(error: ValidationError) -> list[str]:
    lines = []
    for problem in error.errors():
        expectation = problem["msg"].removeprefix("Value error, ")
        if not problem["loc"]:  # about several settings at once: the message names them
            lines.append(expectation)
            continue
        variable = f"{PREFIX}{problem['loc'][0]}".upper()
        lines.append(f"{variable}: {expectation}{_shown(variable, problem['input'])}")
    return lines


def _shown(variable: str, value: Any) -> str:
    if any(word in variable for word in SECRET_WORDS) or not isinstance(value, str):
        return ""
    return f" (got {value!r})"


def _kind(annotation: Any) -> str:
    if isinstance(annotation, type):
        return annotation.__name__
    choices = [choice for choice in get_args(annotation) if choice is not type(None)]
    return " or ".join(choices) if get_origin(annotation) is Literal else _kind(choices[0])
