"""Identifiers: ids that sort by time, and etags."""

from __future__ import annotations

import hashlib
import secrets
import threading
from uuid import UUID

from common.clock import Clock

_SEQUENCE_BITS = 12
_lock = threading.Lock()
_last = 0


def request_id() -> str:
    """A new id for one request, 32 hex digits."""
    return secrets.token_hex(16)


def time_sorted_id(clock: Clock) -> UUID:
    """A UUID of version 7: sorts by time, and within this process by the order of calls even in one millisecond."""
    global _last  # noqa: PLW0603 – the order of calls is a fact of the whole process
    with _lock:
        _last = max(clock.now_ms() << _SEQUENCE_BITS, _last + 1)
        instant_ms, sequence = _last >> _SEQUENCE_BITS, _last & ((1 << _SEQUENCE_BITS) - 1)
    value = instant_ms << 80 | 0x7 << 76 | sequence << 64 | 0b10 << 62 | secrets.randbits(62)
    return UUID(int=value)


def etag(*parts: object) -> str:
    """A short tag that changes when any part does, 16 hex digits. Parts must have a stable `repr`."""
    return hashlib.blake2b(repr(parts).encode(), digest_size=8).hexdigest()
