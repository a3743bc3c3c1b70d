"""Settings of the service: what is refused, and by which name."""

from __future__ import annotations

import pytest

from common.infra.settings import load
from services.vehicle_tracking.settings import TrackingSettings


def test_servers_bind_to_loopback_unless_told_otherwise() -> None:
    settings = TrackingSettings()
    assert {settings.access_host, settings.ingest_host, settings.api_host} == {"127.0.0.1"}


def test_unknown_terminals_are_refused_unless_told_otherwise() -> None:
    assert not TrackingSettings().terminal_registry_open


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("XIANGTONG_ACCESS_PORT", "70000"),
        ("XIANGTONG_POLL_MS", "0"),
        ("XIANGTONG_NIGHT_FACTOR", "1.5"),
        ("XIANGTONG_CHECKPOINT_INTERVAL_S", "never"),
        ("XIANGTONG_OFFLINE_STANDING_S", "20"),
    ],
)
def test_a_bad_value_is_refused_by_its_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SystemExit):
        load(TrackingSettings)
    assert capsys.readouterr().err.startswith(variable)
