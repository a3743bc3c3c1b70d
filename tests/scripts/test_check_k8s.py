"""What the check of manifests finds."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts import check_k8s

ROOT = Path(__file__).resolve().parents[2]
PROBE = {"httpGet": {"path": "/readyz", "port": "metrics"}}
SOUND: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "gateway"},
    "spec": {
        "selector": {"matchLabels": {"app": "gateway"}},
        "template": {
            "metadata": {"labels": {"app": "gateway"}},
            "spec": {
                "securityContext": {"runAsNonRoot": True},
                "containers": [
                    {
                        "name": "role",
                        "image": "xiangtong:1",
                        "ports": [{"name": "metrics", "containerPort": 9108}],
                        "startupProbe": PROBE,
                        "livenessProbe": PROBE,
                        "readinessProbe": PROBE,
                        "resources": {"limits": {"memory": "1Gi"}},
                        "securityContext": {
                            "readOnlyRootFilesystem": True,
                            "allowPrivilegeEscalation": False,
                            "capabilities": {"drop": ["ALL"]},
                        },
                    }
                ],
            },
        },
    },
}

TOLD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "settings"},
    "data": {"XIANGTONG_METRICS_HOST": "0.0.0.0", "XIANGTONG_METRICS_PORT": "9108", "XIANGTONG_INGEST_PORT": "6852"},
}


def changed(path: str, value: Any) -> dict[str, Any]:
    """SOUND with the place at `path` (dots between keys) set, or removed where `value` is None."""
    found = copy.deepcopy(SOUND)
    *parents, last = path.split(".")
    place: Any = found
    for key in parents:
        place = place[int(key)] if key.isdigit() else place[key]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return found


ROLE = "spec.template.spec.containers.0"


def test_a_sound_deployment_has_no_faults() -> None:
    assert check_k8s.faults([SOUND, TOLD]) == []


@pytest.mark.parametrize(
    ("path", "value", "complaint"),
    [
        ("spec.replicas", "three", "spec.replicas: 'three' is not of type"),
        ("spec.replica", 3, "'replica' was unexpected"),
        ("spec.template.spec.securityContext", None, "may run as root"),
        (f"{ROLE}.securityContext.readOnlyRootFilesystem", None, "root file system can be written"),
        (f"{ROLE}.securityContext.allowPrivilegeEscalation", True, "may gain privileges"),
        (f"{ROLE}.securityContext.capabilities", None, "keeps capabilities"),
        (f"{ROLE}.resources", None, "no memory limit"),
        (f"{ROLE}.livenessProbe", None, "no livenessProbe"),
        (f"{ROLE}.readinessProbe", {**PROBE, "grpc": {"port": 1}}, "readinessProbe needs exactly one of"),
        (f"{ROLE}.ports", None, "asks port metrics, which is not listed"),
        (f"{ROLE}.volumeMounts", [{"name": "data", "mountPath": "/data"}], "no volume data"),
        ("spec.selector.matchLabels.app", "other", "selects no pod"),
        (f"{ROLE}.ports.0.containerPort", 6852, "no role listens on port 6852 for others"),
    ],
)
def test_a_fault_is_named(path: str, value: Any, complaint: str) -> None:
    found = check_k8s.faults([changed(path, value), TOLD])
    assert any(complaint in line for line in found), found
    assert all(line.startswith("Deployment gateway: ") for line in found)


def test_an_autoscaler_must_point_at_a_deployment() -> None:
    scaler = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "gateway"},
        "spec": {"maxReplicas": 2, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "gate"}},
    }
    assert check_k8s.faults([SOUND, TOLD, scaler]) == ["HorizontalPodAutoscaler gateway: scales nothing"]


def test_a_setting_that_no_service_reads_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check_k8s, "ROOT", tmp_path)
    path = tmp_path / "settings.env"
    path.write_text("# XIANGTONG_OLD\nXIANGTONG_KAFKA=a:1 # XIANGTONG_OLDER\nXIANGTONG_KAFKAA=a:1\n")
    found = check_k8s.unknown_settings([path], frozenset({"XIANGTONG_KAFKA"}))
    assert found == ["settings.env: XIANGTONG_KAFKAA is not a setting of any service"]


def test_everything_that_the_image_copies_is_there() -> None:
    text = (ROOT / "Containerfile").read_text()
    copied = [words.split()[:-1] for words in re.findall(r"^COPY (?!--from)(.+)$", text, re.MULTILINE)]
    assert [path for paths in copied for path in paths if not (ROOT / path).exists()] == []


def test_compose_runs_the_same_roles_and_prepares_them_first() -> None:
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    roles = {name for name, service in services.items() if service["image"].startswith("xiangtong")}
    deployed = {path.stem for path in (ROOT / "k8s" / "base").glob("*.yaml")} & roles
    assert (
        roles == deployed == {"prepare", "tracking-access", "tracking-engine", "tracking-api", "billing-api", "gateway"}
    )
    for name in roles - {"prepare"}:
        assert services[name]["depends_on"]["prepare"] == {"condition": "service_completed_successfully"}
