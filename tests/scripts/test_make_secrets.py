"""Secrets for compose and Kubernetes."""

from __future__ import annotations

import re
from pathlib import Path

from common.infra.callers import read_token_hashes, token_hash
from scripts import make_secrets

ROOT = Path(__file__).resolve().parents[2]


def test_the_gateways_token_is_one_that_servers_know(tmp_path: Path) -> None:
    assert make_secrets.main(tmp_path / "secrets") == 0
    token = (tmp_path / "secrets" / "kubernetes" / "grpc-token").read_text()
    assert read_token_hashes(tmp_path / "secrets" / "token-hashes") == {token_hash(token): "gateway"}
    assert f"GRPC_TOKEN={token}" in (tmp_path / "secrets" / "compose.env").read_text()


def test_only_the_owner_reads_them_and_they_are_never_made_anew(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    make_secrets.main(folder)
    password = (folder / "kubernetes" / "postgres-password").read_text()
    assert (folder / "compose.env").stat().st_mode & 0o077 == 0
    assert (folder / "kubernetes").stat().st_mode & 0o077 == 0
    assert make_secrets.main(folder) == 1
    assert (folder / "kubernetes" / "postgres-password").read_text() == password


def test_everything_that_the_one_node_overlay_refers_to_is_made(tmp_path: Path) -> None:
    make_secrets.main(tmp_path / "secrets")
    made = {path.name for path in (tmp_path / "secrets" / "kubernetes").iterdir()}
    manifests = [*(ROOT / "k8s" / "base").glob("*.yaml"), *(ROOT / "k8s" / "overlays" / "one-node").glob("*.yaml")]
    text = "".join(path.read_text() for path in manifests)
    wanted = set(re.findall(r"secretKeyRef:\s+name: xiangtong\s+key: (\S+)", text)) | {"token-hashes"}
    assert wanted <= made
