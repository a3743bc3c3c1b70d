"""`xiangtong tracking dead-letters` on a real log."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from common.infra.event_logs import open_log
from common.infra.log import NewRecord
from services.command_line import app
from services.vehicle_tracking.adapters.log_topics import topics
from services.vehicle_tracking.domain.topics import DEAD_LETTERS
from services.vehicle_tracking.settings import TrackingSettings

pytestmark = [pytest.mark.enable_socket, pytest.mark.services("postgres")]


def test_letters_are_printed_by_reason_with_their_bytes(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XIANGTONG_POSTGRES", postgres_url)
    settings = TrackingSettings()
    log = open_log(settings)
    log.create_topics(topics(settings))
    assert CliRunner().invoke(app, ["tracking", "dead-letters"]).output.startswith("no such letters")
    producer = log.producer()
    producer.append(
        [
            NewRecord(DEAD_LETTERS, 0, b"\x7e\x01\x7e", (("reason", b"CHECKSUM"), ("source", b"terminal"))),
            NewRecord(DEAD_LETTERS, 0, b"x", (("reason", b"DAMAGED"), ("topic", b"positions"))),
        ]
    )
    producer.close()
    log.close()
    answer = CliRunner().invoke(app, ["tracking", "dead-letters", "--reason", "checksum"])
    assert answer.exit_code == 0
    [letter] = [json.loads(line) for line in answer.output.splitlines()]
    assert (letter["reason"], letter["source"], letter["hex"], letter["bytes"]) == ("CHECKSUM", "terminal", "7e017e", 3)
    assert len(CliRunner().invoke(app, ["tracking", "dead-letters"]).output.splitlines()) == 2
