"""Tables and topics, made or brought up to date before any role starts."""

from __future__ import annotations

from pathlib import Path

from common.infra.event_logs import open_log
from common.infra.migrations import migrate
from common.infra.servers import postgres_url
from common.infra.settings import load
from services.vehicle_tracking.adapters.log_topics import topics
from services.vehicle_tracking.settings import TrackingSettings

HERE = Path(__file__).parent
MIGRATIONS = tuple(HERE / service / "migrations" for service in ("vehicle_tracking", "gateway", "etc_billing"))


def prepare() -> None:
    """Apply every migration and create every topic. Repeating it changes nothing; several at once are safe."""
    settings = load(TrackingSettings)
    url = postgres_url(settings)
    for folder in MIGRATIONS:
        migrate(url, folder)
    log = open_log(settings)
    try:
        log.create_topics(topics(settings))
    finally:
        log.close()
