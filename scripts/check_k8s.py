"""Builds the overlays with kustomize, validates them, and holds their settings against the settings of the services."""

from __future__ import annotations

import importlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml
from pydantic_settings import BaseSettings

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "gen")]

from common.infra.settings import InfraSettings, variables  # noqa: E402 – the path above comes first

OVERLAYS = ("one-node", "province")
KUSTOMIZE = "sigs.k8s.io/kustomize/kustomize/v5@v5.7.1"
BIN = ROOT / ".tools" / "bin"
SCHEMAS_VERSION = "1.34"  # the oldest Kubernetes that we say we run on
SETTING = re.compile(r"\bXIANGTONG_[A-Z0-9_]+\b")
PROBES = ("startupProbe", "livenessProbe", "readinessProbe")
HANDLERS = {"httpGet", "grpc", "tcpSocket", "exec"}
OUR_CONTAINER = "role"


def main() -> int:
    """0 when every manifest is sound; prints what is not."""
    complaints = unknown_settings(settings_files(), known_settings())
    kustomize = found_kustomize()
    if kustomize is None:
        message = (
            "k8s: kustomize could not be had (no Go on this machine, or it could not download): overlays not built"
        )
        print(message)
        return 1 if complaints or os.environ.get("REQUIRE_SERVICES") == "1" else 0
    count = 0
    for overlay in OVERLAYS:
        built, error = build(kustomize, ROOT / "k8s" / "overlays" / overlay)
        complaints += [f"{overlay}: {error}"] if error else []
        complaints += [f"{overlay}: {complaint}" for complaint in faults(built)]
        count += len(built)
    for complaint in complaints:
        print(complaint)
    print(f"k8s: {count} objects in {len(OVERLAYS)} overlays, {len(complaints)} complaints")
    return 1 if complaints else 0


def found_kustomize() -> str | None:
    """Where kustomize is; built with Go into .tools/bin when it is nowhere."""
    own = BIN / "kustomize"
    if own.exists():
        return str(own)
    if found := shutil.which("kustomize"):
        return found
    if not (go := shutil.which("go")):
        return None
    print("k8s: building kustomize into .tools/bin", flush=True)
    BIN.mkdir(parents=True, exist_ok=True)
    environment = os.environ | {"GOBIN": str(BIN), "GOFLAGS": "-mod=mod"}
    done = subprocess.run([go, "install", KUSTOMIZE], env=environment, cwd="/", capture_output=True, check=False)
    return str(own) if done.returncode == 0 else None


def build(kustomize: str, overlay: Path) -> tuple[list[dict[str, Any]], str]:
    """The objects of an overlay, or none and the reason."""
    done = subprocess.run([kustomize, "build", str(overlay)], capture_output=True, text=True, check=False)
    if done.returncode:
        return [], done.stderr.strip()
    return [found for found in yaml.safe_load_all(done.stdout) if found], ""


def faults(objects: list[dict[str, Any]]) -> list[str]:
    """What is wrong with the built objects: against the schemas, among each other, and against our own rules."""
    return [
        *(fault for found in objects for fault in schema_faults(found)),
        *(fault for found in objects for fault in pod_faults(found)),
        *reference_faults(objects),
        *port_faults(objects),
    ]


def schema_faults(found: dict[str, Any]) -> list[str]:
    """What the schema of its kind says."""
    try:
        kubernetes_validate.validate(found, SCHEMAS_VERSION, strict=True)
    except kubernetes_validate.ValidationError as error:
        return [f"{_title(found)}: {'.'.join(str(part) for part in error.path)}: {error.message}"]
    return []


def pod_faults(found: dict[str, Any]) -> list[str]:
    """Containers that could do more than they need, or that nobody watches."""
    if not (pod := _pod(found)):
        return []
    complaints = [] if pod.get("securityContext", {}).get("runAsNonRoot") else ["may run as root"]
    mounted = {volume["name"] for volume in pod.get("volumes", [])} | {
        claim["metadata"]["name"] for claim in found["spec"].get("volumeClaimTemplates", [])
    }
    for container in pod["containers"]:
        security = container.get("securityContext", {})
        complaints += ["root file system can be written"] * (not security.get("readOnlyRootFilesystem"))
        complaints += ["may gain privileges"] * (security.get("allowPrivilegeEscalation") is not False)
        complaints += ["keeps capabilities"] * (security.get("capabilities", {}).get("drop") != ["ALL"])
        complaints += ["no memory limit"] * ("memory" not in container.get("resources", {}).get("limits", {}))
        complaints += [f"no volume {m['name']}" for m in container.get("volumeMounts", []) if m["name"] not in mounted]
        complaints += _probe_faults(container, served=found["kind"] != "Job")
    return [f"{_title(found)}: {complaint}" for complaint in complaints]


