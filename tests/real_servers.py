"""Real servers for tests and benchmarks: PostgreSQL, Redis and Kafka in a folder of their own, on a free loopback port.

Every server is one process that this module started and ends by its id. `kill` is SIGKILL, `start` brings the same
folder and port back, so a test can take a server away and return it.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Self

ROOT = Path(__file__).resolve().parent.parent
KAFKA_JARS = ROOT / ".tools" / "kafka"
HOST = "127.0.0.1"
START_S_MAX = 60.0  # Kafka on two busy cores takes 15 s
STOP_S_MAX = 20.0
REDIS_MAJOR_MIN = 7
POSTGRES_MAJOR_MIN = 15
SETPRIV = shutil.which("setpriv")
UNPRIVILEGED_USERS = ("postgres", "nobody")  # PostgreSQL refuses to run as root


class RealServer(ABC):
    """One server process. `folder`: where its data and log stay, made when it is missing."""

    name: str
    end_signal = signal.SIGTERM

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """Where it listens, as host:port."""
        return f"{HOST}:{self.port}"

    @property
    def log_file(self) -> Path:
        """What the server printed."""
        return self.folder / "server.log"

    def start(self) -> Self:
        """Start it and return when it answers; the first start makes its data folder."""
        assert self.process is None, f"{self.name} runs already"
        if not self.folder.exists():
            self.folder.mkdir(parents=True)
            self._own_folder()
            self._prepare()
        self.process = self._spawn(self._command())
        deadline_s = time.monotonic() + START_S_MAX
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline_s:
                self.kill()
                raise RuntimeError(f"{self.name} did not start:\n{self.log_tail()}")
            time.sleep(0.05)
        return self

    def stop(self) -> None:
        """End it in its own way; kill it when that takes too long. Nothing happens when it does not run."""
        if self.process is None:
            return
        self.process.send_signal(self.end_signal)
        try:
            self.process.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self._reap()

    def kill(self) -> None:
        """SIGKILL, as a power cut would end it. Nothing happens when it does not run."""
        if self.process is not None:
            self.process.kill()
            self._reap()

    def log_tail(self) -> str:
        """The last lines that it printed."""
        return "\n".join(self.log_file.read_text(errors="replace").splitlines()[-30:])

    def _reap(self) -> None:
        assert self.process is not None
        self.process.wait()
        self.process = None

    def _spawn(self, command: list[str]) -> subprocess.Popen[bytes]:
        with self.log_file.open("ab") as log:
            return subprocess.Popen(
                [*_prefix(self._user(), self.end_signal), *command],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for pytest, which then ends its servers in order
                user=None if SETPRIV else self._user(),
            )

    def _run(self, command: list[str]) -> None:
        done = subprocess.run(
            [*_prefix(self._user()), *command],
            cwd=self.folder,
            capture_output=True,
            text=True,
            user=None if SETPRIV else self._user(),
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}:\n{done.stdout}{done.stderr}")

    def _user(self) -> str | None:
        return None

    def _own_folder(self) -> None:
        user = self._user()
        if user is not None:
            os.chown(self.folder, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)

    def _prepare(self) -> None:  # noqa: B027 – Redis needs nothing
        """What comes before the first start."""

    @abstractmethod
    def _command(self) -> list[str]: ...

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection((HOST, self.port), timeout=1):
            return True
        return False


class PostgresServer(RealServer):
    """PostgreSQL with one superuser `xiangtong`. `fsync`: off makes tests quick and still outlives SIGKILL."""

    name = "postgres"
    end_signal = signal.SIGINT  # "fast": closes connections instead of waiting for them

    def __init__(self, folder: Path, *, fsync: bool = False) -> None:
        super().__init__(folder)
        self.fsync = fsync

    def url(self, database: str = "postgres") -> str:
        """The URL of one of its databases."""
        return f"postgresql://xiangtong@{self.address}/{database}"

    def execute(self, statement: str) -> None:
        """Run one statement outside any transaction."""
        import psycopg

        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(statement.encode())

    def _user(self) -> str | None:
        return unprivileged_user() if os.geteuid() == 0 else None

    def _prepare(self) -> None:
        self._run(
            [self._binary("initdb"), "-D", "data", "-U", "xiangtong", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]
        )

    def _command(self) -> list[str]:
        options = {
            "listen_addresses": HOST,
            "port": self.port,
            "unix_socket_directories": "",
            "fsync": "on" if self.fsync else "off",
            "max_connections": 200,
            "max_wal_size": "2GB",
        }
        words = [word for key, value in options.items() for word in ("-c", f"{key}={value}")]
        return [self._binary("postgres"), "-D", "data", *words]

    def _answers(self) -> bool:
        import psycopg

        try:
            psycopg.connect(self.url(), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def _binary(self, program: str) -> str:
        folder = postgres_folder()
        assert folder is not None, missing("postgres")
        return str(folder / program)


class RedisServer(RealServer):
    """Redis without persistence: what it holds is gone after `kill`, as the platform expects of it."""

    name = "redis"

    @property
    def url(self) -> str:
        """Its URL."""
        return f"redis://{self.address}/0"

    def flush(self) -> None:
        """Forget everything."""
        import redis

        with redis.Redis(host=HOST, port=self.port) as client:
            client.flushall()

    def _command(self) -> list[str]:
        binary = shutil.which("redis-server")
        assert binary is not None, missing("redis")
        return [binary, "--bind", HOST, "--port", str(self.port), "--save", "", "--appendonly", "no"]


class KafkaServer(RealServer):
    """One Kafka broker that is its own KRaft controller."""

    name = "kafka"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.controller_port = free_port()
        self._log_start = 0

    def _prepare(self) -> None:
        (self.folder / "server.properties").write_text(self._properties())
        (self.folder / "log4j2.properties").write_text(KAFKA_LOGGING)
        identity = "xiangtong-test-broker0"
        self._run([*self._java("-Xmx128m"), "kafka.tools.StorageTool", "format", "-t", identity, "-c", PROPERTIES])

    def _command(self) -> list[str]:
        self._log_start = self.log_file.stat().st_size if self.log_file.exists() else 0
        return [*self._java("-Xmx512m"), "kafka.Kafka", PROPERTIES]

    def _answers(self) -> bool:
        # The port opens before the broker serves; it says so when it does.
        return super()._answers() and b"Kafka Server started" in self.log_file.read_bytes()[self._log_start :]

    def _java(self, heap: str) -> list[str]:
        java = shutil.which("java")
        assert java is not None, missing("kafka")
        return [java, heap, "-Dlog4j2.configurationFile=log4j2.properties", "-cp", f"{KAFKA_JARS}/*"]

    def _properties(self) -> str:
        lines = {
            "process.roles": "broker,controller",
            "node.id": 1,
            "controller.quorum.voters": f"1@{HOST}:{self.controller_port}",
            "controller.listener.names": "CONTROLLER",
            "listeners": f"PLAINTEXT://{self.address},CONTROLLER://{HOST}:{self.controller_port}",
            "advertised.listeners": f"PLAINTEXT://{self.address}",
            "log.dirs": self.folder / "data",
            "auto.create.topics.enable": "false",
            "offsets.topic.num.partitions": 1,  # fifty would only slow the start
            "offsets.topic.replication.factor": 1,
            "transaction.state.log.num.partitions": 1,
            "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1,
            "share.coordinator.state.topic.num.partitions": 1,
            "share.coordinator.state.topic.replication.factor": 1,
            "share.coordinator.state.topic.min.isr": 1,
            "group.initial.rebalance.delay.ms": 0,
            "broker.heartbeat.interval.ms": 500,
            "broker.session.timeout.ms": 2000,  # how long a killed broker waits to be let in again
            "log.retention.check.interval.ms": 1000,
            "log.segment.delete.delay.ms": 100,
        }
        return "".join(f"{key}={value}\n" for key, value in lines.items())


PROPERTIES = "server.properties"
KAFKA_LOGGING = """\
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d %p %m%n
rootLogger.level=warn
rootLogger.appenderRef.out.ref=out
logger.server.name=kafka.server.KafkaRaftServer
logger.server.level=info
"""


def missing(name: str) -> str | None:
    """Why the named server cannot be had here, or None when it can."""
    if name == "postgres":
        if postgres_folder() is None:
            return f"no PostgreSQL {POSTGRES_MAJOR_MIN} or newer: `make services`, or Debian's postgresql"
        if os.geteuid() == 0 and unprivileged_user() is None:
            return f"PostgreSQL does not run as root, and there is no user {' or '.join(UNPRIVILEGED_USERS)}"
        return None
    if name == "redis":
        found = _redis_major() >= REDIS_MAJOR_MIN
        return None if found else f"no Redis {REDIS_MAJOR_MIN} or newer: `make services`, or Debian's redis-server"
    if name == "kafka":
        found = shutil.which("java") is not None and any(KAFKA_JARS.glob("kafka_*.jar"))
        return None if found else "no Kafka in .tools/kafka, or no Java: `make services`"
    assert name == "chromium", f"no such server: {name}"
    return None if chromium_path() else "no Chromium: `make services`, or Debian's chromium"


def chromium_path() -> Path | None:
    """Where a Chromium is that Playwright can drive."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    return Path(found) if found else None


