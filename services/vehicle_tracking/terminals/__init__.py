"""Wire protocols: bytes to positions, without sockets."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from services.vehicle_tracking.terminals.jt808 import frames as jt808
from services.vehicle_tracking.terminals.jt808.columns import Decoded


class TerminalProtocol(NamedTuple):
    """One wire protocol. `name`: the label of its metrics."""

    name: str
    decode: Callable[..., Decoded]


PROTOCOLS: tuple[TerminalProtocol, ...] = (TerminalProtocol("jt808", jt808.decode),)
