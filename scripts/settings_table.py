"""Writes docs/operations/settings.md from the settings classes; `--check` only says whether it is up to date."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from pydantic_settings import BaseSettings

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "operations" / "settings.md"
sys.path[:0] = [str(ROOT), str(ROOT / "gen")]

from common.infra.settings import GrpcSettings, InfraSettings, table  # noqa: E402 – the path above comes first

HEAD = """# Settings

Every setting is an environment variable, read once at start. A bad value is refused by name, with exit code 2. An empty
variable is an unset one. `xiangtong settings` prints this table. Written by `scripts/settings_table.py`.
"""


def main(arguments: list[str]) -> int:
    """0 when the page is, or has been made, what the classes say."""
    text = page()
    if "--check" in arguments:
        current = PAGE.read_text("utf-8") if PAGE.exists() else ""
        if current != text:
            print(f"{PAGE.relative_to(ROOT)} is out of date: run python scripts/settings_table.py")
        return int(current != text)
    PAGE.write_text(text, "utf-8")
    return 0


def page() -> str:
    """The whole page: a table for what all share, then one a service, without repeats."""
    sections = [("Every role", InfraSettings), ("Roles that serve or call gRPC", GrpcSettings)]
    for path in sorted((ROOT / "services").glob("*/settings.py")):
        module = importlib.import_module(f"services.{path.parent.name}.settings")
        sections += [(path.parent.name, found) for found in vars(module).values() if _own(found, module.__name__)]
    seen: set[str] = set()
    text = HEAD
    for title, settings_class in sections:
        rows = [row for row in table(settings_class) if row.variable not in seen]
        seen |= {row.variable for row in rows}
        lines = [f"| `{row.variable}` | {row.kind} | {_code(row.default)} | {row.description} |" for row in rows]
        if lines:
            text += "\n".join(
                [f"\n## {title}\n", "| Variable | Kind | Default | Meaning |", "|---|---|---|---|", *lines, ""]
            )
    return text


def _own(found: object, module: str) -> bool:
    return isinstance(found, type) and issubclass(found, BaseSettings) and found.__module__ == module


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
