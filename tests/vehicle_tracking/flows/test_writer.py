"""Writes beside the engine."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from common.errors import NotAllowedNow, Unavailable
from services.vehicle_tracking.flows.writer import BackgroundWriter


def refused(times: int, done: list[str]) -> Callable[[], None]:
    """An effect that works after so many refusals."""
    left = [times]

    def effect() -> None:
        left[0] -= 1
        if left[0] >= 0:
            raise Unavailable("AWAY", "away")
        done.append("done")

    return effect


def test_a_write_is_repeated_until_storage_is_back_and_the_next_waits_for_it() -> None:
    writer, done = BackgroundWriter(), list[str]()
    first = writer.submit(refused(2, done))
    writer.submit(lambda: done.append("next")).result(10)
    assert (first.done(), done) == (True, ["done", "next"])
    writer.close()


def test_attempts_are_bounded_where_somebody_waits() -> None:
    writer = BackgroundWriter()
    with pytest.raises(Unavailable):
        writer.insist(refused(5, []), attempts_max=2)
    writer.close()


def test_a_refusal_for_good_is_not_repeated() -> None:
    writer = BackgroundWriter()

    def lost() -> None:
        raise NotAllowedNow("PARTITION_LOST", "lost")

    with pytest.raises(NotAllowedNow):
        writer.submit(lost).result(10)
    writer.close()


def test_closing_gives_up_what_waits() -> None:
    writer = BackgroundWriter()
    waiting = writer.submit(refused(10**9, []))
    writer.wait(0.1)
    writer.close()
    with pytest.raises(Unavailable):
        waiting.result(10)
