"""Settings of the gateway, and which wrong ones are refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from common.infra.settings import load
from services.gateway.settings import ROOT, GatewaySettings


def test_the_api_is_on_this_machine_unless_said_otherwise() -> None:
    assert GatewaySettings().api_address == "127.0.0.1:6851"
    assert GatewaySettings(api_host="0.0.0.0").api_address == "127.0.0.1:6851"
    assert GatewaySettings(api_host="::", api_port=7).api_address == "[::1]:7"
    assert GatewaySettings(gateway_api="tracking-api:6851", api_host="0.0.0.0").api_address == "tracking-api:6851"


def test_the_console_is_found_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert GatewaySettings().console_folder == ROOT / "web" / "dist"
    (tmp_path / "mine").mkdir()
    assert GatewaySettings(gateway_console=Path("mine")).console_folder == Path("mine")
    assert GatewaySettings(gateway_console=tmp_path / "no").console_folder == tmp_path / "no"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("XIANGTONG_GATEWAY_ORIGINS", "console.example"),
        ("XIANGTONG_GATEWAY_ORIGINS", "https://a.example/path"),
        ("XIANGTONG_GATEWAY_PROXIES", "10.0.0.1,,10.0.0.2"),
        ("XIANGTONG_MAP_URL", "ftp://tiles"),
        ("XIANGTONG_MAP_KIND", "xyz"),
        ("XIANGTONG_GATEWAY_CERTIFICATE", "/nowhere"),
        ("XIANGTONG_GATEWAY_LIVE_INTERVAL_MS", "10"),
    ],
)
def test_a_wrong_setting_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SystemExit):
        load(GatewaySettings)
    assert variable in capsys.readouterr().err
