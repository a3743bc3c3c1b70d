"""Both event logs keep the same promises."""

from __future__ import annotations

import pytest

from tests.common.infra.log_conformance import RecordConformance
from tests.common.infra.log_conformance_groups import GroupConformance, OutageConformance
from tests.common.infra.log_place import LogPlace
from tests.real_servers import KafkaServer, PostgresServer


@pytest.mark.enable_socket
@pytest.mark.services("postgres")
class TestPostgres(RecordConformance, GroupConformance):
    @pytest.fixture
    def place(self, postgres_url: str) -> LogPlace:
        return LogPlace("postgres", postgres_url)


@pytest.mark.enable_socket
@pytest.mark.services("kafka")
class TestKafka(RecordConformance, GroupConformance):
    @pytest.fixture
    def place(self, kafka_address: str) -> LogPlace:
        return LogPlace("kafka", kafka_address)


@pytest.mark.enable_socket
@pytest.mark.services("postgres")
class TestPostgresOutage(OutageConformance):
    @pytest.fixture
    def server(self, postgres_server: PostgresServer) -> PostgresServer:
        return postgres_server

    @pytest.fixture
    def place(self, server: PostgresServer) -> LogPlace:
        return LogPlace("postgres", server.url())


@pytest.mark.enable_socket
@pytest.mark.services("kafka")
class TestKafkaOutage(OutageConformance):
    kills = 1  # it takes its time to come back

    @pytest.fixture
    def server(self, kafka_server: KafkaServer) -> KafkaServer:
        return kafka_server

    @pytest.fixture
    def place(self, server: KafkaServer) -> LogPlace:
        return LogPlace("kafka", server.address)
