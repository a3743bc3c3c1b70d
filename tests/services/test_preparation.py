"""Tables and topics are made once, however often and by however many they are asked for."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from common.infra.event_logs import open_log
from common.infra.log import TopicPartition
from services.preparation import prepare
from services.vehicle_tracking.domain.topics import ALARMS, DEAD_LETTERS, POSITIONS
from services.vehicle_tracking.settings import TrackingSettings

pytestmark = [pytest.mark.enable_socket, pytest.mark.services("postgres")]


@pytest.fixture
def settings(postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TrackingSettings:
    monkeypatch.setenv("XIANGTONG_POSTGRES", postgres_url)
    monkeypatch.setenv("XIANGTONG_DATA", str(tmp_path))
    return TrackingSettings()


def test_every_table_and_topic_is_there_after_several_prepare_at_once(settings: TrackingSettings) -> None:
    with ThreadPoolExecutor(4) as threads:
        for done in [threads.submit(prepare) for _ in range(4)]:
            done.result()
    prepare()
    assert settings.postgres is not None
    with psycopg.connect(settings.postgres) as connection:
        rows = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
    assert {"vehicles", "terminals", "fences", "alarms", "checkpoints", "audit_log"} <= {name for (name,) in rows}
    log = open_log(settings)
    try:
        for topic in (POSITIONS, ALARMS, DEAD_LETTERS):
            assert log.bounds(TopicPartition(topic, 0)) == (0, 0)
    finally:
        log.close()
