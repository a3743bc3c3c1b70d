"""Links without sockets: what they collect, when they wait, when they end."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from common.clock import ManualClock
from services.vehicle_tracking.adapters import access_links
from services.vehicle_tracking.adapters.access_links import Ended, Link, LinkBounds, Links


class Transport(asyncio.Transport):
    """Remembers what it was told."""

    def __init__(self) -> None:
        super().__init__()
        self.reading = True
        self.closing = False
        self.aborted = False
        self.written = b""

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True

    def abort(self) -> None:
        self.closing = self.aborted = True


def links_of(most: int = 10, clock: ManualClock | None = None) -> Links:
    return Links(LinkBounds("jt808", most, login_s=30, idle_s=300), clock or ManualClock())


def opened(links: Links) -> tuple[Link, Transport]:
    link, transport = Link(links), Transport()
    link.connection_made(transport)
    return link, transport


def test_what_several_links_sent_is_taken_in_the_order_of_arrival() -> None:
    links = links_of()
    (one, _), (two, _) = opened(links), opened(links)
    two.data_received(b"ab")
    one.data_received(b"cde")
    two.data_received(b"f")
    taken = links.take(1000)
    assert taken.links == [two, one]
    assert taken.stream == b"abfcde"
    assert taken.ends.tolist() == [3, 6]
    assert links.waiting_bytes == 0 and not links.arrived


def test_the_rest_of_a_frame_stands_before_what_comes_next() -> None:
    links = links_of()
    link, _ = opened(links)
    link.data_received(b"~abc")
    taken = links.take(1000)
    links.keep(taken, np.array([2]), np.array([True]))
    link.data_received(b"de~")
    again = links.take(1000)
    assert again.stream == b"bcde~"
    assert again.fresh_counts.tolist() == [3]
    assert links.rows["opened"][link.row]


def test_one_take_is_bounded_and_leaves_the_others_for_the_next() -> None:
    links = links_of()
    many = [opened(links)[0] for _ in range(4)]
    for link in many:
        link.data_received(b"x" * 10)
    assert links.take(20).links == many[:2]
    assert links.take(20).links == many[2:]


def test_who_takes_is_woken_once_for_all_that_arrives_until_then() -> None:
    links = links_of()
    woken: list[int] = []
    links.wake = lambda: woken.append(1)
    link, _ = opened(links)
    link.data_received(b"a")
    link.data_received(b"b")
    assert len(woken) == 1
    links.take(1000)
    link.data_received(b"c")
    assert len(woken) == 2


def test_a_link_that_sends_too_much_is_not_read_until_that_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_links, "LINK_BYTES_MAX", 100)
    links = links_of()
    link, transport = opened(links)
    link.data_received(b"x" * 101)
    assert not transport.reading
    links.take(1000)
    links.settle_paused()
    assert transport.reading


def test_all_links_together_may_only_send_so_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_links, "WAITING_BYTES_MAX", 100)
    links = links_of()
    (one, first), (two, second) = opened(links), opened(links)
    one.data_received(b"x" * 60)
    two.data_received(b"x" * 60)
    assert first.reading and not second.reading
    links.take(1000)
    links.settle_paused()
    assert second.reading


def test_a_terminal_that_does_not_read_its_answers_is_not_read() -> None:
    links = links_of()
    link, transport = opened(links)
    link.pause_writing()
    assert not transport.reading
    link.resume_writing()
    assert transport.reading


def test_frames_in_flight_are_bounded_and_those_of_an_earlier_link_do_not_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(access_links, "LINK_FRAMES_MAX", 2)
    links = links_of(most=1)
    link, transport = opened(links)
    link.data_received(b"x")
    taken = links.take(1000)
    links.put_in_flight(taken, np.array([3]))
    assert not transport.reading
    link.connection_lost(None)
    newer, _ = opened(links)
    links.land(taken, np.array([3]))
    assert links.rows["in_flight"][newer.row] == 0


def test_a_link_that_went_is_forgotten_once_what_it_sent_is_taken() -> None:
    links = links_of()
    link, _ = opened(links)
    link.data_received(b"last")
    link.connection_lost(None)
    assert len(links) == 1
    assert links.take(1000).stream == b"last"
    links.forget_lost()
    assert len(links) == 0


def test_what_an_ended_link_sent_is_not_taken() -> None:
    links = links_of()
    link, transport = opened(links)
    link.data_received(b"junk")
    links.end(link, Ended.JUNK)
    link.write(b"answer")
    assert links.take(1000).links == []
    assert transport.closing and transport.written == b""


def test_a_link_that_ended_and_still_stands_is_cut() -> None:
    clock = ManualClock()
    links = links_of(clock=clock)
    link, transport = opened(links)
    links.end(link, Ended.JUNK)
    links.end_overdue()
    assert not transport.aborted
    clock.advance(6000)
    links.end_overdue()
    assert transport.aborted


def test_a_link_that_we_do_not_read_is_not_silent() -> None:
    clock = ManualClock()
    links = links_of(clock=clock)
    link, transport = opened(links)
    links.log_in(link, phone=1, vehicle_id=1)
    links.holding = True
    links.settle(link)
    clock.advance(400_000)
    links.end_overdue()
    assert not transport.closing
    links.holding = False
    links.settle_paused()
    links.end_overdue()
    assert not transport.closing and transport.reading


def test_rows_are_used_again_under_another_number() -> None:
    links = links_of(most=1)
    first, _ = opened(links)
    number = links.number(first)
    assert links.find(number) is first
    first.connection_lost(None)
    second, _ = opened(links)
    assert links.find(number) is None
    assert links.number(second) != number


def test_serial_numbers_go_up_by_link_and_wrap() -> None:
    links = links_of()
    (one, _), (two, _) = opened(links), opened(links)
    assert [links.next_serial(one) for _ in range(2)] == [0, 1]
    rows = np.array([one.row, one.row, two.row])
    assert links.next_serials(rows).tolist() == [2, 3, 0]
    links.rows["serial"][two.row] = 65535
    assert links.next_serials(np.array([two.row, two.row])).tolist() == [65535, 0]
    assert links.next_serial(two) == 1


def test_the_older_link_of_a_terminal_ends_and_its_end_does_not_touch_the_newer() -> None:
    links = links_of()
    (older, transport), (newer, _) = opened(links), opened(links)
    links.log_in(older, phone=5, vehicle_id=1)
    links.log_in(newer, phone=5, vehicle_id=1)
    assert older.ended is Ended.REPLACED and transport.closing
    older.connection_lost(None)
    assert links.online == {5: newer}


def test_a_link_that_logs_in_again_as_another_terminal_is_that_one() -> None:
    links = links_of()
    link, _ = opened(links)
    links.log_in(link, phone=5, vehicle_id=1)
    links.log_in(link, phone=6, vehicle_id=2)
    assert links.online == {6: link}
    assert links.rows["vehicle_id"][link.row] == 2
