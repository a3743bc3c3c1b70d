"""What every terminal protocol keeps, whatever its bytes look like."""

from __future__ import annotations

import random

import numpy as np
import pytest

from services.vehicle_tracking.terminals import PROTOCOLS, TerminalProtocol
from simulation import frames
from simulation.frames import Fix, Identity


def jt808_frames(rng: random.Random) -> list[bytes]:
    """A few reports of one terminal, each with a location."""
    terminal = Identity("13900001111", "", 0, rng.choice((2011, 2013, 2019)))
    fixes = [Fix(1_700_000_000_000 + 1000 * k, 1_129_000_000, 281_000_000, 600, 90, 60, 0, 3, k) for k in range(5)]
    return [frames.frame(terminal, frames.LOCATION, k, frames.location_body(fix)) for k, fix in enumerate(fixes)]


EXAMPLES = {"jt808": jt808_frames}


@pytest.fixture(params=PROTOCOLS, ids=lambda protocol: str(protocol.name))
def protocol(request: pytest.FixtureRequest) -> TerminalProtocol:
    return request.param  # type: ignore[no-any-return]  # pytest does not know


def test_every_protocol_has_examples_and_a_name_of_its_own() -> None:
    assert [protocol.name for protocol in PROTOCOLS] == list(EXAMPLES)


def test_every_location_becomes_a_position(protocol: TerminalProtocol) -> None:
    wires = EXAMPLES[protocol.name](random.Random(1))
    stream = b"".join(wires)
    decoded = protocol.decode(stream, np.array([len(stream)], np.int64), np.zeros(1, np.bool_))
    batch = protocol.positions(decoded, np.full(len(decoded.frames), 9), received_time_ms=1)
    assert batch.fix_times_ms.tolist() == [1_700_000_000_000 + 1000 * k for k in range(5)]
    assert batch.vehicle_ids.tolist() == [9] * 5


def test_cutting_and_sharing_the_stream_changes_nothing(protocol: TerminalProtocol) -> None:
    rng = random.Random(2)
    streams = [b"".join(EXAMPLES[protocol.name](rng)) for _ in range(3)]
    rests, opened, seen = [b""] * 3, np.zeros(3, np.bool_), 0
    for at in range(0, max(map(len, streams)), 7):
        chunks = [rest + stream[at : at + 7] for rest, stream in zip(rests, streams, strict=True)]
        ends = np.cumsum([len(chunk) for chunk in chunks], dtype=np.int64)
        decoded = protocol.decode(b"".join(chunks), ends, opened)
        starts = decoded.rest_starts - np.concatenate([[0], ends[:-1]])
        rests = [chunk[start:] for chunk, start in zip(chunks, starts.tolist(), strict=True)]
        seen += len(decoded.locations)
    assert (seen, [len(rest) for rest in rests]) == (15, [0, 0, 0])


def test_junk_is_counted_and_the_next_frame_is_found(protocol: TerminalProtocol) -> None:
    rng = random.Random(3)
    wires = EXAMPLES[protocol.name](rng)
    stream = wires[0] + b"\x00junk" + wires[1] + wires[2]
    decoded = protocol.decode(stream, np.array([len(stream)], np.int64), np.zeros(1, np.bool_))
    assert (len(decoded.locations), sum(decoded.rejection_counts().values())) == (3, 1)


def test_each_frame_gets_an_answer_of_its_own(protocol: TerminalProtocol) -> None:
    stream = b"".join(EXAMPLES[protocol.name](random.Random(4)))
    decoded = protocol.decode(stream, np.array([len(stream)], np.int64), np.zeros(1, np.bool_))
    count = len(decoded.frames)
    wire, ends = protocol.reply(decoded.frames, np.zeros(count, np.int8), np.arange(count).astype(np.uint16))
    assert (len(ends), ends[-1], len(set(ends.tolist()))) == (count, len(wire), count)
    assert protocol.decode(wire, np.array([len(wire)], np.int64), np.zeros(1, np.bool_)).frame_count == count
