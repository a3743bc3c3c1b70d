"""The command `xiangtong`: runs the platform and holds its tools. `python -m services ROLE` runs one role."""

from __future__ import annotations

import sys

from services.roles import ROLES, find_role, run_role


def main() -> None:
    """Run a role when one is named; else the command line."""
    if len(sys.argv) == 2 and (role := find_role(sys.argv[1])):
        run_role(role)
        return
    from services.command_line import app  # the tools load maps and kernels: a role does not wait for them

    app()


__all__ = ["ROLES", "main"]

if __name__ == "__main__":
    main()
