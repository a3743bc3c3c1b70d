"""Generates the gRPC code before the package is built, so that a wheel carries it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

sys.path.insert(0, str(Path(__file__).parent))

from generate_protos import generate  # type: ignore[import-not-found]  # the hook runs with scripts/ on its path


class GeneratedCode(BuildHookInterface):  # type: ignore[type-arg]  # hatchling's own class is loosely typed
    """Hatchling's hook."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write gen/ and let git-ignored files of it into the package."""
        del version
        generate(Path(self.root))
        build_data["artifacts"].append("gen/**")