def postgres_folder() -> Path | None:
    """The folder of the newest PostgreSQL's programs."""
    folders = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/postgres")]
    on_path = shutil.which("postgres")
    folders += [Path(on_path).resolve().parent] if on_path else []
    known = [(_major(folder / "postgres"), folder) for folder in folders if (folder / "initdb").exists()]
    major, newest = max(known, default=(0, Path()))
    return newest if major >= POSTGRES_MAJOR_MIN else None


def unprivileged_user() -> str | None:
    """A user that PostgreSQL can run as when we are root."""
    names = {entry.pw_name for entry in pwd.getpwall()}
    return next((name for name in UNPRIVILEGED_USERS if name in names), None)


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def new_folder() -> Path:
    """A temporary folder that the unprivileged user may enter; whoever asked removes it."""
    folder = Path(tempfile.mkdtemp(prefix="xiangtong-servers-"))
    folder.chmod(0o755)
    return folder


def _prefix(user: str | None, end_signal: signal.Signals | None = None) -> list[str]:
    """What runs a command as `user`, and ends it when this process dies without a word, where the machine has setpriv.
    A child that Python itself gives to another user is forked, which gRPC in this process does not survive."""
    if not SETPRIV:
        return []
    words = [SETPRIV]
    if user is not None:
        words += [f"--reuid={user}", f"--regid={pwd.getpwnam(user).pw_gid}", "--init-groups"]
    if end_signal is not None:
        words += ["--pdeathsig", end_signal.name.removeprefix("SIG")]
    return [*words, "--"] if len(words) > 1 else []


def _redis_major() -> int:
    binary = shutil.which("redis-server")
    return _major(Path(binary)) if binary else 0


def _major(program: Path) -> int:
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"(?:v=|\) )(\d+)", said)
    return int(found[1]) if found else 0
