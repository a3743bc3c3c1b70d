"""Limits on guessing passwords, in Redis so that all gateways share them.

An attempt is counted before its password is looked at, so that many at once gain nothing; a right password takes
its own attempt back.
"""

from __future__ import annotations

import hashlib
import ipaddress
from typing import Any

from redis.asyncio import Redis

from common.errors import TooMuch
from common.infra.redis import unavailable_when_away

FREE_ATTEMPTS = {"account": 5, "address": 30}  # a whole office may share one address
DELAY_MS_MAX = 300_000  # an owner who is guessed at waits no longer than this
IPV6_BITS = 64
MEMORY_MS = 3_600_000  # an hour of silence and all is forgotten

_ATTEMPT = """
for i = 1, #KEYS, 2 do
  local wait = redis.call('PTTL', KEYS[i + 1])
  if wait > 0 then return wait end
end
for i = 1, #KEYS, 2 do
  local count = redis.call('INCR', KEYS[i])
  redis.call('PEXPIRE', KEYS[i], ARGV[1])
  local over = count - tonumber(ARGV[2 + (i + 1) / 2])
  if over >= 0 then
    local delay = math.min(1000 * 2 ^ math.min(over, 20), tonumber(ARGV[2]))
    redis.call('SET', KEYS[i + 1], '1', 'PX', math.floor(delay))
  end
end
return 0
"""

_SUCCESS = """
redis.call('DEL', KEYS[1], KEYS[2], KEYS[4])
if redis.call('EXISTS', KEYS[3]) == 1 and redis.call('DECR', KEYS[3]) <= 0 then redis.call('DEL', KEYS[3]) end
"""


class Guesses:
    """Attempts by account and by address."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def attempt(self, name: str, address: str) -> None:
        """Count an attempt. Raises TooMuch with the time to wait, Unavailable without Redis: nobody signs in then."""
        keys = _keys(name, address)
        values = [MEMORY_MS, DELAY_MS_MAX, *FREE_ATTEMPTS.values()]
        wait_ms = int(await self._run(_ATTEMPT, keys, values))
        if wait_ms > 0:
            seconds = -(-wait_ms // 1000)
            raise TooMuch(
                "TOO_MANY_ATTEMPTS", f"too many wrong passwords; try again in {seconds} s", retry_after_ms=wait_ms
            )

    async def succeeded(self, name: str, address: str) -> None:
        """Take back the attempt and forget the account's wrong ones."""
        await self._run(_SUCCESS, _keys(name, address), [])

    async def _run(self, script: str, keys: list[str], values: list[int]) -> Any:
        with unavailable_when_away():
            evaluated: Any = self._redis.eval(script, len(keys), *keys, *map(str, values))
            return await evaluated


def _keys(name: str, address: str) -> list[str]:
    """Count and block of the account, count and block of the address; in one slot of a cluster. Names are hashed: they
    may be of any length, and a password typed into the wrong field must not end up here."""
    account = hashlib.sha256(name.lower().encode()).hexdigest()[:32]
    return [
        f"{{guesses}}:{kind}:{key}:{what}"
        for kind, key in (("account", account), ("address", _network(address)))
        for what in ("count", "block")
    ]


def _network(address: str) -> str:
    """Whoever has one IPv6 address has the whole network of it."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    return str(found) if found.version == 4 else str(ipaddress.ip_network(f"{found}/{IPV6_BITS}", strict=False))
