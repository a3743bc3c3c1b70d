"""Topics as the event log creates them."""

from __future__ import annotations

from services.vehicle_tracking.adapters.log_topics import topics
from services.vehicle_tracking.settings import TrackingSettings


def test_positions_and_alarms_share_their_partitions() -> None:
    counts = {topic.name: topic.partition_count for topic in topics(TrackingSettings(partition_count=3))}
    assert counts == {"positions": 3, "alarms": 3, "dead-letters": 1}
