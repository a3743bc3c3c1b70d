"""Against a real Redis."""

from __future__ import annotations

import pytest
from redis.exceptions import ResponseError

from common.errors import Unavailable
from common.infra import redis as live

pytestmark = [pytest.mark.enable_socket, pytest.mark.services("redis")]


def packed(*words: bytes) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


def test_packed_commands_are_answered_in_order(redis_url: str) -> None:
    client = live.connect(redis_url)
    commands = packed(b"HSET", b"packed", b"\0\r\n", b"one") + packed(b"HGET", b"packed", b"\0\r\n")
    assert live.send_packed(client, commands, reply_count=2) == [1, b"one"]
    client.close()


def test_a_refused_command_leaves_the_connection_in_step(redis_url: str) -> None:
    client = live.connect(redis_url)
    client.set("text", b"not a hash")
    commands = packed(b"HSET", b"text", b"field", b"value") + packed(b"PING")
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        live.send_packed(client, commands, reply_count=2)
    assert live.send_packed(client, packed(b"GET", b"text"), reply_count=1) == [b"not a hash"]
    client.close()


def test_a_server_that_is_away_is_said_to_be_unavailable(free_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "RETRY_DELAY_S_MAX", 0.01)
    client = live.connect(f"redis://127.0.0.1:{free_port}/0")
    with pytest.raises(Unavailable, match="Redis does not answer"):
        live.send_packed(client, packed(b"PING"), reply_count=1)
    client.close()


def test_a_ping_says_at_once_whether_it_is_there(redis_url: str, free_port: int) -> None:
    live.ping(redis_url)
    with pytest.raises(Unavailable, match="Redis does not answer"):
        live.ping(f"redis://127.0.0.1:{free_port}/0")


def test_a_lost_connection_is_made_again(redis_url: str) -> None:
    client, other = live.connect(redis_url), live.connect(redis_url)
    assert live.send_packed(client, packed(b"PING"), reply_count=1) == [b"PONG"]
    other.client_kill_filter(_type="normal", skipme=True)
    assert live.send_packed(client, packed(b"PING"), reply_count=1) == [b"PONG"]
    client.close()
    other.close()


async def test_coroutines_read_what_was_written(redis_url: str) -> None:
    client = live.connect_async(redis_url)
    await client.set("word", b"value")
    assert await client.get("word") == b"value"
    await client.aclose()
