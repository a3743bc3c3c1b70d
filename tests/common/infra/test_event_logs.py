"""Settings choose the event log."""

from __future__ import annotations

import pytest

from common.infra.event_logs import open_log
from common.infra.log_postgres import PostgresLog
from common.infra.settings import InfraSettings

pytestmark = [pytest.mark.enable_socket, pytest.mark.services("postgres")]


def test_without_brokers_the_log_is_kept_in_postgresql(postgres_url: str) -> None:
    log = open_log(InfraSettings(postgres=postgres_url))
    assert isinstance(log, PostgresLog)
    log.ping()
    log.close()


def test_with_brokers_it_is_kept_in_kafka() -> None:
    log = open_log(InfraSettings(kafka="127.0.0.1:9"))
    assert type(log).__name__ == "KafkaLog"
    log.close()
