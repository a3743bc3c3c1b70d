"""Says what is missing before the environment is made."""

import sys


def main() -> None:
    """Exit with one line that says what to do."""
    if sys.version_info < (3, 11):  # noqa: UP036 – any Python may run this file
        sys.exit(f"Python 3.11 or newer is needed, this is {sys.version.split()[0]}: make PYTHON=python3.12")
    try:
        import ensurepip  # noqa: F401 – its absence is what we look for
        import venv  # noqa: F401 – its absence is what we look for
    except ImportError:
        sys.exit("Python's venv module is missing: apt-get install python3-venv")


main()
