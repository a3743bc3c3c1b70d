"""Redis: connections that retry with bounded back-off, and commands sent as bytes packed beforehand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis as redis_py
import redis.asyncio as redis_async
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import ExponentialWithJitterBackoff, NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

from common.errors import Unavailable

RETRIES_MAX = 4
RETRY_DELAY_S_MIN = 0.05
RETRY_DELAY_S_MAX = 1.0
CONNECT_TIMEOUT_S = 3.0
ANSWER_TIMEOUT_S = 10.0
CONNECTIONS_MAX = 64
LIVENESS_CHECK_S = 15  # a connection idle for longer is pinged before use
PING_S_MAX = 2.0  # whoever asks whether Redis is there asks again soon

_RETRIED = (RedisConnectionError, RedisTimeoutError)


def connect(url: str) -> redis_py.Redis:
    """A thread-safe client of `url` (redis://, rediss:// or unix://) that answers with bytes."""
    return redis_py.Redis.from_url(
        url,
        retry=Retry(_backoff(), RETRIES_MAX),
        retry_on_error=list(_RETRIED),
        socket_connect_timeout=CONNECT_TIMEOUT_S,
        socket_timeout=ANSWER_TIMEOUT_S,
        max_connections=CONNECTIONS_MAX,
        health_check_interval=LIVENESS_CHECK_S,
    )


def connect_async(url: str) -> redis_async.Redis:
    """A client of `url` for coroutines that answers with bytes."""
    return redis_async.Redis.from_url(
        url,
        retry=AsyncRetry(_backoff(), RETRIES_MAX),
        retry_on_error=list(_RETRIED),
        socket_connect_timeout=CONNECT_TIMEOUT_S,
        socket_timeout=ANSWER_TIMEOUT_S,
        max_connections=CONNECTIONS_MAX,
        health_check_interval=LIVENESS_CHECK_S,
    )


def ping(url: str) -> None:
    """Raise Unavailable when Redis does not take a connection and answer on it at the first attempt."""
    limits = {"socket_connect_timeout": PING_S_MAX, "socket_timeout": PING_S_MAX}
    with unavailable_when_away(), redis_py.Redis.from_url(url, retry=Retry(NoBackoff(), 0), **limits) as client:
        client.ping()


def send_packed(client: redis_py.Redis, packed: bytes, *, reply_count: int) -> list[Any]:
    """The replies to `packed`: `reply_count` commands already in RESP. Sent again whole after a lost connection, so
    they must be repeatable. Raises Unavailable when Redis stays away, RedisError when it refuses a command."""
    with unavailable_when_away():
        pool = client.connection_pool
        retry = Retry(_backoff(), RETRIES_MAX)
        return list(retry.call_with_retry(lambda: _exchange(pool, packed, reply_count), lambda _: None))


@contextmanager
def unavailable_when_away() -> Iterator[None]:
    """Turn "Redis does not answer" into Unavailable; other errors pass."""
    try:
        yield
    except _RETRIED as error:
        raise Unavailable("LIVE_STATE_UNAVAILABLE", f"Redis does not answer: {error}") from error


def _exchange(pool: redis_py.ConnectionPool, packed: bytes, reply_count: int) -> list[Any]:
    connection: Any = pool.get_connection()
    try:
        connection.send_packed_command([packed])
        replies = [_reply(connection) for _ in range(reply_count)]
    except BaseException:
        connection.disconnect()  # a reply left unread would be taken for the answer to somebody's next command
        raise
    finally:
        pool.release(connection)
    refusal = next((reply for reply in replies if isinstance(reply, RedisError)), None)
    if refusal is not None:
        raise refusal
    return replies


def _reply(connection: Any) -> Any:
    try:
        return connection.read_response()
    except _RETRIED:
        raise
    except RedisError as refusal:
        return refusal


def _backoff() -> ExponentialWithJitterBackoff:
    return ExponentialWithJitterBackoff(base=RETRY_DELAY_S_MIN, cap=RETRY_DELAY_S_MAX)
