"""Folders for unix sockets: the operating system bounds the length of a socket's path."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

SOCKET_PATH_BYTES_MAX = 103  # macOS; Linux has 107


def socket_folder(folder: Path, socket_name: str) -> Path:
    """`folder` where a socket's path in it is short enough, else one below the temporary folder, the same each time."""
    if len(os.fsencode(folder / socket_name)) <= SOCKET_PATH_BYTES_MAX:
        return folder
    digest = hashlib.blake2b(os.fsencode(folder), digest_size=8).hexdigest()
    short = Path(tempfile.gettempdir()) / f"xiangtong-{digest}"
    short.mkdir(mode=0o700, exist_ok=True)
    if short.is_symlink():
        raise ValueError(f"{short} is a link that somebody else made; remove it")
    return short
