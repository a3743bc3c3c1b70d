"""`make services` gets what is missing, leaves what is there, and says what it cannot get."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts import services

FAKE_MAVEN = """#!/bin/sh
for word; do case $word in -DoutputDirectory=*) folder=${word#*=};; esac; done
mkdir -p "$folder" && touch "$folder/kafka_2.13-4.3.0.jar"
"""


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty machine: whatever is put into this folder is all that it has, beside /bin for the shell."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setattr("shutil.which", lambda name: str(folder / name) if (folder / name).exists() else None)
    monkeypatch.setattr(services, "missing", lambda name: f"no {name}")
    monkeypatch.setattr(services, "KAFKA_JARS", tmp_path / "kafka")
    monkeypatch.setattr(services, "HAN_FONTS", tmp_path / "fonts")
    monkeypatch.setattr(services, "POLICY", tmp_path / "policy-rc.d")
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.delenv("REQUIRE_SERVICES", raising=False)
    return folder


def put(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)
    (folder / name).chmod(0o755)


def test_an_empty_machine_gets_every_package_and_none_is_started(
    programs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(programs, "apt-get", f'#!/bin/sh\necho "Setting up $*"; cat {tmp_path}/policy-rc.d >>{tmp_path}/policies\n')
    assert services.main() == 0
    said = capsys.readouterr().out
    packages = "postgresql redis-server chromium fonts-noto-cjk default-jre-headless maven"
    assert f"Setting up install -y -q --no-install-recommends {packages}" in said
    assert (tmp_path / "policies").read_text().count("exit 101") == 2
    assert not (tmp_path / "policy-rc.d").exists()


def test_kafka_is_copied_once_and_again_when_its_list_changes(
    programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    put(programs, "mvn", FAKE_MAVEN)
    services.main()
    assert (tmp_path / "kafka" / "kafka_2.13-4.3.0.jar").exists()
    assert "copying" in capsys.readouterr().out
    services.main()
    assert "copying" not in capsys.readouterr().out
    (tmp_path / "pom.xml").write_text("a newer one")
    monkeypatch.setattr(services, "POM", tmp_path / "pom.xml")
    services.main()
    assert "copying" in capsys.readouterr().out


def test_a_copy_that_failed_is_not_taken_for_whole(
    programs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(programs, "mvn", f"{FAKE_MAVEN}\necho 'no route to anywhere'; exit 1\n")
    services.main()
    assert "mvn failed:\nno route to anywhere" in capsys.readouterr().out
    assert not services.has_kafka()


def test_without_root_it_says_what_to_install(
    programs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    put(programs, "apt-get", "#!/bin/sh\nexit 99\n")
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert services.main() == 0
    said = capsys.readouterr().out
    assert "this is not root; please install: postgresql redis-server" in said
    assert "Kafka comes through Maven; please install Maven and Java" in said
    assert "redis is missing: no redis" in said
    assert "will be skipped" in said


def test_what_is_required_and_missing_fails(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUIRE_SERVICES", "1")
    assert services.main() == 1


def test_a_complete_machine_is_left_alone(
    programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for program in ("apt-get", "mvn", "java"):
        put(programs, program, "#!/bin/sh\nexit 99\n")
    monkeypatch.setattr(services, "missing", lambda name: None)
    (tmp_path / "fonts").mkdir()
    (tmp_path / "fonts" / "NotoSansCJK.ttc").touch()
    (tmp_path / "kafka").mkdir()
    (tmp_path / "kafka" / ".pom").write_bytes(services.POM.read_bytes())
    monkeypatch.setenv("REQUIRE_SERVICES", "1")
    assert services.main() == 0
    assert capsys.readouterr().out.startswith("services: kafka, postgres, redis, chromium ready")
