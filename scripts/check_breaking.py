"""Holds the protos against the last release (or the last commit while there is none): nothing may break."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    """The exit code of buf breaking."""
    if not (ROOT / ".git").exists():
        print("proto compatibility: not a git checkout, nothing to compare with")
        return 0
    tags = _git("tag", "--list", "v*", "--sort=-version:refname").split()
    against = f"tag={tags[0]}" if tags else f"ref={_git('rev-parse', 'HEAD')}"
    buf = Path(sys.executable).parent / "buf"
    command: list[str | Path] = [buf, "breaking", "--against", f"../.git#{against},subdir=protos"]
    return subprocess.run(command, cwd=ROOT / "protos", check=False).returncode


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


sys.exit(main())
