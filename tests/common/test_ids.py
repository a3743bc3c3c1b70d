"""Identifiers."""

from __future__ import annotations

import threading

from common.clock import ManualClock, SystemClock
from common.ids import etag, request_id, time_sorted_id


def test_a_time_sorted_id_is_a_version_7_uuid_of_its_instant() -> None:
    clock = ManualClock(4_000_000_000_000)  # after every id that this process has made
    found = time_sorted_id(clock)
    assert (found.version, found.variant) == (7, "specified in RFC 4122")
    assert found.int >> 80 == 4_000_000_000_000


def test_ids_sort_in_the_order_they_were_made_even_when_the_clock_steps_back() -> None:
    clock = ManualClock(4_100_000_000_000)
    made = [time_sorted_id(clock) for _ in range(5000)]
    made += [time_sorted_id(ManualClock(0)) for _ in range(10)]
    assert made == sorted(made)
    assert [str(one) for one in made] == sorted(str(one) for one in made)


def test_threads_never_make_the_same_id() -> None:
    made: list[object] = []
    clock = SystemClock()
    threads = [
        threading.Thread(target=lambda: made.extend(time_sorted_id(clock).int >> 64 for _ in range(500)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == len(made) == 2000


def test_request_ids_differ() -> None:
    assert request_id() != request_id()
    assert len(request_id()) == 32


def test_an_etag_changes_with_any_part() -> None:
    tags = {etag("fence", 1), etag("fence", 2), etag("fence", 1, None), etag("fence", "1"), etag("fence1")}
    assert len(tags) == 5
    assert etag("fence", 1) == etag("fence", 1)
