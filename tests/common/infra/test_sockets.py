"""Where sockets go."""

from __future__ import annotations

from pathlib import Path

from common.infra.sockets import SOCKET_PATH_BYTES_MAX, socket_folder


def test_a_folder_with_a_short_name_holds_its_own_socket(tmp_path: Path) -> None:
    assert socket_folder(Path("/data/redis"), "redis.sock") == Path("/data/redis")


def test_a_long_name_leads_to_the_same_short_folder_each_time() -> None:
    long_name = Path("/") / ("湖南" * 20) / "redis"
    short = socket_folder(long_name, "redis.sock")
    assert short == socket_folder(long_name, "redis.sock") != socket_folder(long_name / "other", "redis.sock")
    assert len(str(short / "redis.sock").encode()) <= SOCKET_PATH_BYTES_MAX
    short.rmdir()
    socket_folder(long_name / "other", "redis.sock").rmdir()
