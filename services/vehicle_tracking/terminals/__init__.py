"""Wire protocols: bytes to positions, without sockets."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from services.vehicle_tracking.domain.positions import PositionBatch
from services.vehicle_tracking.terminals.jt808 import answers, frames
from services.vehicle_tracking.terminals.jt808 import positions as locations
from services.vehicle_tracking.terminals.jt808.answers import Answers
from services.vehicle_tracking.terminals.jt808.columns import Decoded


class TerminalProtocol(NamedTuple):
    """One wire protocol. `name`: the label of its metrics.

    `decode` splits the bytes of many links and decodes what is complete; `positions` makes a batch of its locations;
    `reply` makes the answers to many frames.
    """

    name: str
    decode: Callable[..., Decoded]
    positions: Callable[..., PositionBatch]
    reply: Callable[..., Answers]


PROTOCOLS: tuple[TerminalProtocol, ...] = (
    TerminalProtocol("jt808", frames.decode, locations.positions, answers.general_answers),
)
"""JT/T 808 of 2011, 2013 and 2019."""
