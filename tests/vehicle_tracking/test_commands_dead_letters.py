"""`xiangtong tracking dead-letters` on a real log."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from common.infra.event_logs import open_log
from common.infra.log import NewRecord, TopicPartition
from services.command_line import app
from services.vehicle_tracking import commands_dead_letters
from services.vehicle_tracking.adapters.log_topics import topics
from services.vehicle_tracking.commands_dead_letters import newest
from services.vehicle_tracking.domain.topics import DEAD_LETTERS
from services.vehicle_tracking.settings import TrackingSettings
from simulation import frames
from tests.vehicle_tracking.access_world import IDENTITY
from tests.vehicle_tracking.memory_log import MemoryLog

FRAME = frames.frame(IDENTITY, frames.LOCATION, 1, b"short")
FROM_TERMINAL = NewRecord(DEAD_LETTERS, 0, FRAME, (("reason", b"BODY_SHORT"), ("source", b"terminal")))
FROM_LOG = NewRecord(DEAD_LETTERS, 0, b"x", (("reason", b"DAMAGED"), ("topic", b"positions"), ("offset", b"77")))


def run(*options: str) -> Result:
    return CliRunner().invoke(app, ["tracking", "dead-letters", *options])


def rows(answer: Result) -> list[dict[str, Any]]:
    assert answer.exit_code == 0, answer.output
    return [json.loads(line) for line in answer.stdout.splitlines()]


@pytest.mark.enable_socket
@pytest.mark.services("postgres")
def test_letters_are_printed_by_reason_with_their_bytes(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XIANGTONG_POSTGRES", postgres_url)
    unprepared = run()
    assert (unprepared.exit_code, "xiangtong prepare" in unprepared.stderr.replace("\n", " ")) == (1, True)
    settings = TrackingSettings()
    log = open_log(settings)
    log.create_topics(topics(settings))
    assert run().stderr.startswith("no letters at all")
    producer = log.producer()
    producer.append([FROM_TERMINAL, FROM_LOG, FROM_LOG])
    producer.close()
    log.close()
    assert [(row["reason"], row["length"], row["hex"]) for row in rows(run())] == [
        ("BODY_SHORT", len(FRAME), FRAME.hex()),
        ("DAMAGED", 1, "78"),
        ("DAMAGED", 1, "78"),
    ]
    [row] = rows(run("--reason", "body_short", "--last", "1"))
    assert (row["source"], row["time"][-6:]) == ("terminal", "+08:00")
    assert [(row["topic"], row["offset"]) for row in rows(run("--last", "1"))] == [("positions", "77")]
    assert run("--reason", "CHECKSUM").stderr.startswith("no letters of reason CHECKSUM")
    as_hex = run("--hex", "--reason", "BODY_SHORT").stdout
    [decoded] = CliRunner().invoke(app, ["jt808", "decode"], input=as_hex).stdout.splitlines()
    assert json.loads(decoded)["rejections"][0]["reason"] == "BODY_SHORT"


@pytest.mark.enable_socket
@pytest.mark.services("kafka")
def test_letters_are_found_in_kafka_too(kafka_address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XIANGTONG_KAFKA", kafka_address)
    monkeypatch.setattr(commands_dead_letters, "RECORDS_AT_ONCE", 2)
    settings = TrackingSettings()
    log = open_log(settings)
    log.create_topics(topics(settings))
    producer = log.producer()
    producer.append([NewRecord(DEAD_LETTERS, 0, bytes([n]), (("reason", b"ONLY_HERE"),)) for n in range(5)])
    producer.close()
    log.close()
    assert run("--hex", "--last", "4", "--reason", "only_here").stdout.split() == ["01", "02", "03", "04"]


def test_the_newest_of_a_reason_are_found_behind_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands_dead_letters, "RECORDS_AT_ONCE", 3)
    log = MemoryLog()
    log.producer().append([FROM_TERMINAL, FROM_LOG, FROM_TERMINAL, *[FROM_LOG] * 7])
    assert [record.offset for record in newest(log, 5, "BODY_SHORT")] == [0, 2]
    assert [record.offset for record in newest(log, 1, "BODY_SHORT")] == [2]
    assert [record.offset for record in newest(log, 4)] == [6, 7, 8, 9]


def test_what_was_dropped_and_what_is_far_back_is_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    log = MemoryLog()
    log.producer().append([FROM_LOG] * 10)
    log.oldest_offset = 4
    assert [record.offset for record in newest(log, 100)] == [4, 5, 6, 7, 8, 9]
    monkeypatch.setattr(commands_dead_letters, "RECORDS_LOOKED_AT_MAX", 2)
    assert [record.offset for record in newest(log, 100)] == [8, 9]
    assert log.read(TopicPartition(DEAD_LETTERS, 0), 10) == []
