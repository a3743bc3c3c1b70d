"""Where numba keeps compiled functions: a folder for each state of the sources.

numba looks only at the file of a function, not at what that function calls or reads from others: after an upgrade in
place it would run what belonged to the old sources.
"""

from __future__ import annotations

import os
import shutil
from hashlib import blake2b
from pathlib import Path

VARIABLE = "NUMBA_CACHE_DIR"
FOLDER = "__pycache__"
KEPT = 3  # other checkouts of the same folder may still run


def keep_apart(sources: Path) -> None:
    """Let numba use the folder of the sources as they are, unless somebody has named another or none can be made."""
    if VARIABLE in os.environ or not os.access(sources, os.W_OK):
        return
    folder = sources / FOLDER / f"numba-{digest(sources)}"
    if not folder.exists():
        folder.mkdir(parents=True, exist_ok=True)
        _forget_old(folder.parent)
    os.environ[VARIABLE] = str(folder)


def digest(sources: Path) -> str:
    """Of every Python file below `sources`, names and contents."""
    total = blake2b(digest_size=8)
    for path in sorted(sources.rglob("*.py")):
        total.update(str(path.relative_to(sources)).encode() + path.read_bytes())
    return total.hexdigest()


def _forget_old(parent: Path) -> None:
    folders = sorted(parent.glob("numba-*"), key=lambda path: path.stat().st_mtime)
    for path in folders[:-KEPT]:
        shutil.rmtree(path, ignore_errors=True)
