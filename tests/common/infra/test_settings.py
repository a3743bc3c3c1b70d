"""Settings from the environment."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import Field, ValidationError

from common.infra.settings import GrpcSettings, InfraSettings, load, table, variables


class AccessSettings(GrpcSettings):
    access_port: int = Field(default=8080, ge=0, le=65535, description="port of terminals")


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in variables(AccessSettings):
        monkeypatch.delenv(variable, raising=False)


def complaints(capsys: pytest.CaptureFixture[str]) -> list[str]:
    with pytest.raises(SystemExit) as refusal:
        load(AccessSettings)
    assert refusal.value.code == 2
    return capsys.readouterr().err.splitlines()


def test_with_nothing_set_everything_is_on_this_machine() -> None:
    settings = load(AccessSettings)
    assert (settings.kafka, settings.postgres, settings.redis, settings.archive) == (None, None, None, None)
    assert (settings.partition_count, settings.access_port) == (8, 8080)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("kafka", "one:9092,two:9092"),
        ("postgres", "postgresql://xiangtong@/tracking?host=/run/pg"),
        ("redis", "unix:///run/redis.sock"),
        ("redis", "rediss://:secret@live:6379/0"),
        ("archive", "/srv/tracks"),
        ("archive", "s3://tracks/hunan?endpoint_override=storage:9000&scheme=http"),
        ("log_format", "json"),
    ],
)
def test_a_good_value_is_taken_as_it_is(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"XIANGTONG_{name.upper()}", value)
    assert getattr(load(AccessSettings), name) == value


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("XIANGTONG_KAFKA", "broker", "expected host:port"),
        ("XIANGTONG_KAFKA", "broker:99999", "expected host:port"),
        ("XIANGTONG_POSTGRES", "mysql://x", "expected a URL that begins with postgresql:// or postgres://"),
        ("XIANGTONG_REDIS", "live:6379", "expected a URL that begins with redis://"),
        ("XIANGTONG_ARCHIVE", "ftp://x", "expected a folder, or s3://"),
        ("XIANGTONG_PARTITION_COUNT", "0", "greater than or equal to 1"),
        ("XIANGTONG_PARTITION_COUNT", "many", "valid integer"),
        ("XIANGTONG_LOG_FORMAT", "xml", "'json' or 'console'"),
        ("XIANGTONG_ACCESS_PORT", "70000", "less than or equal to 65535"),
        ("XIANGTONG_GRPC_TOKEN_HASHES", "/nowhere", "expected the path of a readable file"),
    ],
)
def test_a_bad_value_is_refused_by_name(
    variable: str,
    value: str,
    expected: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(variable, value)
    (line,) = complaints(capsys)
    assert line.startswith(f"{variable}: ")
    assert expected in line


def test_each_bad_value_has_its_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("XIANGTONG_ACCESS_PORT", "-1")
    monkeypatch.setenv("XIANGTONG_KAFKA", "x")
    assert [line.split(":")[0] for line in complaints(capsys)] == ["XIANGTONG_KAFKA", "XIANGTONG_ACCESS_PORT"]


def test_a_password_is_not_shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("XIANGTONG_POSTGRES", "pg://user:hunter2@db")
    assert "hunter2" not in "".join(complaints(capsys))


def test_a_certificate_needs_its_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    certificate = tmp_path / "server.pem"
    certificate.write_text("")
    monkeypatch.setenv("XIANGTONG_GRPC_CERTIFICATE", str(certificate))
    assert complaints(capsys) == [
        "XIANGTONG_GRPC_CERTIFICATE and XIANGTONG_GRPC_PRIVATE_KEY: set both or neither",
    ]


def test_an_empty_variable_is_an_unset_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XIANGTONG_KAFKA", "")
    assert load(AccessSettings).kafka is None


def test_settings_do_not_change() -> None:
    settings = InfraSettings()
    with pytest.raises(ValidationError, match="frozen"):
        settings.kafka = "x:1"


def test_every_setting_is_explained_in_the_table() -> None:
    rows = table(AccessSettings)
    assert [row.variable for row in rows if not row.description] == []
    kinds = {row.variable: (row.kind, row.default) for row in rows}
    assert kinds["XIANGTONG_KAFKA"] == ("str", "")
    assert kinds["XIANGTONG_LOG_FORMAT"] == ("json or console", "console")
    assert kinds["XIANGTONG_DATA"] == ("Path", ".run")
    assert kinds["XIANGTONG_ACCESS_PORT"] == ("int", "8080")
