"""The services: each a pure core in a thin shell."""

from __future__ import annotations

from pathlib import Path

from services.compiled_code import keep_apart

keep_apart(Path(__file__).parent)  # before anything imports numba, which reads the variable once