def reference_faults(objects: list[dict[str, Any]]) -> list[str]:
    """Selectors, autoscalers and budgets that point at nothing."""
    labels = [found["spec"]["template"]["metadata"]["labels"] for found in objects if _pod(found)]
    names = {_title(found) for found in objects}
    complaints = []
    for found in objects:
        spec = found.get("spec", {})
        selector = spec.get("selector", {})
        wanted = selector if found["kind"] == "Service" else selector.get("matchLabels", {})
        if wanted and not any(wanted.items() <= pod_labels.items() for pod_labels in labels):
            complaints.append(f"{_title(found)}: selects no pod")
        target = spec.get("scaleTargetRef")
        if target and f"{target['kind']} {target['name']}" not in names:
            complaints.append(f"{_title(found)}: scales nothing")
    return complaints


def port_faults(objects: list[dict[str, Any]]) -> list[str]:
    """Ports that are listed although no setting makes a role listen on them for other pods."""
    told = {name: value for found in objects if found["kind"] == "ConfigMap" for name, value in found["data"].items()}
    open_ports = {
        value
        for name, value in told.items()
        if name.startswith("XIANGTONG_") and name.endswith("_PORT") and told.get(f"{name[:-5]}_HOST") == "0.0.0.0"
    }
    return [
        f"{_title(found)}: no role listens on port {port['containerPort']} for others"
        for found in objects
        for container in _pod(found).get("containers", [])
        if container["name"] == OUR_CONTAINER
        for port in container.get("ports", [])
        if str(port["containerPort"]) not in open_ports
    ]


def settings_files() -> list[Path]:
    """The files that name settings for other machines."""
    return [
        *sorted((ROOT / "k8s").rglob("*.yaml")),
        *sorted((ROOT / "k8s").rglob("*.env")),
        ROOT / "compose.yaml",
        ROOT / "Containerfile",
    ]


def known_settings() -> frozenset[str]:
    """Every setting of every settings class of the services."""
    found = set(variables(InfraSettings))
    for path in sorted((ROOT / "services").glob("*/settings.py")):
        module = importlib.import_module(f"services.{path.parent.name}.settings")
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, BaseSettings) and value is not BaseSettings:
                found |= variables(value)
    return frozenset(found)


def unknown_settings(files: list[Path], known: frozenset[str]) -> list[str]:
    """Names in `files` that no settings class reads."""
    return [
        f"{path.relative_to(ROOT)}: {name} is not a setting of any service"
        for path in files
        for name in sorted(set(SETTING.findall(_without_comments(path.read_text("utf-8")))) - known)
    ]


def _without_comments(text: str) -> str:
    return re.sub(r"(?m)(^|\s)#.*$", "", text)


def _probe_faults(container: dict[str, Any], *, served: bool) -> Iterator[str]:
    ports = {port.get("name") for port in container.get("ports", [])}
    for name in PROBES:
        probe = container.get(name)
        if probe is None:
            if served and (container["name"] == OUR_CONTAINER or name != "startupProbe"):
                yield f"no {name}"
        elif len(HANDLERS & probe.keys()) != 1:
            yield f"{name} needs exactly one of {', '.join(sorted(HANDLERS))}"
        elif isinstance(port := probe.get("httpGet", {}).get("port"), str) and port not in ports:
            yield f"{name} asks port {port}, which is not listed"


def _pod(found: dict[str, Any]) -> dict[str, Any]:
    template: dict[str, Any] = found.get("spec", {}).get("template", {})
    pod: dict[str, Any] = template.get("spec", {})
    return pod if found["kind"] in ("Deployment", "StatefulSet", "Job") else {}


def _title(found: dict[str, Any]) -> str:
    return f"{found['kind']} {found['metadata']['name']}"


if __name__ == "__main__":
    sys.exit(main())
