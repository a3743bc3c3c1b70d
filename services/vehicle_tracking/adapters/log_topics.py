"""The topics of this service as the event log creates them."""

from __future__ import annotations

from common.infra.log import Topic
from services.vehicle_tracking.domain.topics import ALARMS, DEAD_LETTERS, POSITIONS
from services.vehicle_tracking.settings import TrackingSettings

HOUR_MS = 3_600_000
DEAD_LETTERS_RETENTION_H = 24 * 30  # somebody must find the time to look at them


def topics(settings: TrackingSettings) -> list[Topic]:
    """Every topic that this service reads or writes."""
    return [
        Topic(POSITIONS, settings.partition_count, settings.positions_retention_h * HOUR_MS),
        Topic(ALARMS, settings.partition_count, settings.alarms_retention_h * HOUR_MS),
        Topic(DEAD_LETTERS, 1, DEAD_LETTERS_RETENTION_H * HOUR_MS),
    ]
