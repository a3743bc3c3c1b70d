"""Settings of this service: one frozen object, read from the environment once."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from common.infra.settings import GrpcSettings, Port

DAY_S = 24 * 3600


class TrackingSettings(GrpcSettings):
    """Everything that the roles access, engine and api can be told."""

    access_host: str = Field(default="127.0.0.1", description="address that terminals connect to")
    access_port: Port = Field(default=6808, description="TCP port that terminals connect to (JT/T 808); 0: any free")
    access_links_max: int = Field(
        default=50_000, ge=1, le=1_000_000, description="open links of terminals at once; more are closed at once"
    )
    access_idle_s: float = Field(
        default=300.0, ge=1, le=DAY_S, description="seconds of silence after which a terminal's link is closed"
    )
    access_login_s: float = Field(
        default=30.0, ge=1, le=600, description="seconds that a new link gets to authenticate itself"
    )
    access_waiting_positions_max: int = Field(
        default=200_000, ge=1000, le=10_000_000, description="positions not yet durable at which access stops reading"
    )
    terminal_registry_open: bool = Field(
        default=False, description="whether unknown terminals that register are added instead of refused"
    )
    ingest_host: str = Field(default="127.0.0.1", description="address of PositionIngestService")
    ingest_port: Port = Field(default=6852, description="gRPC port of PositionIngestService; 0: any free")
    api_host: str = Field(default="127.0.0.1", description="address of TrackingService and RegistryService")
    api_port: Port = Field(default=6851, description="gRPC port of TrackingService and RegistryService; 0: any free")

    positions_retention_h: int = Field(
        default=72, ge=1, le=24 * 90, description="hours that positions stay in the event log (tracks stay for good)"
    )
    alarms_retention_h: int = Field(default=24 * 7, ge=1, le=24 * 90, description="hours that alarms stay there")
    poll_ms: int = Field(
        default=50, ge=1, le=5000, description="milliseconds that the engine waits for positions; bounds alarm delay"
    )
    checkpoint_interval_s: float = Field(
        default=30.0, ge=0.05, le=3600, description="seconds between checkpoints; what a crash repeats at most"
    )
    checkpoint_positions_max: int = Field(
        default=250_000,
        ge=100,
        le=5_000_000,
        description="positions of one partition that make a track file due earlier; bounds memory (70 bytes each)",
    )
    live_interval_ms: int = Field(
        default=500, ge=50, le=60_000, description="milliseconds between writes of latest positions to Redis"
    )
    changes_poll_ms: int = Field(
        default=300, ge=20, le=60_000, description="milliseconds between looks for changed fences, vehicles, terminals"
    )
    poison_share_max: float = Field(
        default=0.2, gt=0, le=1, description="share of damaged records at which the engine stops: then the bug is ours"
    )

    night_start_minute: int = Field(
        default=22 * 60, ge=0, lt=1440, description="minute of the day (Shanghai) at which lower night limits begin"
    )
    night_end_minute: int = Field(default=5 * 60, ge=0, lt=1440, description="minute of the day at which they end")
    night_factor: float = Field(
        default=0.8, gt=0, le=1, description="share of the speed limit that holds at night for passenger vehicles"
    )
    overspeed_duration_s: int = Field(
        default=30, ge=0, le=3600, description="seconds over the limit before overspeed is raised"
    )
    overspeed_merge_gap_s: int = Field(
        default=60, ge=1, le=3600, description="seconds between two fixes over the limit that are still one episode"
    )
    speed_kmh_max_coach: int = Field(default=100, ge=1, le=250, description="limit of coaches, tour coaches, charters")
    speed_kmh_max_hazmat: int = Field(default=80, ge=1, le=250, description="limit of vehicles with dangerous goods")
    speed_kmh_max_bus: int = Field(default=60, ge=1, le=250, description="limit of buses")
    speed_kmh_max_taxi: int = Field(default=120, ge=1, le=250, description="limit of taxis")
    speed_kmh_max_freight: int = Field(default=100, ge=1, le=250, description="limit of freight vehicles")
    speed_kmh_max_other: int = Field(default=120, ge=1, le=250, description="limit of all other vehicles")
    cross_gap_s: int = Field(
        default=120, ge=1, le=3600, description="seconds between two fixes whose straight line may cross a fence"
    )
    offline_moving_s: int = Field(
        default=300, ge=10, le=DAY_S, description="seconds of silence after which a moving vehicle is offline"
    )
    offline_standing_s: int = Field(
        default=DAY_S, ge=10, le=30 * DAY_S, description="seconds of silence after which a standing one is offline"
    )
    moving_kmh: float = Field(default=5.0, ge=0, le=50, description="speed above which a vehicle counts as moving")
    displacement_gap_s: int = Field(
        default=1800, ge=60, le=30 * DAY_S, description="seconds without a fix from which offline displacement counts"
    )
    displacement_km: float = Field(default=20.0, gt=0, le=1000, description="how far it must have gone meanwhile")
    displacement_kmh_max: float = Field(
        default=102.0, gt=0, le=1000, description="implied speed above which it is a wrong fix, not a displacement"
    )
    future_s: int = Field(
        default=60, ge=0, le=3600, description="seconds that a fix may lie ahead of our clock; more is a wrong time"
    )
    late_s: int = Field(
        default=300, ge=10, le=DAY_S, description="seconds between fix and receipt beyond which an alarm is late"
    )

    @model_validator(mode="after")
    def _bounds_fit(self) -> Self:
        if self.offline_standing_s < self.offline_moving_s:
            raise ValueError("XIANGTONG_OFFLINE_STANDING_S: must not be less than XIANGTONG_OFFLINE_MOVING_S")
        return self
