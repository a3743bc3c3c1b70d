"""Settings of the gateway: one frozen object, read from the environment once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from common.infra.settings import GrpcSettings, Port, ReadableFile

ROOT = Path(__file__).resolve().parents[2]


def _addresses(value: str) -> str:
    for address in value.split(","):
        if not address.strip():
            raise ValueError("expected addresses separated by commas")
    return value


def _origins(value: str) -> str:
    for origin in value.split(","):
        parts = urlsplit(origin.strip())
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.path or parts.query:
            raise ValueError("expected https://host[:port], or several of them separated by commas")
    return value


def _template(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("", "http", "https") or (not parts.scheme and not value.startswith("/")):
        raise ValueError("expected an http(s) URL, or a path on this host that begins with /")
    return value


Origins = Annotated[str, AfterValidator(_origins)]
Addresses = Annotated[str, AfterValidator(_addresses)]
UrlTemplate = Annotated[str, AfterValidator(_template)]


class GatewaySettings(GrpcSettings):
    """Everything that the gateway can be told."""

    gateway_host: str = Field(default="127.0.0.1", description="address that browsers connect to")
    gateway_port: Port = Field(default=8000, description="HTTP port that browsers connect to; 0: any free")
    gateway_api: str | None = Field(
        default=None, description="host:port of the api role; unset: XIANGTONG_API_HOST and XIANGTONG_API_PORT"
    )
    api_host: str = Field(default="127.0.0.1", description="address of TrackingService and RegistryService")
    api_port: Port = Field(default=6851, description="gRPC port of TrackingService and RegistryService; 0: any free")
    gateway_console: Path = Field(default=Path("web/dist"), description="folder of the built console")
    gateway_certificate: ReadableFile | None = Field(
        default=None, description="PEM certificate chain for browsers; with it the gateway speaks HTTPS only"
    )
    gateway_private_key: ReadableFile | None = Field(default=None, description="PEM private key of it")
    gateway_https_outside: bool = Field(
        default=False, description="whether a proxy in front speaks HTTPS: cookies are then Secure"
    )
    gateway_proxies: Addresses | None = Field(
        default=None, description="addresses or networks of proxies whose X-Forwarded-For is believed, by commas"
    )
    gateway_origins: Origins | None = Field(
        default=None, description="further origins whose pages may write, https://host[:port], by commas"
    )
    gateway_live_interval_ms: int = Field(
        default=1000, ge=200, le=10_000, description="milliseconds between frames of the live stream"
    )
    gateway_browsers_max: int = Field(default=500, ge=1, le=20_000, description="live streams at once")
    gateway_requests_per_s: float = Field(
        default=20.0, gt=0, le=10_000, description="requests a second that one session may keep up (bursts: ten times)"
    )
    session_idle_s: int = Field(
        default=8 * 3600, ge=1, le=30 * 86400, description="seconds without a request after which a session ends"
    )
    session_age_s: int = Field(
        default=7 * 86400, ge=1, le=90 * 86400, description="seconds after sign-in at which a session ends"
    )
    map_kind: Literal["none", "xyz", "wmts"] = Field(
        default="none", description="what the base map beside the shipped shapes is"
    )
    map_url: UrlTemplate | None = Field(
        default=None, description="URL template of tiles with {z} {x} {y}, and {s} where there are subdomains"
    )
    map_subdomains: str = Field(default="", description="what {s} stands for, by commas")
    map_datum: Literal["WGS84", "GCJ02"] = Field(default="WGS84", description="datum of the tiles")
    map_attribution: str = Field(default="", description="whose the tiles are, shown on the map")
    map_zoom_max: int = Field(default=18, ge=1, le=24, description="deepest zoom that has tiles")

    @model_validator(mode="after")
    def _belong_together(self) -> Self:
        if (self.gateway_certificate is None) != (self.gateway_private_key is None):
            raise ValueError("XIANGTONG_GATEWAY_CERTIFICATE and XIANGTONG_GATEWAY_PRIVATE_KEY: set both or neither")
        if (self.map_kind == "none") != (self.map_url is None):
            raise ValueError("XIANGTONG_MAP_KIND and XIANGTONG_MAP_URL: set both or neither")
        return self

    @property
    def api_address(self) -> str:
        """Where the api role listens. A role that listens on every address is on this machine's loopback too."""
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(self.api_host, self.api_host)  # noqa: S104 – compared, not bound
        return self.gateway_api or f"{host}:{self.api_port}"

    @property
    def console_folder(self) -> Path:
        """Where the built console is: as set, else beside the code, wherever this was started from."""
        return self.gateway_console if self.gateway_console.exists() else ROOT / self.gateway_console

    @property
    def https(self) -> bool:
        """Whether browsers come over HTTPS."""
        return self.gateway_certificate is not None or self.gateway_https_outside
