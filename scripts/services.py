"""Gets the real servers that the tests run against: Kafka, Redis, PostgreSQL, Chromium. What is there is left alone.

As root on Debian it installs packages and starts none of them; Kafka's jars come through Maven into .tools/kafka. What
it may not or cannot get it names, with what to do; that is a failure only where REQUIRE_SERVICES=1.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.real_servers import KAFKA_JARS, missing  # noqa: E402 – the path above comes first

POM = ROOT / "scripts" / "kafka-pom.xml"
POLICY = Path("/usr/sbin/policy-rc.d")  # Debian asks it before it starts a service
POLICY_TEXT = "#!/bin/sh\nexit 101  # written by `make services`: install without starting\n"
LINES_MAX = 30
HAN_FONTS = Path("/usr/share/fonts")


@dataclass(frozen=True, slots=True)
class Need:
    """Something that has to be on the machine, and the Debian packages that bring it."""

    name: str
    packages: tuple[str, ...]


NEEDS = (
    Need("postgres", ("postgresql",)),
    Need("redis", ("redis-server",)),
    Need("chromium", ("chromium",)),
    Need("fonts", ("fonts-noto-cjk",)),
    Need("java", ("default-jre-headless",)),
    Need("maven", ("maven",)),
)


def main() -> int:
    """0 when every server is there, or none is required."""
    started_s = time.monotonic()
    wanted = packages(absent())
    if wanted:
        install(wanted)
    if not has_kafka():
        copy_kafka()
    reasons = {name: missing(name) for name in ("kafka", "postgres", "redis", "chromium")}
    for name, reason in reasons.items():
        if reason:
            print(f"services: {name} is missing: {reason}")
    there = [name for name, reason in reasons.items() if reason is None]
    print(f"services: {', '.join(there) or 'none'} ready ({time.monotonic() - started_s:.1f} s)")
    lacking = len(there) < len(reasons)
    if lacking and not required():
        print("services: tests that need what is missing will be skipped, each with the reason")
    return 1 if lacking and required() else 0


def required() -> bool:
    """Whether a missing server is a failure."""
    return os.environ.get("REQUIRE_SERVICES") == "1"


def absent() -> list[Need]:
    """What is not on this machine."""
    return [need for need in NEEDS if not present(need.name)]


def present(name: str) -> bool:
    """Whether something is on this machine. Maven is of use only until Kafka has been copied."""
    if name == "java":
        return shutil.which("java") is not None
    if name == "maven":
        return has_kafka() or shutil.which("mvn") is not None
    if name == "fonts":
        return has_han_font()
    return missing(name) is None


def has_han_font() -> bool:
    """Whether screenshots can show Chinese."""
    return any(any(HAN_FONTS.rglob(pattern)) for pattern in ("*CJK*", "*wqy*"))


def packages(needs: Sequence[Need]) -> list[str]:
    """The Debian packages that bring `needs`."""
    return [package for need in needs for package in need.packages]


def install(wanted: Sequence[str]) -> None:
    """Install Debian packages without starting what they bring; where that may not be, say what to install."""
    apt = shutil.which("apt-get")
    if apt is None or os.geteuid() != 0:
        reason = "this is not root" if apt else "there is no apt-get here"
        print(f"services: {reason}; please install: {' '.join(wanted)}")
        return
    print(f"services: installing {' '.join(wanted)}", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with nothing_started():
        for words in (["update", "-q"], ["install", "-y", "-q", "--no-install-recommends", *wanted]):
            if not ran([apt, *words], environment, shown=("Unpacking ", "Setting up ")):
                return


@contextmanager
def nothing_started() -> Iterator[None]:
    """While it lasts, Debian starts no service; a policy that is there already stays."""
    if POLICY.exists():
        yield
        return
    POLICY.write_text(POLICY_TEXT)
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()


def has_kafka() -> bool:
    """Whether .tools/kafka holds what the pom names, whole."""
    stamp = KAFKA_JARS / ".pom"
    return stamp.exists() and stamp.read_bytes() == POM.read_bytes()


def copy_kafka() -> None:
    """Copy Kafka's jars with Maven; the copy of the pom beside them, written last, says that they are all there."""
    maven = shutil.which("mvn")
    if maven is None:
        print("services: Kafka comes through Maven; please install Maven and Java, then run `make services` again")
        return
    print("services: copying Kafka's jars to .tools/kafka", flush=True)
    shutil.rmtree(KAFKA_JARS, ignore_errors=True)
    copy = ["dependency:copy-dependencies", f"-DoutputDirectory={KAFKA_JARS}"]
    if ran([maven, "-B", "-q", "-f", str(POM), *copy], dict(os.environ), shown=()):
        (KAFKA_JARS / ".pom").write_bytes(POM.read_bytes())


def ran(command: Sequence[str], environment: dict[str, str], *, shown: tuple[str, ...]) -> bool:
    """Whether a command worked. Lines that begin with one of `shown` are printed as they come; the last ones when it
    fails."""
    last: deque[str] = deque(maxlen=LINES_MAX)
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as running:
        assert running.stdout is not None, "asked for above"
        for line in running.stdout:
            last.append(line)
            if line.startswith(shown):
                print(f"  {line.strip()}", flush=True)
    if running.returncode:
        print(f"services: {Path(command[0]).name} failed:\n{''.join(last)}", flush=True)
    return running.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
