"""Answers on their way to terminals: those of a tick at once, or one by itself."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.vehicle_tracking.adapters.access_links import Link, Links, Taken
from services.vehicle_tracking.terminals import TerminalProtocol
from services.vehicle_tracking.terminals.jt808.answers import NO_ANSWER, general_answer, peer
from services.vehicle_tracking.terminals.jt808.columns import Table


class TickAnswers(NamedTuple):
    """Answers to frames of one tick. `links`: (m,) which of the links taken get some; `starts`: (m + 1,) in `wire`."""

    wire: bytes
    links: list[int]
    starts: list[int]

    def write(self, taken: Taken) -> None:
        """Write to each link what is for it."""
        for number, index in enumerate(self.links):
            taken.links[index].write(self.wire[self.starts[number] : self.starts[number + 1]])


def tick_answers(
    protocol: TerminalProtocol, links: Links, taken: Taken, frames: Table, results: NDArray[np.int8]
) -> TickAnswers:
    """The answers to frames that stand in the order of their links. `results`: (n,), NO_ANSWER for none."""
    frames, results = frames[results != NO_ANSWER], results[results != NO_ANSWER]
    if not len(frames):
        return TickAnswers(b"", [], [0])
    serials = links.next_serials(taken.rows[frames["link"]])
    wire, ends = protocol.reply(frames, results, serials)
    first = np.flatnonzero(np.diff(frames["link"], prepend=-1))
    starts = np.concatenate([[0], ends])[np.append(first, len(frames))]
    return TickAnswers(wire, frames["link"][first].tolist(), starts.tolist())


def answer(links: Links, link: Link, header: Any, result: int) -> None:
    """Answer one frame, if its link still stands."""
    if link.ended is None:
        wire = general_answer(
            peer(header),
            serial=links.next_serial(link),
            answered_serial=int(header["serial"]),
            answered_id=int(header["message_id"]),
            result=result,
        )
        link.write(wire)
