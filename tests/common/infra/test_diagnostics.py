"""Log lines and traces."""

from __future__ import annotations

import json
import logging
import sys
import threading
from collections.abc import Iterator

import pytest
import structlog

from common.infra import diagnostics
from common.infra.settings import InfraSettings


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    hooks = sys.excepthook, threading.excepthook
    yield
    sys.excepthook, threading.excepthook = hooks
    logging.captureWarnings(False)
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_a_json_line_says_role_event_and_trace(capsys: pytest.CaptureFixture[str]) -> None:
    diagnostics.configure("tracking-engine", InfraSettings(log_format="json"))
    with diagnostics.traced(diagnostics.new_trace(request_id="order-7")) as work:
        diagnostics.logger("engine").warning("checkpoint late", partition=3)
    (line,) = lines(capsys)
    line.pop("timestamp")
    assert line == {
        "event": "checkpoint late",
        "level": "warning",
        "logger": "engine",
        "role": "tracking-engine",
        "partition": 3,
        "request_id": "order-7",
        "trace_id": work.trace_id,
    }


def test_lines_of_libraries_look_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    diagnostics.configure("tracking-api", InfraSettings(log_format="json"))
    logging.getLogger("psycopg.pool").warning("could not %s", "connect")
    (line,) = lines(capsys)
    assert (line["event"], line["role"], line["logger"]) == ("could not connect", "tracking-api", "psycopg.pool")


def test_a_traceback_does_not_show_what_variables_held(capsys: pytest.CaptureFixture[str]) -> None:
    for log_format in ("json", "console"):
        diagnostics.configure("tracking-api", InfraSettings.model_validate({"log_format": log_format}))
        try:
            _fail("湘A" + "12" * 3)
        except ZeroDivisionError:
            diagnostics.logger("api").exception("failed")
        text = capsys.readouterr().err
        assert "ZeroDivisionError" in text
        assert "湘A121212" not in text


def test_a_crash_of_a_thread_or_of_the_process_is_a_log_line_too(capsys: pytest.CaptureFixture[str]) -> None:
    diagnostics.configure("tracking-engine", InfraSettings(log_format="json"))
    thread = threading.Thread(target=_fail, args=("x",))
    thread.start()
    thread.join()
    sys.excepthook(ValueError, ValueError("at the end"), None)
    found = lines(capsys)
    assert [(line["event"], line["level"], line["role"]) for line in found] == [
        ("crashed", "critical", "tracking-engine"),
        ("crashed", "critical", "tracking-engine"),
    ]
    assert "ZeroDivisionError" in str(found[0]["exception"])
    assert "at the end" in str(found[1]["exception"])


def test_what_is_below_the_level_is_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    diagnostics.configure("tracking-api", InfraSettings(log_format="json", log_level="warning"))
    diagnostics.logger("api").info("started")
    assert lines(capsys) == []


def test_a_forged_line_stays_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    diagnostics.configure("tracking-api", InfraSettings(log_format="json"))
    diagnostics.logger("api").info("refused", plate='x\n{"event": "forged"}')
    assert len(lines(capsys)) == 1


def test_a_well_formed_traceparent_is_continued() -> None:
    work = diagnostics.new_trace(traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    assert work.trace_id == "0af7651916cd43dd8448eb211c80319c"
    assert work.span_id != "b7ad6b7169203331"
    assert work.traceparent() == f"00-{work.trace_id}-{work.span_id}-01"


@pytest.mark.parametrize("header", [None, "", "00-" + "0" * 32 + "-b7ad6b7169203331-01", "00-XYZ-1-01", "x" * 5000])
def test_anything_else_begins_a_new_trace(header: str | None) -> None:
    first, second = diagnostics.new_trace(traceparent=header), diagnostics.new_trace(traceparent=header)
    assert len(first.trace_id) == 32
    assert first.trace_id not in (second.trace_id, "0" * 32)


@pytest.mark.parametrize("request_id", ["a b", "x\ny", "长", "x" * 65, ""])
def test_a_request_id_that_could_forge_log_lines_is_replaced(request_id: str) -> None:
    work = diagnostics.new_trace(request_id=request_id)
    assert work.request_id == work.trace_id


def test_outside_of_a_request_there_is_no_trace() -> None:
    assert diagnostics.trace() is None


def _fail(plate: str) -> float:
    return len(plate) / 0
