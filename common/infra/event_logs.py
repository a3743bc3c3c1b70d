"""Which event log the settings ask for."""

from __future__ import annotations

from common.infra.log import EventLog
from common.infra.log_postgres import PostgresLog
from common.infra.servers import postgres_url
from common.infra.settings import InfraSettings


def open_log(settings: InfraSettings) -> EventLog:
    """The event log on Kafka where `settings.kafka` names brokers, else in PostgreSQL."""
    if settings.kafka is None:
        return PostgresLog(postgres_url(settings))
    from common.infra.log_kafka import KafkaLog  # who keeps the log in PostgreSQL waits for no Kafka client to load

    return KafkaLog(settings.kafka)
